/** Reads a batch's files into tables of the engine: checked whole, cast to the lake's types, reduced to the last change per key. */

import { randomUUID } from 'node:crypto';
import type { ChangeNumber } from '../change-number.ts';
import type { LakeColumn } from '../delta/schema.ts';
import type { EngineConnection } from '../engine/engine.ts';
import { EngineFailure } from '../engine/engine-error.ts';
import { quoteName, quoteText, quoteTexts } from '../engine/quote.ts';
import { messageOf } from '../errors.ts';
import { explainUnreadable } from './explain-unreadable.ts';
import {
  type ColumnSql,
  type CsvSource,
  columnsSql,
  columnTypesSql,
  fieldSql,
  namesSql,
  nullSql,
  OURS,
  readCsvSql,
} from './rows-sql.ts';

/** Tables that staging makes, private to the connection. */
export const CHANGES = '"=changes"';
export const LOADED = '"=loaded"';
/** The last change of each key. */
export const LATEST = '"=latest"';

export interface StageOptions {
  connection: EngineConnection;
  /** Columns of the lake table after the batch. */
  columns: readonly LakeColumn[];
  /** Lake names of the key. */
  key: readonly string[];
}

/** Changes of ours whose number is above `after` and up to `end` count. */
export interface NumberWindow {
  after: ChangeNumber;
  end: ChangeNumber;
  /** Numbers that no file holds. */
  taken: ReadonlySet<ChangeNumber>;
}

/**
 * What a row's number is: that of a change, its place in the file, its place in the files one after another (`file`: how
 * many came before), or none where the order does not matter (a load).
 */
export type Numbering =
  | { by: 'change'; window: NumberWindow }
  | { by: 'place' }
  | { by: 'order'; file: number }
  | { by: 'nothing' };

/** Makes an empty table for rows of change or load files. */
export async function createRowTable({ connection, columns }: StageOptions, table: string): Promise<void> {
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE ${table} (${OURS.number} UBIGINT, ${OURS.op} VARCHAR, ${OURS.ts} VARCHAR, ${OURS.seq} VARCHAR, ` +
      `${OURS.file} VARCHAR, ${OURS.fits} BOOLEAN, ${OURS.keyFits} BOOLEAN, ${columnTypesSql(columns)})`,
  );
}

/** Reads files into a table, those of one layout and definition at once. Throws CdcError `file.*` naming file and line. */
export async function stageFiles(
  options: StageOptions,
  table: string,
  sources: readonly CsvSource[],
  numbering: Numbering,
): Promise<void> {
  const numbered = numbering.by === 'change';
  const groups = numbering.by === 'order' ? sources.map((source) => [source]) : groupAlike(sources);
  for (const [index, group] of groups.entries()) {
    const how: Numbering = numbering.by === 'order' ? { by: 'order', file: numbering.file + index } : numbering;
    const insert = (longRows: boolean) => `INSERT INTO ${table} ${rowsSql(options, group, how, longRows)}`;
    try {
      await options.connection.run(insert(false)).catch((error: unknown) => {
        if (!isLongRow(error)) throw error;
        return options.connection.run(insert(true));
      });
    } catch (error) {
      if (!(error instanceof EngineFailure)) throw error;
      throw await explainUnreadable(group, numbered, error);
    }
  }
  const [strange] = await options.connection.rows(
    `SELECT DISTINCT ${OURS.file} AS file FROM ${table} WHERE ${OURS.number} IS NULL OR ${OURS.op} IS NULL OR ${OURS.op} NOT IN ('I', 'U', 'D') LIMIT 1`,
  );
  if (strange !== undefined) {
    const suspects = sources.filter(({ path }) => path === strange.file);
    throw await explainUnreadable(suspects, numbered, new Error('a row has no Op or no number'));
  }
}

function isLongRow(error: unknown): boolean {
  return error instanceof EngineFailure && /maximum line size/i.test(messageOf(error.cause));
}

function groupAlike(sources: readonly CsvSource[]): CsvSource[][] {
  const groups = new Map<string, CsvSource[]>();
  for (const source of sources) {
    const { hasHeader, fields, null: nullRule, cutAt } = source.layout;
    const alike = JSON.stringify([
      hasHeader,
      fields,
      nullRule,
      cutAt,
      source.path.endsWith('.gz'),
      source.definition.columns.map(({ name, type, lake, nullable }) => [name, type, lake, nullable]),
      source.definition.zeroDates,
    ]);
    groups.set(alike, [...(groups.get(alike) ?? []), source]);
  }
  return [...groups.values()];
}

function rowsSql(options: StageOptions, group: readonly CsvSource[], numbering: Numbering, longRows: boolean): string {
  const [first] = group;
  if (first === undefined) throw new Error('no file to stage');
  const given = columnsSql(first);
  const moved = numbering.by === 'order' ? movedSql(given, options.key) : undefined;
  const values = options.columns.map((target) => {
    const found = given.find(({ column }) => sameName(column.lake, target.lake));
    const name = quoteName(target.lake);
    if (found === undefined) return `${nullSql(target.delta)} AS ${name}`;
    if (moved === undefined || found.before === undefined) return `${found.value} AS ${name}`;
    return `CASE WHEN part = 0 THEN ${found.before.value} ELSE ${found.value} END AS ${name}`;
  });
  const marks = `ts, seq, ${OURS.file}, ${fitsSql(given)}, ${keyFitsSql(given, options.key)}`;
  const rows = `(${textsSql(group, given, numbering, longRows)})`;
  if (moved === undefined) return `SELECT number, op, ${marks}, ${values.join(', ')} FROM ${rows}`;
  // An update that moves a row to another key is D of the old key, then I of the new one.
  return (
    `SELECT number - 1 + part, CASE WHEN part = 0 THEN 'D' WHEN ${moved} THEN 'I' ELSE op END, ${marks}, ` +
    `${values.join(', ')} FROM ${rows} CROSS JOIN (VALUES (0), (1)) parts(part) WHERE part = 1 OR ${moved}`
  );
}

/** Whether an update has changed the key; undefined where the file does not say what it was. */
function movedSql(given: readonly ColumnSql[], key: readonly string[]): string | undefined {
  const parts = given.flatMap(({ column, value, before }, index) =>
    before === undefined || !key.some((name) => sameName(name, column.lake))
      ? []
      : [`(b${index} IS NOT NULL AND ${before.value} IS DISTINCT FROM ${value})`],
  );
  return parts.length === 0 ? undefined : `(op = 'U' AND (${parts.join(' OR ')}))`;
}

/** `number`, `op`, `ts`, `seq`, the file, and every column's text as `t<index>`. */
export function textsSql(
  group: readonly CsvSource[],
  given: readonly ColumnSql[],
  numbering: Numbering,
  longRows: boolean,
): string {
  const [first] = group;
  if (first === undefined) throw new Error('no file to read');
  const { layout } = first;
  const seq = fieldSql(layout, 'number', 'NULL::VARCHAR');
  const numbers = {
    change: `CASE WHEN regexp_full_match(${seq}, '[0-9]{35}') THEN TRY_CAST(right(${seq}, 19) AS UBIGINT) END`,
    place: 'row_number() OVER ()',
    // Odd: an update that moves its row needs a number before its own.
    order: `${numbering.by === 'order' ? BigInt(numbering.file) << 41n : 0n}::UBIGINT + 2 * row_number() OVER () + 1`,
    nothing: '0',
  };
  // No file holds this text, so nothing is NULL but what our own rule makes so.
  const nullText = `null ${randomUUID()}`;
  const read = readCsvSql(group, { nullText, ordered: numbering.by === 'place' || numbering.by === 'order', longRows });
  const texts = given
    .flatMap(({ text, before }, index) => [
      `${text} AS t${index}`,
      ...(before === undefined ? [] : [`${before.text} AS b${index}`]),
    ])
    .join(', ');
  const rows =
    `SELECT ${numbers[numbering.by]} AS number, ${fieldSql(layout, 'op', `'I'`)} AS op, ` +
    `${fieldSql(layout, 'time', 'NULL::VARCHAR')} AS ts, ${seq} AS seq, ${OURS.file}, ${texts} FROM ${read}`;
  if (numbering.by !== 'change') return rows;
  const { after, end } = numbering.window;
  return `SELECT * FROM (${rows}) WHERE number IS NULL OR (number > ${after} AND number <= ${end})`;
}

export function fitsSql(given: readonly ColumnSql[]): string {
  return `(${given.map(({ fits }) => fits).join(' AND ') || 'true'})`;
}

export function keyFitsSql(given: readonly ColumnSql[], key: readonly string[]): string {
  const parts = given
    .map(({ column, fits, before }, index) => {
      const was = before === undefined ? '' : ` AND (op <> 'U' OR b${index} IS NULL OR ${before.fits})`;
      return { column, sql: `t${index} IS NOT NULL AND ${fits}${was}` };
    })
    .filter(({ column }) => key.some((name) => sameName(name, column.lake)));
  return `(${parts.map(({ sql }) => sql).join(' AND ') || 'true'})`;
}

/** Column names differ, for the lake as for MySQL, only when they differ without case. */
export function sameName(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

/** Keeps of the changes the last of each key. Keys are compared by the bytes of their cast values. */
export async function reduceToLatest({ connection, key }: StageOptions): Promise<void> {
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE ${LATEST} AS SELECT c.* FROM ${CHANGES} c SEMI JOIN ` +
      `(SELECT max(${OURS.number}) AS ${OURS.number} FROM ${CHANGES} GROUP BY ${namesSql(key)}) USING (${OURS.number})`,
  );
}

/** Rows of these files. */
export async function countRows(
  connection: EngineConnection,
  table: string,
  sources: readonly CsvSource[],
  numbering?: Numbering,
): Promise<number[]> {
  // What a row was before it moved is no row of its own.
  const counts = numbering?.by === 'order' ? ` AND ${OURS.number} % 2 = 1` : '';
  const rows = await connection.rows(
    `SELECT ${OURS.file} AS file, count(*) AS rows FROM ${table} WHERE ${OURS.file} IN (SELECT unnest(${quoteTexts(sources.map(({ path }) => path))}))${counts} GROUP BY ALL`,
  );
  return sources.map(({ path }) => Number(rows.find(({ file }) => file === path)?.rows ?? 0));
}

/** Whether a load has a key twice. */
export async function findDoubleKey({ connection, key }: StageOptions): Promise<string | undefined> {
  const names = namesSql(key);
  const [counts] = await connection.rows(
    `SELECT count(*) AS rows, (SELECT count(*) FROM (SELECT DISTINCT ${names} FROM ${LOADED})) AS keys FROM ${LOADED}`,
  );
  if (counts?.rows === counts?.keys) return undefined;
  const [double] = await connection.rows(
    `SELECT concat_ws(${quoteText(', ')}, ${names}) AS key FROM ${LOADED} GROUP BY ${names} HAVING count(*) > 1 LIMIT 1`,
  );
  return String(double?.key);
}
