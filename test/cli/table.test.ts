import { describe, expect, it } from 'vitest';
import { type Column, textTable } from '../../src/cli/table.ts';

interface Row {
  name: string;
  rows: number | undefined;
}

const columns: Column<Row>[] = [
  { title: 'name', value: ({ name }) => name },
  { title: 'size', value: () => 'large', drop: 1 },
  { title: 'rows', value: ({ rows }) => rows, right: true },
  { title: 'note', value: () => 'nothing', drop: 2 },
];
const rows = [
  { name: 'orders', rows: 12 },
  { name: 'items', rows: undefined },
];

describe('a text table', () => {
  it('shows every column where there is no terminal', () => {
    expect(textTable(rows, columns)).toBe(
      'NAME    SIZE   ROWS  NOTE\norders  large    12  nothing\nitems   large     -  nothing',
    );
  });

  it('leaves out what matters least, one column after another, until it fits the terminal', () => {
    expect(textTable(rows, columns, { width: 28 }).split('\n')[0]).toBe('NAME    SIZE   ROWS  NOTE');
    expect(textTable(rows, columns, { width: 27 }).split('\n')[0]).toBe('NAME    SIZE   ROWS');
    expect(textTable(rows, columns, { width: 18 }).split('\n')[0]).toBe('NAME    ROWS');
  });

  it('never leaves out the others', () => {
    expect(textTable(rows, columns, { width: 5 }).split('\n')).toEqual([
      'NAME    ROWS',
      'orders    12',
      'items      -',
    ]);
  });
});
