/** What only its owner can say of a file that our capture did not write: `staging.dialect` in cdc.yaml, or options of `merge FILE`. */

export interface Dialect {
  /** The text that stands for NULL (DMS: CsvNullValue). Absent: an empty field is NULL, but '' in a NOT NULL text column. */
  null?: string;
  /** Whether the first line is a header. Absent: it is one when it names the table's columns. */
  header?: boolean;
  /** DMS: TimestampColumnName; the column stands after Op. */
  timestampColumn?: string;
}
