/** Turns a staged batch into data files and the actions of one commit: only files that hold a changed key are written anew. */

import type { AddFile, RemoveFile } from '../delta/actions.ts';
import { removeOf } from '../delta/create-table.ts';
import type { LakeTable } from '../delta/lake-table.ts';
import { type LakeColumn, parseSchema } from '../delta/schema.ts';
import type { Snapshot } from '../delta/snapshot.ts';
import { writeDataFiles } from '../delta/write-parquet.ts';
import type { EngineConnection } from '../engine/engine.ts';
import { quoteTexts } from '../engine/quote.ts';
import { candidateFiles, type DataFile, findHomes, HOMES, lakeRowsSql, materialiseFiles, rowsOf } from './find-rows.ts';
import { namesSql, OURS } from './rows-sql.ts';
import { LATEST, LOADED } from './stage.ts';

/** How large data files are. */
export interface DataFileSizes {
  /** Files below this are rewritten together and take the new rows, so that small files do not pile up; 16 MiB unless told. */
  smallBytes?: number;
  /** Where a file ends; 96 MiB unless told. */
  targetBytes?: number;
}

const SMALL_FILE_BYTES = 16 * 1024 * 1024;

export interface ApplyOptions {
  table: LakeTable;
  /** For messages. */
  tableName: string;
  connection: EngineConnection;
  /** undefined: the table is made by this commit. */
  snapshot: Snapshot | undefined;
  columns: readonly LakeColumn[];
  key: readonly LakeColumn[];
  sizes?: DataFileSizes | undefined;
  now: Date;
}

export interface Applied {
  adds: AddFile[];
  removes: RemoveFile[];
  inserted: number;
  updated: number;
  deleted: number;
}

/** Upserts and deletes the latest changes in the table as it is. */
export async function applyChanges(options: ApplyOptions): Promise<Applied> {
  const { table, tableName, connection, snapshot, key, now } = options;
  const live = [...(snapshot?.files.values() ?? [])];
  const candidates = await materialiseFiles(table, await candidateFiles(connection, live, key));
  const touched = await findHomes(connection, candidates, key, tableName);
  const counts = await countEffects(connection, key);

  const smallBytes = options.sizes?.smallBytes ?? SMALL_FILE_BYTES;
  const isSmall = ({ add }: DataFile) => add.size < smallBytes;
  const together = touched.filter(isSmall);
  if (counts.inserted > 0 && together.length === 0) {
    const small = live.filter((add) => add.size < smallBytes).sort((a, b) => a.size - b.size)[0];
    if (small !== undefined) together.push(...(await materialiseFiles(table, [small])));
  }
  const alone = touched.filter((file) => !isSmall(file));
  const adds: AddFile[] = [];
  // A large file keeps its range of keys: its rows stay in it, so that later batches find few files by their statistics.
  for (const file of alone) adds.push(...(await rewrite(options, [file], false)));
  if (together.length > 0 || counts.inserted > 0) adds.push(...(await rewrite(options, together, counts.inserted > 0)));
  return { adds, removes: [...alone, ...together].map(({ add }) => removeOf(add, now)), ...counts };
}

/** Keys that were really there decide what was an insert, an update or a delete. */
async function countEffects(
  connection: EngineConnection,
  key: readonly LakeColumn[],
): Promise<{ inserted: number; updated: number; deleted: number }> {
  const using = `USING (${namesSql(key.map(({ lake }) => lake))})`;
  const [counts] = await connection.rows(
    `SELECT (SELECT count(*) FROM ${LATEST} l ANTI JOIN ${HOMES} h ${using} WHERE l.${OURS.op} <> 'D') AS inserted, ` +
      `(SELECT count(*) FROM ${LATEST} l SEMI JOIN ${HOMES} h ${using} WHERE l.${OURS.op} <> 'D') AS updated, ` +
      `(SELECT count(*) FROM ${LATEST} l SEMI JOIN ${HOMES} h ${using} WHERE l.${OURS.op} = 'D') AS deleted`,
  );
  return {
    inserted: Number(counts?.inserted ?? 0),
    updated: Number(counts?.updated ?? 0),
    deleted: Number(counts?.deleted ?? 0),
  };
}

/** New files for the rows of some files with the batch applied, and for rows that are in no file yet. */
async function rewrite(options: ApplyOptions, files: readonly DataFile[], withNew: boolean): Promise<AddFile[]> {
  const { connection, columns } = options;
  const key = namesSql(options.key.map(({ lake }) => lake));
  const names = namesSql(columns.map(({ lake }) => lake));
  const parts: string[] = [];
  if (files.length > 0) {
    const paths = quoteTexts(files.map(({ path }) => path));
    parts.push(
      `SELECT ${names} FROM (${await lakeRowsSql(connection, files, columns)}) r ANTI JOIN ${LATEST} l USING (${key})`,
      `SELECT ${names} FROM ${LATEST} l SEMI JOIN (SELECT * FROM ${HOMES} WHERE list_contains(${paths}, ${OURS.file})) h USING (${key}) WHERE l.${OURS.op} <> 'D'`,
    );
  }
  if (withNew)
    parts.push(`SELECT ${names} FROM ${LATEST} l ANTI JOIN ${HOMES} h USING (${key}) WHERE l.${OURS.op} <> 'D'`);
  return await writeSorted(options, parts.join(' UNION ALL '));
}

async function writeSorted(options: ApplyOptions, select: string): Promise<AddFile[]> {
  const { table, connection, columns, sizes, now } = options;
  const key = options.key.map(({ lake }) => lake);
  return await writeDataFiles(table, connection, {
    select: key.length === 0 ? select : `SELECT * FROM (${select}) ORDER BY ${namesSql(key)}`,
    columns,
    key,
    ...(sizes?.targetBytes === undefined ? {} : { targetFileBytes: sizes.targetBytes }),
    now,
  });
}

/** A load or truncation with the changes after it: all files go, the new rows come, in one commit. */
export async function replaceTable(options: ApplyOptions): Promise<Applied> {
  const { snapshot, columns, key, now } = options;
  const keyNames = namesSql(key.map(({ lake }) => lake));
  const names = namesSql(columns.map(({ lake }) => lake));
  const loaded = `SELECT ${names} FROM ${LOADED} ANTI JOIN ${LATEST} USING (${keyNames})`;
  const changed = `SELECT ${names} FROM ${LATEST} WHERE ${OURS.op} <> 'D'`;
  const adds = await writeSorted(options, `${loaded} UNION ALL ${changed}`);
  const live = [...(snapshot?.files.values() ?? [])];
  const after = sumRows(adds);
  const before = sumRows(live);
  const common = before === 0 || after === 0 ? 0 : await countCommon(options, live, `${loaded} UNION ALL ${changed}`);
  return {
    adds,
    removes: live.map((add) => removeOf(add, now)),
    inserted: after - common,
    updated: common,
    deleted: before - common,
  };
}

/** Keys that are there before and after. */
async function countCommon(options: ApplyOptions, live: readonly AddFile[], after: string): Promise<number> {
  const { table, connection, snapshot, key } = options;
  const names = key.map(({ lake }) => lake);
  const files = await materialiseFiles(table, live);
  // The key may be another since: then no row is the same.
  const before = snapshot === undefined ? [] : parseSchema(snapshot.metaData.schemaString);
  const isSameKey = key.every(({ lake, delta }) =>
    before.some((field) => field.name === lake && field.delta === delta),
  );
  if (key.length === 0 || !isSameKey) return 0;
  const [counts] = await connection.rows(
    `SELECT count(*) AS common FROM (${after}) n SEMI JOIN (${await lakeRowsSql(connection, files, key)}) o USING (${namesSql(names)})`,
  );
  return Number(counts?.common ?? 0);
}

export function sumRows(adds: readonly AddFile[]): number {
  return adds.reduce((sum, add) => sum + (rowsOf(add) ?? 0), 0);
}

/** Keeps rows as they come, as new files beside the old ones. */
export async function appendRows(options: ApplyOptions, select: string): Promise<Applied> {
  const adds = await writeSorted({ ...options, key: [] }, select);
  return { adds, removes: [], inserted: sumRows(adds), updated: 0, deleted: 0 };
}
