/** Asks DMS whether a load is complete that nobody has waited for, and writes down that it is: what `replicate` does when it waits. */

import { findTask, tableStatistics } from '../../aws/dms-task.ts';
import type { AwsSession } from '../../aws/session.ts';
import { formatTableName } from '../../change.ts';
import { type DmsEpoch, putDmsEpoch } from '../../change-file/dms-epoch.ts';
import { CancelledError, CdcError } from '../../errors.ts';
import type { AskLoad } from '../../merge/look.ts';
import { completed, whyIncomplete } from './table-records.ts';
import type { NotesStore } from './task-notes.ts';

/** `open`: called at the first question only, for most merges have none. */
export function askDmsLoad(open: () => Promise<{ session: AwsSession; staging: NotesStore }>): AskLoad {
  let opened: ReturnType<typeof open> | undefined;
  return async (epoch) => {
    try {
      opened ??= open();
      const { session, staging } = await opened;
      return await look(session, staging, epoch);
    } catch (error) {
      opened = undefined;
      if (!(error instanceof CdcError) || error instanceof CancelledError) throw error;
      return { why: `DMS could not be asked: ${error.message}` };
    }
  };
}

async function look(session: AwsSession, staging: NotesStore, epoch: DmsEpoch): ReturnType<AskLoad> {
  const task = await findTask(session, epoch.task);
  if (task === undefined) return { why: `the replication task ${epoch.task} has gone` };
  const name = formatTableName(epoch);
  const table = (await tableStatistics(session, task, epoch)).find((one) => formatTableName(one) === name);
  if (table === undefined) return { why: `the replication task ${epoch.task} does not have it` };
  const why = whyIncomplete(epoch, table);
  if (why !== undefined) return { why };
  const complete = completed(epoch, table);
  await putDmsEpoch(staging, complete);
  return { epoch: complete };
}
