/** What must be remembered between replication tasks, in staging, so that another machine can go on: `_cdc/dms.json`. */

import { z } from 'zod';
import { CdcError } from '../../errors.ts';
import type { Store } from '../../store/store.ts';

export const NOTES_KEY = '_cdc/dms.json';

const notesSchema = z.object({
  format: z.literal(1),
  /** Where the binlog stood before the `full-load` task began: `mysql-bin-changelog.000024:373`. */
  load_position: z.string().optional(),
  /** What `stop --all` deleted, and where it stood: a position, or a checkpoint of DMS. */
  retired: z
    .object({
      from: z.string(),
      /** Whether it followed, so that `start` goes on following. */
      followed: z.boolean(),
      at: z.string(),
    })
    .optional(),
});

export type TaskNotes = z.infer<typeof notesSchema>;

export type NotesStore = Pick<Store, 'getIfPresent' | 'get' | 'list' | 'put' | 'now' | 'location'>;

export async function readNotes(staging: NotesStore): Promise<TaskNotes> {
  const body = await staging.getIfPresent(NOTES_KEY);
  if (body === undefined) return { format: 1 };
  try {
    return notesSchema.parse(JSON.parse(body.toString('utf8')));
  } catch (cause) {
    throw new CdcError('task.notes', `reading ${NOTES_KEY} in ${staging.location}: it is no note of ours`, {
      hint: 'bring it back from a copy, or remove it and load the tables again with cdc reload',
      cause,
    });
  }
}

export async function writeNotes(staging: NotesStore, notes: TaskNotes): Promise<void> {
  await staging.put(NOTES_KEY, `${JSON.stringify(notes, undefined, 2)}\n`);
}
