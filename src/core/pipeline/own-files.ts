/** Which files of staging and lake a pipeline wrote: known by what only it writes. Anything else somebody put there, and it stays. */

import { readdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { TableName } from '../change.ts';
import { batchFolder, nameOfFolder, tableFolder } from '../change-file/layout.ts';
import { isOurFileName, loadNumberOf } from '../change-file/name.ts';
import { nativeCodeOf } from '../errors.ts';
import { parsePlan } from '../merge/ledger.ts';
import { TEMPORARY } from '../store/key.ts';
import type { Store } from '../store/store.ts';
import type { Pipeline } from './pipeline.ts';

const OUR_HEADER = 'Op,cdc_ts,';

/** Everything under `_cdc/`, and the change and load files of tables that have a definition there. */
export async function stagingKeys(staging: Store): Promise<string[]> {
  const all = (await staging.list('')).map(({ key }) => key);
  const folders = new Set(all.flatMap((key) => /^_cdc\/tables\/([^/]+\/[^/]+\/)/.exec(key)?.[1] ?? []));
  const isOurs = async (key: string): Promise<boolean> => {
    if (key.startsWith('_cdc/')) return true;
    const folder = `${key.split('/').slice(0, 2).join('/')}/`;
    const name = key.slice(folder.length);
    const isNamed = isOurFileName(name) || loadNumberOf(name) !== undefined;
    return folders.has(folder) && isNamed && (await hasOurHeader(staging, key));
  };
  const keys: string[] = [];
  for (const some of inTurns(all)) {
    const ours = await Promise.all(some.map(isOurs));
    keys.push(...some.filter((_, index) => ours[index]));
  }
  return keys;
}

/** So many at a time: in a bucket each is a question of its own. */
function* inTurns(keys: readonly string[], atATime = 32): Generator<string[]> {
  for (let start = 0; start < keys.length; start += atATime) yield keys.slice(start, start + atATime);
}

/** DMS and others give their files the same names. */
async function hasOurHeader(staging: Store, key: string): Promise<boolean> {
  return (await staging.getRange(key, 0, OUR_HEADER.length)).toString() === OUR_HEADER;
}

/** The marker, and the files of the Delta tables that this pipeline's plans name as its own. */
export async function lakeKeys(pipeline: Pipeline): Promise<string[]> {
  const keys = (await pipeline.lake.list('_cdc/')).map(({ key }) => key);
  for (const table of await lakeTables(pipeline)) {
    const folder = tableFolder(table);
    const isOurs = (name: string) => /^(_cdc|_delta_log)\//.test(name) || /^[^/]+\.parquet$/.test(name);
    for (const { key } of await pipeline.lake.list(folder)) if (isOurs(key.slice(folder.length))) keys.push(key);
  }
  return keys;
}

/** The lake's tables that this pipeline keeps; a Delta table that somebody else put into the folder is none. */
export async function lakeTables(pipeline: Pipeline): Promise<TableName[]> {
  const own: TableName[] = [];
  for (const table of await candidates(pipeline.lake)) {
    const plan = (await pipeline.lake.list(batchFolder(table))).at(-1);
    if (plan === undefined) continue;
    if (appIdOf(await pipeline.lake.get(plan.key)) === pipeline.mergeOf(table).appId) own.push(table);
  }
  return own;
}

/** Also those whose log is gone already: an earlier `destroy` was interrupted. */
async function candidates(lake: Store): Promise<TableName[]> {
  const found: TableName[] = [];
  for (const schema of await lake.listFolders(''))
    for (const table of schema === '_cdc' || schema.startsWith('.') ? [] : await lake.listFolders(`${schema}/`))
      found.push({ schema: nameOfFolder(schema), table: nameOfFolder(table) });
  return found;
}

function appIdOf(plan: Buffer): string | undefined {
  try {
    return parsePlan(plan.toString()).appId;
  } catch {
    return undefined;
  }
}

/**
 * Deletes the files, what tells that they are ours (`_cdc/`) after the others and the marker last, so that a second try still
 * knows its own; then the folders that this left empty.
 */
export async function deleteKeys(store: Store, keys: readonly string[], marker: string): Promise<void> {
  const rank = (key: string) => (key === marker ? 2 : key.startsWith('_cdc/') || key.includes('/_cdc/') ? 1 : 0);
  const atATime = store.kind === 'folder' ? 1 : 32;
  for (const turn of [0, 1, 2])
    for (const some of inTurns(
      keys.filter((key) => rank(key) === turn),
      atATime,
    )) {
      // All have ended before one that failed ends it.
      const ended = await Promise.allSettled(some.map((key) => store.delete(key)));
      for (const one of ended) if (one.status === 'rejected') throw one.reason;
    }
  await store.sweep(0);
  if (store.kind === 'folder') await removeEmptyFolders(store, keys);
}

async function removeEmptyFolders(store: Store, keys: readonly string[]): Promise<void> {
  const folders = new Set<string>();
  // A table's folder may have lost its files to an earlier try; its definitions still tell of it.
  for (const key of keys.flatMap((one) => [one, one.replace(/^_cdc\/tables\//, '')]))
    for (let end = key.lastIndexOf('/'); end > 0; end = key.lastIndexOf('/', end - 1)) folders.add(key.slice(0, end));
  for (const name of await readdir(store.location).catch(() => [])) if (name.startsWith(TEMPORARY)) folders.add(name);
  // The deepest first.
  const depth = (folder: string) => folder.split('/').length;
  for (const folder of [...folders].sort((a, b) => depth(b) - depth(a)))
    await removeEmpty(join(store.location, folder));
  await removeEmpty(store.location);
}

async function removeEmpty(folder: string): Promise<void> {
  await rmdir(folder).catch((error: unknown) => {
    if (!['ENOTEMPTY', 'EEXIST', 'ENOENT', 'ENOTDIR'].includes(nativeCodeOf(error) ?? '')) throw error;
  });
}
