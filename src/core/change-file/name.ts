/** The names of files in a table's staging folder: ours and every layout DMS writes (reference: DMS S3 target), and their order. */

export type FileFormat = 'csv' | 'parquet';

export interface StagedName {
  /** `load`: rows of a full load; `changes`: captured changes of one table; `transactions`: DMS's changes of all tables in commit order. */
  kind: 'load' | 'changes' | 'transactions';
  format: FileFormat;
  gzip: boolean;
  /** Orders files of one kind: the load's number as 8 hex digits, or the time's digits. */
  rank: string;
  /** `SEGMENT1`, or the folder of a parallel load's partition. */
  segment?: string;
}

const NAME = /^(?:(?:(SEGMENT\w*)_)?LOAD([0-9A-F]{8})|(\d{8}-\d{9,10})|CDC_TXN-(\d{17}))\.(csv|parquet)(\.gz)?$/;
/** `2021`, `11`, `2022-10-24`, `2024_06_01`, `20240601`: what DatePartitionEnabled puts between the table's folder and the file. */
const DATE_FOLDER = /^\d{2,10}([-_]\d{2,4})*$/;

/** Reads the part of a key below the table's folder; undefined for a file that is not a change file (a stray note, a temporary name). */
export function parseStagedName(path: string): StagedName | undefined {
  const folders = path.split('/');
  const match = NAME.exec(folders.pop() ?? '');
  if (match === null) return undefined;
  const [, segment, load, time, transactionTime, format, gzip] = match;
  const shared = { format: format === 'parquet' ? 'parquet' : 'csv', gzip: gzip !== undefined } as const;
  if (load !== undefined) {
    const partition = segment ?? (folders.length > 0 ? folders.join('/') : undefined);
    return { kind: 'load', ...shared, rank: load, ...(partition === undefined ? {} : { segment: partition }) };
  }
  if (transactionTime !== undefined)
    return folders.length === 0 && format === 'csv'
      ? { kind: 'transactions', ...shared, rank: transactionTime }
      : undefined;
  if (time === undefined || !folders.every((folder) => DATE_FOLDER.test(folder))) return undefined;
  return { kind: 'changes', ...shared, rank: time };
}

/** The order in which DMS wrote: loads by number, then changes by base name, whatever date folder they lie in. Our own files are ordered by their numbers instead. */
export function compareStagedNames(a: StagedName, b: StagedName): number {
  const rank = (name: StagedName) => (name.kind === 'load' ? `0${name.segment ?? ''}/${name.rank}` : `1${name.rank}`);
  return rank(a) < rank(b) ? -1 : rank(a) > rank(b) ? 1 : 0;
}

/** `LOAD00000001.csv`: full-load files of ours, numbered over all epochs of the table. */
export function loadFileName(number: number): string {
  return `LOAD${number.toString(16).toUpperCase().padStart(8, '0')}.csv`;
}

/** The number of a load file's name; undefined for other files. */
export function loadNumberOf(path: string): number | undefined {
  const name = parseStagedName(path);
  return name?.kind === 'load' ? Number.parseInt(name.rank, 16) : undefined;
}

const OURS = /^(\d{4})(\d{2})(\d{2})-(\d{2})(\d{2})(\d{2})(\d{3})\.csv$/;

/** A change file's name as our capture gives it. */
export function isOurFileName(name: string): boolean {
  return OURS.test(name);
}

/** `20261122-101530123.csv`, UTC: now, or one millisecond after the table's last file where the clock has gone back. */
export function nextChangeFileName(last: string | undefined, now: Date): string {
  const lastTime = last === undefined ? undefined : timeOfName(last);
  const time = new Date(lastTime === undefined ? now.getTime() : Math.max(now.getTime(), lastTime + 1));
  const digits = time.toISOString().replace(/\D/g, '');
  return `${digits.slice(0, 8)}-${digits.slice(8)}.csv`;
}

/** Milliseconds since the epoch; throws on a name that is not ours, for the next name could then sort before it. */
function timeOfName(name: string): number {
  const match = OURS.exec(name);
  if (match === null) throw new RangeError(`"${name}" is not the name of a change file of ours`);
  const [year, month, day, hour, minute, second, millisecond] = match.slice(1).map(Number);
  return Date.UTC(year ?? 0, (month ?? 1) - 1, day, hour, minute, second, millisecond);
}
