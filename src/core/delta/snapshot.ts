/** The state of a table at one version, put together from its log. */

import { CdcError, messageOf } from '../errors.ts';
import type { StoredObject } from '../store/store.ts';
import {
  type Action,
  type AddFile,
  fileKey,
  type MetaData,
  type Protocol,
  parseActions,
  type RemoveFile,
  type Txn,
} from './actions.ts';
import { readCheckpoint, readCheckpointHint } from './checkpoint.ts';
import { commitKey, formatVersion, type LakeTable, type LogFile, logFolder, parseLogFile } from './lake-table.ts';

export interface Snapshot {
  version: number;
  protocol: Protocol;
  metaData: MetaData;
  /** By application; the last one written counts, not the greatest. */
  txns: ReadonlyMap<string, Txn>;
  /** Live files, by `fileKey`. */
  files: ReadonlyMap<string, AddFile>;
  /** Removed files that may still be on disk for readers of older versions, by `fileKey`. */
  tombstones: ReadonlyMap<string, RemoveFile>;
  /** Of the newest checkpoint this was read from; undefined when there was none. */
  checkpointVersion: number | undefined;
  /** The commit's file as it was read (the checkpoint's, where the commit is gone). */
  tip: StoredObject;
}

/** What is known while the log is replayed. */
interface Replay {
  protocol: Protocol | undefined;
  metaData: MetaData | undefined;
  txns: Map<string, Txn>;
  files: Map<string, AddFile>;
  tombstones: Map<string, RemoveFile>;
}

/** The table as it is, or at a version; undefined where there is no table. Throws CdcError `lake.corrupt`, `lake.no-version`. */
export async function readSnapshot(
  table: LakeTable,
  options: { version?: number } = {},
): Promise<Snapshot | undefined> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await readOnce(table, options.version);
    } catch (error) {
      // A clean-up took a file between listing and reading: the log read again begins later.
      if (!(error instanceof CdcError && error.code === 'store.not-found') || attempt === 5) throw error;
    }
  }
}

async function readOnce(table: LakeTable, wanted: number | undefined): Promise<Snapshot | undefined> {
  const log = await listLog(table, wanted);
  const commits = new Map(
    log.filter(({ file }) => file.kind === 'commit').map(({ file, object }) => [file.version, object]),
  );
  const checkpoints = log.filter(({ file }) => file.kind === 'checkpoint');
  const newest = Math.max(-1, ...[...commits.keys()], ...checkpoints.map(({ file }) => file.version));
  if (newest === -1) {
    if (log.length > 0) throw corrupt(logFolder(table.folder), 'there are files of versions, but no commit');
    return undefined;
  }
  const version = wanted ?? newest;
  if (version > newest) throw noVersion(table, version, log);
  const checkpoint = newestCheckpoint(log, version);
  const first = checkpoint === undefined ? 0 : checkpoint.version + 1;
  for (let next = first; next <= version; next++)
    if (!commits.has(next)) {
      if (wanted !== undefined && checkpoint === undefined && next < firstCommit(log))
        throw noVersion(table, wanted, log);
      throw missing(table, next);
    }

  const replay: Replay = {
    protocol: undefined,
    metaData: undefined,
    txns: new Map(),
    files: new Map(),
    tombstones: new Map(),
  };
  if (checkpoint !== undefined) apply(replay, await readCheckpoint(table, checkpoint.keys));
  const versions = Array.from({ length: version - first + 1 }, (_, index) => first + index);
  for (let start = 0; start < versions.length; start += 16) {
    const bodies = await Promise.all(
      versions.slice(start, start + 16).map(async (next) => await readCommit(table, next)),
    );
    for (const actions of bodies) apply(replay, actions);
  }
  // A checkpoint whose own commit somebody cleaned away stands for its version all the same.
  const tip = commits.get(version) ?? log.find(({ file }) => file.version === version)?.object;
  if (tip === undefined) throw missing(table, version);
  return finish(table, replay, version, checkpoint?.version, tip);
}

/** Carries a snapshot forward to the newest version without reading what it knows; reads anew when the log it came from is gone or replaced. */
export async function updateSnapshot(table: LakeTable, previous: Snapshot): Promise<Snapshot | undefined> {
  if (!(await stillStands(table, previous))) return await readSnapshot(table);
  let snapshot = previous;
  for (;;) {
    const key = commitKey(table.folder, snapshot.version + 1);
    const tip = await table.store.stat(key);
    if (tip === undefined) return snapshot;
    const body = await table.store.getIfPresent(key);
    if (body === undefined) return await readSnapshot(table);
    snapshot = advance(table, snapshot, parseCommit(table, key, body), tip);
  }
}

/**
 * Whether the log still has the version of a snapshot as it was read: cleaned away, the versions after it may be gone too and
 * the next number only looks free; of another size, time or tag, somebody replaced it.
 */
export async function stillStands(table: LakeTable, { tip }: Snapshot): Promise<boolean> {
  const now = await table.store.stat(tip.key);
  return (
    now !== undefined &&
    now.size === tip.size &&
    now.modified.getTime() === tip.modified.getTime() &&
    now.tag === tip.tag
  );
}

/** The snapshot after one more commit. */
export function advance(table: LakeTable, previous: Snapshot, actions: readonly Action[], tip: StoredObject): Snapshot {
  const replay: Replay = {
    protocol: previous.protocol,
    metaData: previous.metaData,
    txns: new Map(previous.txns),
    files: new Map(previous.files),
    tombstones: new Map(previous.tombstones),
  };
  apply(replay, actions);
  return finish(table, replay, previous.version + 1, previous.checkpointVersion, tip);
}

/** The snapshot that a table's first commit makes. */
export function firstSnapshot(table: LakeTable, actions: readonly Action[], tip: StoredObject): Snapshot {
  const replay: Replay = {
    protocol: undefined,
    metaData: undefined,
    txns: new Map(),
    files: new Map(),
    tombstones: new Map(),
  };
  apply(replay, actions);
  return finish(table, replay, 0, undefined, tip);
}

/** The actions of a version, for history and tests. Throws CdcError `store.not-found`, `lake.corrupt`. */
export async function readCommit(table: LakeTable, version: number): Promise<Action[]> {
  const key = commitKey(table.folder, version);
  return parseCommit(table, key, await table.store.get(key));
}

function parseCommit(table: LakeTable, key: string, body: Buffer): Action[] {
  try {
    const actions = parseActions(body.toString());
    if (actions.length === 0) throw new Error('it is empty');
    return actions;
  } catch (error) {
    throw corrupt(`${table.store.location}/${key}`, `it is not a commit of a Delta log (${messageOf(error)})`, error);
  }
}

/** Removes of a commit come before its adds, whatever the order of its lines: the same path may be in both with another vector. */
function apply(replay: Replay, actions: readonly Action[]): void {
  for (const action of actions) {
    if ('protocol' in action) replay.protocol = action.protocol;
    else if ('metaData' in action) replay.metaData = action.metaData;
    else if ('txn' in action) replay.txns.set(action.txn.appId, action.txn);
    else if ('remove' in action) {
      replay.files.delete(fileKey(action.remove));
      replay.tombstones.set(fileKey(action.remove), action.remove);
    }
  }
  for (const action of actions)
    if ('add' in action) {
      replay.files.set(fileKey(action.add), action.add);
      replay.tombstones.delete(fileKey(action.add));
    }
}

function finish(
  table: LakeTable,
  replay: Replay,
  version: number,
  checkpointVersion: number | undefined,
  tip: StoredObject,
): Snapshot {
  const { protocol, metaData, txns, files, tombstones } = replay;
  if (protocol === undefined || metaData === undefined)
    throw corrupt(
      `${table.store.location}/${logFolder(table.folder)}`,
      `no ${protocol === undefined ? 'protocol' : 'schema'} up to version ${version}`,
    );
  return {
    version,
    protocol,
    metaData,
    txns,
    files,
    tombstones,
    checkpointVersion,
    tip,
  };
}

interface ListedFile {
  object: StoredObject;
  file: LogFile;
}

/** The log's files by version: from the checkpoint that the hint names, or all of them where the hint is of no use. */
async function listLog(table: LakeTable, wanted: number | undefined): Promise<ListedFile[]> {
  const folder = logFolder(table.folder);
  const list = async (after?: string): Promise<ListedFile[]> => {
    const objects = await table.store.list(folder, after === undefined ? {} : { after });
    return objects.flatMap((object) => {
      const file = parseLogFile(object.key.slice(folder.length));
      return file === undefined ? [] : [{ object, file }];
    });
  };
  const hint = await readCheckpointHint(table);
  if (hint !== undefined && (wanted === undefined || wanted >= hint)) {
    const log = await list(`${folder}${formatVersion(hint)}`);
    if (newestCheckpoint(log, wanted ?? Number.MAX_SAFE_INTEGER) !== undefined) return log;
  }
  return await list();
}

/** The newest checkpoint up to a version of which every part is there. */
function newestCheckpoint(
  log: readonly ListedFile[],
  version: number,
): { version: number; keys: string[] } | undefined {
  const complete = new Map<string, { version: number; parts: number; keys: string[] }>();
  for (const { file, object } of log) {
    if (file.kind !== 'checkpoint' || file.version > version) continue;
    const name = `${file.version}/${file.parts}`;
    const found = complete.get(name) ?? { version: file.version, parts: file.parts, keys: [] };
    found.keys.push(object.key);
    complete.set(name, found);
  }
  return [...complete.values()]
    .filter(({ keys, parts }) => keys.length === parts)
    .sort((a, b) => b.version - a.version)[0];
}

function firstCommit(log: readonly ListedFile[]): number {
  return Math.min(...log.filter(({ file }) => file.kind === 'commit').map(({ file }) => file.version));
}

function noVersion(table: LakeTable, version: number, log: readonly ListedFile[]): CdcError {
  const newest = Math.max(...log.map(({ file }) => file.version));
  return new CdcError(
    'lake.no-version',
    `reading ${table.store.location}/${table.folder} at version ${version}: the log has versions up to ${newest}, and old ones are cleaned away`,
    { hint: 'leave the version out to read the newest' },
  );
}

function missing(table: LakeTable, version: number): CdcError {
  return corrupt(
    `${table.store.location}/${commitKey(table.folder, version)}`,
    'it is missing, and later versions build on it',
  );
}

function corrupt(path: string, reason: string, cause?: unknown): CdcError {
  return new CdcError('lake.corrupt', `reading ${path}: ${reason}`, {
    hint: 'bring the file back from a copy, or load the table again with cdc reload',
    cause,
  });
}
