/** `merge FILE` of a pipeline: the number up to which everything pending is merged, and nothing after it. */

import { formatTableName, type TableName } from '../change.ts';
import type { ChangeNumber } from '../change-number.ts';
import { CdcError } from '../errors.ts';
import type { Store } from '../store/store.ts';
import type { Staged } from './chain.ts';
import type { Standing } from './pending.ts';

/** Throws CdcError `file.unknown` for a key that is no file of the table, `load.unpublished` for a load file that no record lists. */
export function findUpTo(
  staging: Store,
  table: TableName,
  staged: Staged,
  standing: Standing | undefined,
  key: string,
): ChangeNumber {
  const record = staged.records.findLast(({ files }) => files.some((file) => file.key === key));
  if (record !== undefined) return record.number;
  const file = staged.files.find((one) => one.key === key);
  if (file !== undefined) {
    // A table that is not there yet begins with its load, which may hold this file's changes already.
    const [first] = staged.records;
    return standing === undefined && first !== undefined && first.number > file.last ? first.number : file.last;
  }
  if (staged.others.includes(key))
    throw new CdcError(
      'load.unpublished',
      `merging ${staging.location}/${key}: no finished load of ${formatTableName(table)} lists it, so it does not count`,
      { hint: 'cdc replicate   # finishes the load' },
    );
  throw new CdcError(
    'file.unknown',
    `merging ${staging.location}/${key}: it is no change file of ${formatTableName(table)}`,
    {
      hint: 'cdc files   # lists them',
    },
  );
}
