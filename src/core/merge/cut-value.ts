/** Large values that DMS may have cut: they do not fit (`merge.unfit`), for nobody can tell a cut one from one that is as long. */

import type { FileLayout } from '../change-file/header.ts';
import { CUT_CHARACTER_BYTES, cutLimitOf, isLargeObject } from '../change-file/large-value.ts';
import type { ColumnDefinition } from '../table-definition.ts';

/** Whether the text `t`, a column's name, is no such value; undefined where none of the column can be. As `cutLimitOf` says. */
export function isWholeSql(column: ColumnDefinition, t: string, limits: readonly number[] = []): string | undefined {
  if (limits.length === 0 || !isLargeObject(column)) return undefined;
  const cuts = limits.map((limit) =>
    column.delta === 'binary'
      ? `strlen(${t}) = ${2 * limit}`
      : `strlen(${t}) BETWEEN ${limit - CUT_CHARACTER_BYTES} AND ${limit} OR length(${t}) = ${limit}`,
  );
  return `NOT coalesce(${cuts.join(' OR ')}, false)`;
}

/** Why a value does not fit; undefined when it was not cut. */
export function whyCut(layout: FileLayout, column: ColumnDefinition, value: string): string | undefined {
  const limit = cutLimitOf(column, value, layout.cutAt ?? []);
  return limit === undefined
    ? undefined
    : `column ${column.name}: as long as the longest that DMS writes (LobMaxSize ${limit / 1024} KB), so it may be cut`;
}
