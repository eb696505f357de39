/** `mode: append`: every change stays as a row with `_op`, `_ts`, `_seq`; a load's rows are marked `L`, a truncation is one row `T`. */

import { dmsTime } from '../change-file/dms-epoch.ts';
import { formatChangeNumber } from '../change-number.ts';
import type { LakeColumn } from '../delta/schema.ts';
import { quoteName, quoteText } from '../engine/quote.ts';
import { type Applied, type ApplyOptions, appendRows } from './apply.ts';
import { lakeRowsSql, materialiseFiles } from './find-rows.ts';
import type { Plan } from './ledger.ts';
import { namesSql, nullSql, OURS } from './rows-sql.ts';
import { CHANGES, LOADED } from './stage.ts';

/** `repeats`: some of the changes may be in the table already, or come twice. */
export async function appendHistory(options: ApplyOptions, plan: Plan, repeats: boolean): Promise<Applied> {
  const parts: string[] = [];
  const { epoch, dms } = plan;
  if (plan.kind === 'load' && (epoch !== null || dms !== undefined)) {
    // A load stands at a number, as a change does; no commit time goes with it. One of DMS stands below the changes after it.
    const seq = quoteText(
      epoch !== null
        ? `${'0'.repeat(16)}${formatChangeNumber(epoch.number)}`
        : `${dmsTime(dms?.epoch.started ?? new Date(0))
            .replace('-', '')
            .slice(0, 16)}${'0'.repeat(19)}`,
    );
    const marks = (op: string) => ({ _op: quoteText(op), _ts: 'NULL::TIMESTAMPTZ', _seq: seq });
    parts.push(`SELECT 0::UBIGINT AS ${OURS.number}, ${rowSql(options.columns, marks('L'))} FROM ${LOADED}`);
    if (epoch?.kind === 'truncate') parts.push(`SELECT 0::UBIGINT, ${rowSql(options.columns, marks('T'), true)}`);
  }
  const marks = { _op: OURS.op, _ts: `TRY_CAST(${OURS.ts} AS TIMESTAMPTZ)`, _seq: OURS.seq };
  const changes = `SELECT ${OURS.number}, ${rowSql(options.columns, marks)} FROM ${CHANGES}`;
  parts.push(repeats ? await onceSql(options, changes) : changes);
  const names = options.columns.map(({ lake }) => quoteName(lake)).join(', ');
  return await appendRows(options, `SELECT ${names} FROM (${parts.join(' UNION ALL ')}) ORDER BY ${OURS.number}`);
}

/** A change of DMS is known by its sequence and its row. */
async function onceSql({ table, connection, snapshot, columns }: ApplyOptions, changes: string): Promise<string> {
  const names = namesSql(columns.map(({ lake }) => lake));
  const once = `SELECT min(${OURS.number}) AS ${OURS.number}, ${names} FROM (${changes}) GROUP BY ${names}`;
  const files = await materialiseFiles(table, [...(snapshot?.files.values() ?? [])]);
  if (files.length === 0) return once;
  const there = `SELECT _seq, _op, row(${names}) AS "=row" FROM (${await lakeRowsSql(connection, files, columns)})`;
  return (
    `SELECT c.* FROM (${once}) c ANTI JOIN (${there}) l ON c._seq = l._seq AND c._op = l._op ` +
    `AND row(${columns.map(({ lake }) => `c.${quoteName(lake)}`).join(', ')}) IS NOT DISTINCT FROM l."=row"`
  );
}

function rowSql(columns: readonly LakeColumn[], marks: Record<string, string>, empty = false): string {
  return columns
    .map(({ lake, delta }) => {
      const value = marks[lake] ?? (empty ? nullSql(delta) : quoteName(lake));
      return `${value} AS ${quoteName(lake)}`;
    })
    .join(', ');
}
