import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CsvRecord, formatCsv, readCsv } from '../../../src/core/change-file/csv.ts';

async function read(body: string | Buffer, pieceBytes = 1 << 20): Promise<CsvRecord[]> {
  const bytes = Buffer.from(body);
  async function* pieces() {
    for (let start = 0; start < bytes.length; start += pieceBytes) yield bytes.subarray(start, start + pieceBytes);
  }
  const records: CsvRecord[] = [];
  for await (const record of readCsv(pieces(), { file: 'a.csv' })) records.push(record);
  return records;
}

describe('reading CSV', () => {
  it('gives fields and the line each record begins on', async () => {
    expect(await read('a,b\n"x\ny",\n,"""q"""\n')).toEqual([
      { fields: ['a', 'b'], line: 1 },
      { fields: ['x\ny', ''], line: 2 },
      { fields: ['', '"q"'], line: 4 },
    ]);
  });

  it('passes over a byte order mark', async () => {
    expect(await read('\ufeffa\n')).toEqual([{ fields: ['a'], line: 1 }]);
    expect(await read('a\n')).toHaveLength(1);
    expect(await read('')).toEqual([]);
  });

  it('gives back what was written, however the bytes are cut into pieces', async () => {
    const field = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.constantFrom('', '"', '\n', '\r\n', ',', '\\N', '\0', '😀"'),
    );
    const table = fc.array(fc.array(field, { minLength: 1, maxLength: 4 }), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(table, fc.integer({ min: 1, max: 9 }), async (rows, pieceBytes) => {
        const body = rows.map((row) => `${formatCsv(row)}\n`).join('');
        // A first field that begins with a byte order mark would lose it, as it must.
        fc.pre(!body.startsWith('\ufeff'));
        expect((await read(body, pieceBytes)).map(({ fields }) => fields)).toEqual(rows);
      }),
    );
  });

  it.each([
    ['text after a closing quote', 'a\n"b"c\n', 'file.quote', 'line 2'],
    ['a blank before a quote', 'a\n "b"\n', 'file.quote', 'line 2'],
    ['a quote that is not closed', 'a\n"b\n', 'file.cut', 'line 2'],
    ['a last row without its end', 'a\nb', 'file.cut', 'line 2'],
    ['a carriage return outside quotes', 'a\nb\r\n', 'file.newline', 'line 2'],
    ['a broken quote behind lines inside quotes', '"a\n\n"\n"b"c\n', 'file.quote', 'line 4'],
  ])('refuses %s by its line', async (_, body, code, line) => {
    for (const pieceBytes of [1, 3, 1000])
      await expect(read(body, pieceBytes)).rejects.toMatchObject({
        code,
        message: expect.stringContaining(`a.csv, ${line}`),
      });
  });

  it('refuses what is not UTF-8', async () => {
    await expect(read(Buffer.from([0x61, 0x0a, 0xc3, 0x28, 0x0a]))).rejects.toMatchObject({
      code: 'file.encoding',
      message: expect.stringContaining('line 2'),
    });
  });
});
