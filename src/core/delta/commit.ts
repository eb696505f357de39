/** Makes a new version of a table: one put-if-absent of one file, which is the commit point of everything that merge does. */

import { randomUUID } from 'node:crypto';
import { type Action, fileKey, formatActions, parseActions } from './actions.ts';
import { commitKey, type LakeTable } from './lake-table.ts';
import type { RawJson } from './raw-json.ts';
import { advance, firstSnapshot, type Snapshot, stillStands } from './snapshot.ts';

export interface CommitRequest {
  /** The snapshot that the actions were worked out from; undefined makes the table. */
  previous: Snapshot | undefined;
  /** Everything but the commitInfo, which is added in front. */
  actions: readonly Action[];
  /** `MERGE`, `CREATE TABLE`, `WRITE` …: what `DESCRIBE HISTORY` and `cdc history` show. */
  operation: string;
  operationParameters?: Record<string, string>;
  /** Texts, as Delta has them: `numTargetRowsInserted` … */
  operationMetrics?: Record<string, string>;
  now: Date;
}

/** `taken`: someone else made that version, or the log has moved on past it. The work is to be planned again on a snapshot read anew, never put on top. */
export type CommitResult = { state: 'committed'; snapshot: Snapshot } | { state: 'taken' };

/** The data files of the actions must be durable already. */
export async function commitVersion(table: LakeTable, request: CommitRequest): Promise<CommitResult> {
  const { previous, actions, now } = request;
  assertCommit(previous, actions);
  const version = (previous?.version ?? -1) + 1;
  const key = commitKey(table.folder, version);
  const transactionId = randomUUID();
  const commitInfo: Record<string, RawJson> = {
    timestamp: now.getTime(),
    operation: request.operation,
    operationParameters: request.operationParameters ?? {},
    ...(previous === undefined ? {} : { readVersion: previous.version }),
    isolationLevel: 'Serializable',
    isBlindAppend: false,
    ...(request.operationMetrics === undefined ? {} : { operationMetrics: request.operationMetrics }),
    engineInfo: 'cdc',
    txnId: transactionId,
  };
  const lines: Action[] = [{ commitInfo }, ...actions];
  if (previous !== undefined && !(await stillStands(table, previous))) return { state: 'taken' };
  // Commit point: readers see the new version from here.
  const written = await table.store.putIfAbsent(key, formatActions(lines));
  // A reply that was lost and a retry that then found the file there: ours all the same, if it holds our id.
  if (!written && !(await isOurs(table, key, transactionId))) return { state: 'taken' };
  const tip = await table.store.stat(key);
  if (tip === undefined) throw new Error(`${key} went away right after it was written`);
  const snapshot = previous === undefined ? firstSnapshot(table, lines, tip) : advance(table, previous, lines, tip);
  return { state: 'committed', snapshot };
}

async function isOurs(table: LakeTable, key: string, transactionId: string): Promise<boolean> {
  const body = await table.store.getIfPresent(key);
  if (body === undefined) return false;
  const [first] = parseActions(body.toString().split('\n', 1)[0] ?? '');
  return first !== undefined && 'commitInfo' in first && first.commitInfo.txnId === transactionId;
}

/** What the format forbids in one commit (delta.md 1.2) would corrupt the table for every reader: it is a bug, and stops here. */
function assertCommit(previous: Snapshot | undefined, actions: readonly Action[]): void {
  const wrong = (reason: string): never => {
    throw new Error(`this commit must not be made: ${reason}`);
  };
  const protocols = actions.filter((action) => 'protocol' in action).length;
  const schemas = actions.filter((action) => 'metaData' in action).length;
  if (protocols > 1 || schemas > 1) wrong('it has two protocols or two schemas');
  if (previous === undefined && (protocols === 0 || schemas === 0)) wrong('a first one needs a protocol and a schema');
  if (actions.some((action) => 'commitInfo' in action)) wrong('its commitInfo is made here');
  const applications = new Set<string>();
  const added = new Set<string>();
  const removed = new Set<string>();
  for (const action of actions) {
    if ('txn' in action && !firstTime(applications, action.txn.appId)) wrong(`two txn of ${action.txn.appId}`);
    if ('add' in action && !firstTime(added, action.add.path)) wrong(`${action.add.path} is added twice`);
    if ('remove' in action) {
      if (!firstTime(removed, action.remove.path)) wrong(`${action.remove.path} is removed twice`);
      if (!previous?.files.has(fileKey(action.remove)))
        wrong(`${action.remove.path} is removed and is not in the table`);
    }
  }
  for (const path of added)
    if (!removed.has(path) && previous?.files.has(path)) wrong(`${path} is added and already in the table`);
}

function firstTime(seen: Set<string>, name: string): boolean {
  if (seen.has(name)) return false;
  seen.add(name);
  return true;
}
