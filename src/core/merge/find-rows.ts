/** Where in the lake the batch's keys are: the files that may hold them by their statistics, then those that do. */

import { duckdbTypeOf } from '../column-type.ts';
import { type AddFile, objectPath } from '../delta/actions.ts';
import type { LakeTable } from '../delta/lake-table.ts';
import { parseRawJson, type RawJson } from '../delta/raw-json.ts';
import type { LakeColumn } from '../delta/schema.ts';
import type { EngineConnection } from '../engine/engine.ts';
import { quoteName, quotePaths, quoteText } from '../engine/quote.ts';
import { CdcError } from '../errors.ts';
import { namesSql, nullSql, OURS } from './rows-sql.ts';
import { LATEST } from './stage.ts';

/** Keys of the batch that are in the lake, with the path of the file that has them. */
export const HOMES = '"=homes"';

/** A live data file on this machine. */
export interface DataFile {
  add: AddFile;
  path: string;
}

export async function materialiseFiles(table: LakeTable, adds: readonly AddFile[]): Promise<DataFile[]> {
  return await Promise.all(
    adds.map(async (add) => {
      const below = objectPath(add.path);
      if (below === undefined) throw new Error(`${add.path} lies outside of the table`);
      return { add, path: await table.store.materialise(`${table.folder}${below}`) };
    }),
  );
}

/** The rows of data files with the table's columns in their types, NULL where a file is older than a column, and `=file`. */
export async function lakeRowsSql(
  connection: EngineConnection,
  files: readonly DataFile[],
  columns: readonly LakeColumn[],
): Promise<string> {
  const read = `read_parquet(${quotePaths(files.map(({ path }) => path))}, filename='=file', hive_partitioning=false, union_by_name=true)`;
  const present = new Set(
    (await connection.rows(`DESCRIBE SELECT * FROM ${read}`)).map((column) => String(column.column_name).toLowerCase()),
  );
  const values = columns.map(({ lake, delta }) =>
    present.has(lake.toLowerCase())
      ? `${quoteName(lake)}::${duckdbTypeOf(delta)} AS ${quoteName(lake)}`
      : `${nullSql(delta)} AS ${quoteName(lake)}`,
  );
  return `SELECT ${values.join(', ')}, ${OURS.file} FROM ${read}`;
}

/** Files whose statistics do not rule out that they hold a key of the batch. */
export async function candidateFiles(
  connection: EngineConnection,
  adds: readonly AddFile[],
  key: readonly LakeColumn[],
): Promise<AddFile[]> {
  if (adds.length === 0) return [];
  const bound = (text: string | undefined, { delta }: LakeColumn) =>
    text === undefined ? nullSql(delta) : `TRY_CAST(${quoteText(text)} AS ${duckdbTypeOf(delta)})`;
  // Spark cuts a timestamp's greatest value to the millisecond, downwards.
  const upper = (text: string | undefined, column: LakeColumn) =>
    column.delta === 'timestamp' ? `${bound(text, column)} + INTERVAL 1 MILLISECOND` : bound(text, column);
  const rows = adds.map((add, index) => {
    const bounds = boundsOf(add);
    const values = key.map((column) => {
      const { min, max } = bounds(column);
      return `${bound(min, column)}, ${upper(max, column)}`;
    });
    return `(${index}, ${values.join(', ')})`;
  });
  const names = key.map((_, index) => `lo${index}, hi${index}`).join(', ');
  const within = key.map(
    ({ lake }, index) =>
      `(lo${index} IS NULL OR hi${index} IS NULL OR (l.${quoteName(lake)} >= lo${index} AND l.${quoteName(lake)} <= hi${index}))`,
  );
  const found = await connection.rows(
    `SELECT DISTINCT file FROM (VALUES ${rows.join(', ')}) ranges(file, ${names}) SEMI JOIN ${LATEST} l ON ${within.join(' AND ')}`,
  );
  return found.flatMap(({ file }) => adds[Number(file)] ?? []);
}

/** Minimum and maximum of a column in a file as texts; undefined where the log does not say them exactly enough. */
function boundsOf(add: AddFile): (column: LakeColumn) => { min: string | undefined; max: string | undefined } {
  const stats = parseStats(add);
  const of = (which: 'minValues' | 'maxValues', { lake }: LakeColumn): string | undefined => {
    const values = stats?.[which];
    if (typeof values !== 'object' || values === null || Array.isArray(values)) return undefined;
    const value = values[lake];
    return typeof value === 'string' || typeof value === 'bigint' || typeof value === 'number'
      ? String(value)
      : undefined;
  };
  return (column) => ({ min: of('minValues', column), max: of('maxValues', column) });
}

/** A string, which is left as it is, or a number with a fraction. */
const STRING_OR_FRACTION = /"(?:[^"\\]|\\.)*"|-?\d+\.\d+(?:[eE][+-]?\d+)?/gs;

/** Fractions stay texts: a decimal of more digits than a JavaScript number holds would be rounded, and a key missed. */
function parseStats(add: AddFile): { [name: string]: RawJson } | undefined {
  try {
    const exact = (add.stats ?? 'null').replace(STRING_OR_FRACTION, (token) =>
      token.startsWith('"') ? token : `"${token}"`,
    );
    const stats = parseRawJson(exact);
    return typeof stats === 'object' && stats !== null && !Array.isArray(stats) ? stats : undefined;
  } catch {
    return undefined;
  }
}

/** Rows of a data file, by its statistics; undefined when its writer did not say. */
export function rowsOf(add: AddFile): number | undefined {
  const records = parseStats(add)?.numRecords;
  return typeof records === 'number' ? records : undefined;
}

/** Finds which candidates really hold keys of the batch, and which keys. Throws `lake.double-key` when one is there twice. */
export async function findHomes(
  connection: EngineConnection,
  candidates: readonly DataFile[],
  key: readonly LakeColumn[],
  tableName: string,
): Promise<DataFile[]> {
  const names = key.map(({ lake }) => lake);
  const rows =
    candidates.length === 0
      ? `SELECT ${namesSql(names)}, ''::VARCHAR AS ${OURS.file} FROM ${LATEST} WHERE false`
      : `SELECT r.* FROM (${await lakeRowsSql(connection, candidates, key)}) r SEMI JOIN ${LATEST} USING (${namesSql(names)})`;
  await connection.run(`CREATE OR REPLACE TEMP TABLE ${HOMES} AS ${rows}`);
  const [counts] = await connection.rows(
    `SELECT count(*) AS rows, (SELECT count(*) FROM (SELECT DISTINCT ${namesSql(names)} FROM ${HOMES})) AS keys FROM ${HOMES}`,
  );
  if (counts?.rows !== counts?.keys)
    throw new CdcError('lake.double-key', `merging ${tableName}: the lake table has rows with the same key`, {
      hint: `someone else has written to it; load the table again: cdc reload ${tableName}`,
    });
  const touched = await connection.rows(`SELECT DISTINCT ${OURS.file} AS file FROM ${HOMES}`);
  const paths = new Set(touched.map(({ file }) => file));
  return candidates.filter(({ path }) => paths.has(path));
}
