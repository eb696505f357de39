/** Plain text tables for answers on stdout. */

export interface Column<Row> {
  title: string;
  value(row: Row): string | number | undefined;
  /** Numbers stand under each other's last digit. */
  right?: boolean;
}

/** Columns two blanks apart, titles in capitals unless their case matters; an absent value is `-`. '' for no rows. */
export function textTable<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  { keepCase = false }: { keepCase?: boolean } = {},
): string {
  if (rows.length === 0) return '';
  const cells = [
    columns.map(({ title }) => (keepCase ? title : title.toUpperCase())),
    ...rows.map((row) => columns.map((column) => String(column.value(row) ?? '-'))),
  ];
  const widths = columns.map((_, index) => Math.max(...cells.map((line) => [...(line[index] ?? '')].length)));
  return cells
    .map((line) =>
      line
        .map((cell, index) => {
          const blanks = ' '.repeat((widths[index] ?? 0) - [...cell].length);
          return columns[index]?.right === true ? blanks + cell : cell + blanks;
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** `1 row`, `2 rows`. */
export function count(number: number | bigint, noun: string): string {
  return `${number.toLocaleString('en-US')} ${noun}${number === 1 || number === 1n ? '' : 's'}`;
}
