/** Consecutive numbers through a table's change files, whatever the files are called and however they overlap. */

import type { StoredLoadRecord } from '../change-file/load-record.ts';
import type { ChangeNumber } from '../change-number.ts';
import type { TableDefinition } from '../table-definition.ts';

/** A change file of ours and the numbers it holds. */
export interface RangedFile {
  key: string;
  size: number;
  first: ChangeNumber;
  last: ChangeNumber;
  modified: Date;
}

/** Ranges already known, by key: a file never changes, so a worker need not read it twice. Filled as files are read. */
export type KnownRanges = Map<
  string,
  { size: number; first: ChangeNumber | undefined; last: ChangeNumber | undefined }
>;

/** Everything of one table in staging. */
export interface Staged {
  records: StoredLoadRecord[];
  /** By number. */
  definitions: TableDefinition[];
  files: RangedFile[];
  /** Keys of other files in the table's folder: load files, and what is not ours. */
  others: string[];
}

export interface Chain {
  after: ChangeNumber;
  /** The last number without a gap. */
  end: ChangeNumber;
  files: RangedFile[];
  /** Files behind a gap or a limit. */
  rest: RangedFile[];
  /** The number that is missing; undefined when the chain ended at the limit or with the files. */
  missing: ChangeNumber | undefined;
  taken: ReadonlySet<ChangeNumber>;
}

/** As far as no number is missing, and not above the limit. */
export function followChain(staged: Staged, after: ChangeNumber, limit: ChangeNumber | undefined): Chain {
  const taken = new Set<ChangeNumber>();
  for (const { number } of staged.definitions) if (number > after) taken.add(number);
  for (const { kind, number } of staged.records) if (kind === 'truncate' && number > after) taken.add(number);
  const sorted = staged.files
    .filter((file) => file.last > after)
    .sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : a.last < b.last ? -1 : a.last > b.last ? 1 : 0));
  const files: RangedFile[] = [];
  let next = after + 1n;
  const pass = () => {
    while (taken.has(next) && (limit === undefined || next <= limit)) next++;
  };
  pass();
  let index = 0;
  let missing: ChangeNumber | undefined;
  for (; index < sorted.length; index++) {
    const file = sorted[index];
    if (file === undefined || (limit !== undefined && next > limit)) break;
    if (file.first > next) {
      missing = next;
      break;
    }
    // A file that only repeats others is read too: what it repeats must be the same.
    files.push(file);
    if (file.last >= next) next = file.last + 1n;
    pass();
  }
  const end = limit !== undefined && next - 1n > limit ? limit : next - 1n;
  return { after, end, files, rest: sorted.slice(index), missing, taken };
}
