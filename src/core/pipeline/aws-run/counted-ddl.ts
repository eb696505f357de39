/**
 * DDL that DMS counts and writes into no file: after a TRUNCATE or DROP the lake holds rows that are gone, and only the count
 * shows it (contract.md 5). A table is `unverified` while the count is another than the one written down when it was right.
 */

import { z } from 'zod';
import { findTask, type ReplicationTask, type TableStatistics } from '../../aws/dms-task.ts';
import { formatTableName, type TableName } from '../../change.ts';
import { COUNTED_DDL, countedDdlKey } from '../../change-file/layout.ts';
import { CdcError, messageOf } from '../../errors.ts';
import type { AwsRun } from './run.ts';
import type { NotesStore } from './task-notes.ts';

const noteSchema = z.object({
  format: z.literal(1),
  schema: z.string(),
  table: z.string(),
  /** Whose count it is: another task counts from 0. Empty where none follows. */
  task_arn: z.string(),
  /** The count when the table was last found equal to its source, or when its last reload began. */
  ddls: z.int().nonnegative(),
  /** False: it was unverified when its task was deleted, and the count with it. */
  is_verified: z.boolean(),
  at: z.iso.datetime(),
});
type Note = z.infer<typeof noteSchema>;

/** What a task counts before a table is compared or read anew: what comes later is not covered. */
export interface Counted {
  taskArn: string;
  /** By table. */
  ddls: Map<string, number>;
}

export function countedBy(task: Pick<ReplicationTask, 'arn'> | undefined, tables: readonly TableStatistics[]): Counted {
  return {
    taskArn: task?.arn ?? '',
    ddls: new Map(tables.map((table) => [formatTableName(table), table.ddls])),
  };
}

/** The task that follows, whether or not it runs now. */
export async function findFollower({ session, names }: Pick<AwsRun, 'session' | 'names'>) {
  return (await findTask(session, names.task.cdc)) ?? (await findTask(session, names.task['full-load-and-cdc']));
}

/** These tables are as the source was when the task had counted so far. */
export async function noteVerified(staging: NotesStore, counted: Counted, tables: readonly TableName[]): Promise<void> {
  const notes = await readNotes(staging);
  for (const table of tables) {
    const name = formatTableName(table);
    const ddls = counted.ddls.get(name) ?? 0;
    const note = notes.get(name);
    // A count of 0 that follows nothing says what is so anyway.
    if (note === undefined && ddls === 0) continue;
    if (note?.is_verified === true && note.task_arn === counted.taskArn && note.ddls === ddls) continue;
    await putNote(staging, table, { task_arn: counted.taskArn, ddls, is_verified: true });
  }
}

/** Before the task is deleted, and its counts with it. */
export async function noteUnverified(
  staging: NotesStore,
  task: Pick<ReplicationTask, 'arn'>,
  tables: readonly TableStatistics[],
): Promise<void> {
  const unverified = await unverifiedTables(staging, task, tables);
  for (const table of tables)
    if (unverified.has(formatTableName(table)))
      await putNote(staging, table, { task_arn: task.arn, ddls: table.ddls, is_verified: false });
}

/** Why each table is `unverified` that is. */
export async function unverifiedTables(
  staging: NotesStore,
  task: Pick<ReplicationTask, 'arn'>,
  tables: readonly TableStatistics[],
): Promise<Map<string, string>> {
  const notes = await readNotes(staging);
  return new Map(
    tables.flatMap((table) => {
      const why = whyUnverified(notes.get(formatTableName(table)), task.arn, table.ddls);
      return why === undefined ? [] : [[formatTableName(table), why] as const];
    }),
  );
}

/** Should DMS count from 0 again after a start, then a smaller count is one of statements that nobody has looked at either. */
function whyUnverified(note: Note | undefined, taskArn: string, ddls: number): string | undefined {
  const effect = 'a TRUNCATE or DROP is in no change file, so the lake may hold rows that are gone';
  if (note?.is_verified === false) return `there was DDL before ${note.at} that nobody has looked at; ${effect}`;
  const known = note?.task_arn === taskArn ? note.ddls : 0;
  if (ddls === 0 || ddls === known) return undefined;
  const since = known === 0 ? '' : `, and counted ${known} when the table was last right`;
  return `DMS counts ${ddls} DDL statement${ddls === 1 ? '' : 's'} on it${since}; ${effect}`;
}

async function putNote(
  staging: NotesStore,
  { schema, table }: TableName,
  note: Pick<Note, 'task_arn' | 'ddls' | 'is_verified'>,
): Promise<void> {
  const body: Note = { format: 1, schema, table, ...note, at: (await staging.now()).toISOString() };
  await staging.put(countedDdlKey(body), `${JSON.stringify(body, null, 2)}\n`);
}

/** By table. Throws CdcError `ddl.corrupt`. */
async function readNotes(staging: NotesStore): Promise<Map<string, Note>> {
  const found = await staging.list(COUNTED_DDL);
  const notes = await Promise.all(found.map(({ key }) => readNote(staging, key)));
  return new Map(notes.map((note) => [formatTableName(note), note]));
}

async function readNote(staging: NotesStore, key: string): Promise<Note> {
  try {
    return noteSchema.parse(JSON.parse((await staging.get(key)).toString()));
  } catch (cause) {
    throw new CdcError(
      'ddl.corrupt',
      `reading ${staging.location}/${key}: it is no note of ours (${messageOf(cause)})`,
      {
        hint: 'bring it back from a copy, or remove it: then the table is unverified until the next cdc verify',
        cause,
      },
    );
  }
}
