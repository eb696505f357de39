/** Rows whose values do not fit their types: an error that names the first, or the quarantine they go to whole. */

import { readFileBytes } from '../change-file/bytes.ts';
import { type ChangeRow, readLaidOutRows } from '../change-file/read.ts';
import { shorten } from '../change-file/row-errors.ts';
import type { EngineConnection } from '../engine/engine.ts';
import { CdcError } from '../errors.ts';
import { whyCut } from './cut-value.ts';
import type { UnfitPolicy } from './ledger.ts';
import { type CsvSource, columnsSql, OURS } from './rows-sql.ts';
import { fitsSql, keyFitsSql, type Numbering, type StageOptions, sameName, textsSql } from './stage.ts';

/** A row that does not fit, as it goes to quarantine: one JSON object a line. */
export interface UnfitRow {
  file: string;
  line: number;
  reason: string;
  op: string | undefined;
  ts: string | undefined;
  seq: string | undefined;
  values: Record<string, string | null>;
}

export interface UnfitOptions extends StageOptions {
  /** For messages: `shop.orders`. */
  tableName: string;
  policy: UnfitPolicy;
}

/**
 * Takes the rows that do not fit out of a staged table and returns them. Throws `row.unfit` under the policy `fail`, and
 * `row.key` whatever the policy: without its key nobody knows what a row would have changed.
 */
export async function takeUnfitRows(
  options: UnfitOptions,
  table: string,
  sources: readonly CsvSource[],
  numbering: Numbering,
): Promise<UnfitRow[]> {
  const { connection, policy } = options;
  const unfit = `NOT (${OURS.fits} AND ${OURS.keyFits})`;
  const files = await connection.rows(`SELECT DISTINCT ${OURS.file} AS file FROM ${table} WHERE ${unfit}`);
  if (files.length === 0) return [];
  const affected = sources.filter(({ path }) => files.some(({ file }) => file === path));
  const taken: UnfitRow[] = [];
  const seen = new Set<string>();
  for (const source of affected)
    for await (const { row, columns } of unfitRowsOf(options, source, numbering)) {
      const reason = reasonOf(source, row, columns);
      const key = options.key.find((name) => columns.some((column) => sameName(name, column)));
      if (key !== undefined || policy === 'fail')
        throw unfitError({
          tableName: options.tableName,
          source,
          row,
          reason,
          key,
          isCut: isCut(source, row, columns),
        });
      // A change in two files of one batch is one row.
      if (row.seq !== undefined && seen.has(row.seq)) continue;
      if (row.seq !== undefined) seen.add(row.seq);
      taken.push(unfitRow(source, row, reason));
    }
  await connection.run(`DELETE FROM ${table} WHERE ${unfit}`);
  return taken;
}

/** Rows of a file that do not fit, each with the lake names of the columns that do not. */
async function* unfitRowsOf(
  options: StageOptions,
  source: CsvSource,
  numbering: Numbering,
): AsyncGenerator<{ row: ChangeRow; columns: string[] }> {
  const places = await unfitPlaces(options.connection, source, numbering, options.key);
  let place = 0;
  for await (const row of readLaidOutRows(readFileBytes(source.path), source.label, source.layout, source.definition)) {
    place++;
    const columns = places.get(place);
    if (columns !== undefined) yield { row, columns };
  }
}

/** By place in the file (from 1): the columns that do not fit. */
async function unfitPlaces(
  connection: EngineConnection,
  source: CsvSource,
  numbering: Numbering,
  key: readonly string[],
): Promise<Map<number, string[]>> {
  const given = columnsSql(source);
  const misfits = given.map(({ column, fits, before }, index) => {
    const was = before === undefined ? '' : ` OR (op = 'U' AND b${index} IS NOT NULL AND NOT ${before.fits})`;
    const misfit = key.some((name) => sameName(name, column.lake))
      ? `t${index} IS NULL OR NOT ${fits}${was}`
      : `NOT ${fits}`;
    return `CASE WHEN ${misfit} THEN ${index} END`;
  });
  const counts =
    numbering.by === 'change'
      ? `(right(seq, 19)::UBIGINT > ${numbering.window.after} AND right(seq, 19)::UBIGINT <= ${numbering.window.end}) AND `
      : '';
  const places = new Map<number, string[]>();
  const sql =
    `SELECT number::VARCHAR AS place, array_to_string([${misfits.join(', ')}], ',') AS columns ` +
    `FROM (${textsSql([source], given, { by: 'place' }, true)}) ` +
    `WHERE ${counts}NOT (${fitsSql(given)} AND ${keyFitsSql(given, key)})`;
  for (const { place, columns } of await connection.rows(sql))
    places.set(
      Number(place),
      String(columns)
        .split(',')
        .filter((index) => index !== '')
        .map((index) => given[Number(index)]?.column.lake ?? ''),
    );
  return places;
}

function reasonOf(source: CsvSource, row: ChangeRow, columns: readonly string[]): string {
  return source.definition.columns
    .flatMap((column, index) => {
      if (!columns.includes(column.lake)) return [];
      const value = row.values[index] ?? null;
      const before = row.before?.[index];
      if (before != null && before !== value)
        return [
          `column ${column.name}: "${shorten(before)}" before and "${shorten(value ?? 'NULL')}" after, as ${column.type}`,
        ];
      return [
        value === null
          ? `column ${column.name}: NULL in the key`
          : (whyCut(source.layout, column, value) ?? `column ${column.name}: "${shorten(value)}" is no ${column.type}`),
      ];
    })
    .join('; ');
}

/** Whether a large value among these columns may be cut. */
function isCut(source: CsvSource, row: ChangeRow, columns: readonly string[]): boolean {
  return source.definition.columns.some(
    (column, index) =>
      columns.includes(column.lake) && whyCut(source.layout, column, row.values[index] ?? '') !== undefined,
  );
}

function unfitRow(source: CsvSource, row: ChangeRow, reason: string): UnfitRow {
  const values = Object.fromEntries(
    source.definition.columns.map((column, index) => [column.name, row.values[index] ?? null]),
  );
  return { file: source.label, line: row.line, reason, op: row.op, ts: row.ts, seq: row.seq, values };
}

function unfitError(unfit: {
  tableName: string;
  source: CsvSource;
  row: ChangeRow;
  reason: string;
  key: string | undefined;
  isCut: boolean;
}): CdcError {
  const { tableName, source, row, reason, key, isCut } = unfit;
  const message = `merging ${tableName}: ${source.label}, line ${row.line}, ${reason}`;
  if (key !== undefined)
    return new CdcError('row.key', message, {
      hint: 'nothing of the batch was applied: a row whose key does not fit cannot be told from others',
    });
  if (isCut)
    return new CdcError('row.unfit', message, {
      hint: `nothing of the batch was applied; cdc replicate has DMS write longer values, then cdc reload ${tableName} (or merge.unfit: quarantine)`,
    });
  return new CdcError('row.unfit', message, {
    hint: 'nothing of the batch was applied; set `merge.unfit: quarantine` in cdc.yaml to set such rows aside',
  });
}
