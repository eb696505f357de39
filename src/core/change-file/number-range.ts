/** Which numbers a change file of ours holds, found without reading all of it. */

import { type ChangeNumber, parseChangeNumber } from '../change-number.ts';
import { CdcError } from '../errors.ts';
import type { Store } from '../store/store.ts';
import { inputChanged, readBytes } from './bytes.ts';
import { type CsvRecord, cutFile, readCsv } from './csv.ts';
import { isOurHeader } from './header.ts';
import { shorten, wrongWidth } from './row-errors.ts';

/** The numbers a change file of ours holds; both undefined when it holds no change. */
export interface NumberRange {
  size: number;
  first: ChangeNumber | undefined;
  last: ChangeNumber | undefined;
}

/** Bytes of a `,` and the 35 digits of cdc_seq and the newline: how every row of ours ends. */
const TAIL_BYTES = 37;
/** Of a bucket every byte comes over the network, and a row is seldom long. */
const HEAD_BYTES = { folder: 1 << 16, bucket: 1 << 12 };

/**
 * The first and last number of a change file of ours, from its first record and its last bytes; `knownSize` where the
 * caller has listed it. Throws `file.cut` when it does not end as a row of ours does, `file.header` when it is not ours,
 * `input.changed` when it has shrunk since it was listed.
 */
export async function readNumberRange(store: Store, key: string, knownSize?: number): Promise<NumberRange> {
  const file = `${store.location}/${key}`;
  const size = knownSize ?? (await store.stat(key))?.size;
  if (size === undefined) throw new CdcError('store.not-found', `reading ${file}: it is not there`);
  let first: CsvRecord | undefined;
  let head: Buffer = Buffer.alloc(0);
  for (let bytes = HEAD_BYTES[store.kind]; first === undefined; bytes *= 8) {
    const wanted = Math.min(bytes, size);
    head = await store.getRange(key, 0, wanted);
    // Cut since it was listed: what is not there any more would be waited for without end, or not be missed.
    if (head.length < wanted) throw shrunk(file, size, head.length);
    const records = readCsv(once(head), { file });
    const header = await nextRecord(records, head.length >= size);
    if (header === undefined && head.length < size) continue;
    if (header === undefined || !isOurHeader(header.fields))
      throw new CdcError(
        'file.header',
        `reading ${file}, line 1: it does not begin with the header Op,cdc_ts,…,cdc_seq`,
        {
          hint: `apply a file made elsewhere with: cdc merge ${file} --table … --key … --columns …`,
        },
      );
    first = await nextRecord(records, head.length >= size);
    if (first === undefined && head.length >= size) return { size, first: undefined, last: undefined };
    if (first !== undefined && first.fields.length !== header.fields.length)
      throw wrongWidth(file, first.line, first.fields.length, header.fields.length);
  }
  const isWhole = head.length >= size;
  const tail = isWhole ? head.subarray(-TAIL_BYTES) : await store.getRange(key, size - TAIL_BYTES, size);
  if (!isWhole && tail.length < TAIL_BYTES) throw shrunk(file, size, (await store.stat(key))?.size ?? 0);
  const last = /^,(\d{35})\n$/.exec(tail.toString('latin1'))?.[1];
  const firstText = first.fields.at(-1) ?? '';
  if (last === undefined) throw await findCut(store, key, file);
  if (!/^\d{35}$/.test(firstText)) throw wrongNumber(file, first.line, firstText);
  return { size, first: parseChangeNumber(firstText), last: parseChangeNumber(last) };
}

function shrunk(file: string, size: number, left: number): CdcError {
  return inputChanged(file, `it had ${size} bytes when it was listed, and ${left} are left of it`);
}

/** The first record of a file: the header of one of ours. */
export async function readHeader(store: Store, key: string): Promise<string[]> {
  for (let bytes = HEAD_BYTES[store.kind]; ; bytes *= 8) {
    const head = await store.getRange(key, 0, bytes);
    const isWhole = head.length < bytes;
    const record = await nextRecord(readCsv(once(head), { file: `${store.location}/${key}` }), isWhole);
    if (record !== undefined || isWhole) return record?.fields ?? [];
  }
}

/** The next record; undefined at the end, and also where the bytes end inside it and are known not to be the whole file. */
async function nextRecord(records: AsyncGenerator<CsvRecord>, whole: boolean): Promise<CsvRecord | undefined> {
  try {
    const next = await records.next();
    return next.done ? undefined : next.value;
  } catch (error) {
    if (!whole && error instanceof CdcError && error.code === 'file.cut') return undefined;
    throw error;
  }
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

/** Reads the whole file to say on which line it is broken. */
async function findCut(store: Store, key: string, file: string): Promise<CdcError> {
  let line = 1;
  let width: number | undefined;
  try {
    for await (const { fields, line: at } of readCsv(readBytes(store, key), { file })) {
      line = at;
      if (width !== undefined) {
        if (fields.length !== width) return wrongWidth(file, line, fields.length, width);
        const number = fields.at(-1) ?? '';
        if (!/^\d{35}$/.test(number)) return wrongNumber(file, line, number);
      }
      width = fields.length;
    }
  } catch (error) {
    if (error instanceof CdcError) return error;
    throw error;
  }
  return cutFile(file, line);
}

export function wrongNumber(file: string, line: number, text: string): CdcError {
  return new CdcError(
    'file.number',
    `reading ${file}, line ${line}: cdc_seq is "${shorten(text)}", expected 35 digits`,
  );
}
