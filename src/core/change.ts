/** What passes between the halves: one row's insert, update or delete. */

/** As DMS writes it. An update that changes the key is written as D of the old row and I of the new one. */
export type Op = 'I' | 'U' | 'D';

/** A table by its two names, as the source spells them. */
export interface TableName {
  schema: string;
  table: string;
}

/** `shop.orders`, for messages, reports and map keys. */
export function formatTableName(name: TableName): string {
  return `${name.schema}.${name.table}`;
}
