/** `mode: append`: every change stays as a row with `_op`, `_ts`, `_seq`; a load's rows are marked `L`, a truncation is one row `T`. */

import { formatChangeNumber } from '../change-number.ts';
import type { LakeColumn } from '../delta/schema.ts';
import { quoteName, quoteText } from '../engine/quote.ts';
import { type Applied, type ApplyOptions, appendRows } from './apply.ts';
import type { Plan } from './ledger.ts';
import { nullSql, OURS } from './rows-sql.ts';
import { CHANGES, LOADED } from './stage.ts';

export async function appendHistory(options: ApplyOptions, plan: Plan): Promise<Applied> {
  const parts: string[] = [];
  const { epoch } = plan;
  if (epoch !== null && plan.kind === 'load') {
    // A load stands at a number, as a change does; no commit time goes with it.
    const seq = quoteText(`${'0'.repeat(16)}${formatChangeNumber(epoch.number)}`);
    const marks = (op: string) => ({ _op: quoteText(op), _ts: 'NULL::TIMESTAMPTZ', _seq: seq });
    parts.push(`SELECT 0::UBIGINT AS ${OURS.number}, ${rowSql(options.columns, marks('L'))} FROM ${LOADED}`);
    if (epoch.kind === 'truncate') parts.push(`SELECT 0::UBIGINT, ${rowSql(options.columns, marks('T'), true)}`);
  }
  const marks = { _op: OURS.op, _ts: `TRY_CAST(${OURS.ts} AS TIMESTAMPTZ)`, _seq: OURS.seq };
  parts.push(`SELECT ${OURS.number}, ${rowSql(options.columns, marks)} FROM ${CHANGES}`);
  const names = options.columns.map(({ lake }) => quoteName(lake)).join(', ');
  return await appendRows(options, `SELECT ${names} FROM (${parts.join(' UNION ALL ')}) ORDER BY ${OURS.number}`);
}

function rowSql(columns: readonly LakeColumn[], marks: Record<string, string>, empty = false): string {
  return columns
    .map(({ lake, delta }) => {
      const value = marks[lake] ?? (empty ? nullSql(delta) : quoteName(lake));
      return `${value} AS ${quoteName(lake)}`;
    })
    .join(', ');
}
