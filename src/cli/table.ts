/** Plain text tables for answers on stdout. */

export interface Column<Row> {
  title: string;
  value(row: Row): string | number | undefined;
  /** Numbers stand under each other's last digit. */
  right?: boolean;
  /** Left out, the highest first, where the table is wider than the terminal. */
  drop?: number;
}

/**
 * Columns two blanks apart, titles in capitals unless their case matters; an absent value is `-`. '' for no rows. `width`
 * is the terminal's; where there is none, every column is shown.
 */
export function textTable<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  { keepCase = false, width }: { keepCase?: boolean; width?: number | undefined } = {},
): string {
  if (rows.length === 0) return '';
  for (let shown = columns; ; ) {
    const text = layOut(rows, shown, keepCase);
    const [droppable] = shown.filter(({ drop }) => drop !== undefined).sort((a, b) => (b.drop ?? 0) - (a.drop ?? 0));
    const isWide = width !== undefined && text.split('\n').some((line) => [...line].length > width);
    if (!isWide || droppable === undefined) return text;
    shown = shown.filter((column) => column !== droppable);
  }
}

function layOut<Row>(rows: readonly Row[], columns: readonly Column<Row>[], keepCase: boolean): string {
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
