/** Compares one table's rows as a snapshot of the source has them with the newest version of its lake table, in the engine. */

import { formatTableName } from '../change.ts';
import { ourLayout } from '../change-file/header.ts';
import { changeNumber } from '../change-number.ts';
import { parseSchema } from '../delta/schema.ts';
import type { Engine, EngineConnection } from '../engine/engine.ts';
import { quoteName } from '../engine/quote.ts';
import { CdcError } from '../errors.ts';
import { type Plan, readState } from '../merge/ledger.ts';
import { countQuarantined } from '../merge/quarantine.ts';
import { OURS } from '../merge/rows-sql.ts';
import { createRowTable, type StageOptions, sameName, stageFiles } from '../merge/stage.ts';
import type { Progress } from '../progress.ts';
import { createView, type FoundTable, readLakeTables } from '../query/lake-views.ts';
import type { LoadableTable, Snapshot } from '../snapshot/snapshot.ts';
import type { Store } from '../store/store.ts';
import type { TableDefinition } from '../table-definition.ts';
import { DIFFERENCES, isAmongEarlier, isNoOlder, keepDifferences, onlyKeys, SIDES } from './earlier-look.ts';
import type { DifferenceKind, TableVerdict, WrongRow } from './verdict.ts';
import { type Place, stageWrittenKeys, WRITTEN } from './written-keys.ts';

export interface CompareOptions {
  snapshot: Snapshot;
  table: LoadableTable;
  staging: Store;
  lake: Store;
  /** Of the table's merges. */
  appId: string;
  judge: Judge;
  /** Where the source's rows are put for the time of the comparison. */
  scratch: Store;
  engine: Engine;
  maxFileBytes: number;
  signal: AbortSignal;
  progress: Progress;
}

/** What makes a difference one that counts; any other may be due to what was written meanwhile. */
export type Judge =
  /** Its key was not written since this place in the table's history, which is older than the snapshot. */
  | { by: 'position'; since: Place | undefined }
  /** An earlier look has seen the very same on both sides. `keep`: where this look's differences are put for the next. */
  | { by: 'time'; earlier: string | undefined; keep: string };

const SOURCE = '"=source"';
const KEYS_SHOWN = 10;

export async function compareTable(options: CompareOptions): Promise<TableVerdict> {
  const { snapshot, table, lake, scratch, engine, judge, signal, progress } = options;
  const [found] = await readLakeTables(lake, engine, [table.name]);
  const state = found && (await readState(lake, table.name, found.snapshot, options.appId));
  const definition = asInLake(table.define(changeNumber(1, 0)), state?.definition);
  if (definition.key.length === 0) throw notComparable(definition, 'it has no key');
  const key = definition.key.map((name) => lakeColumn(definition, name));
  const names = key.map(({ lake: name }) => name);
  const earlier = judge.by === 'time' ? judge.earlier : undefined;
  return engine.withConnection(async (connection) => {
    const files = await snapshot.loadTable({
      definition,
      where: earlier === undefined ? undefined : await onlyKeys(connection, earlier, key),
      staging: scratch,
      maxFileBytes: options.maxFileBytes,
      signal,
      progress,
    });
    const sources = await Promise.all(
      files.map(async ({ key, size }) => ({
        label: key,
        path: await scratch.materialise(key),
        size,
        layout: ourLayout(definition.columns.length),
        definition,
      })),
    );
    const target: StageOptions = { connection, columns: definition.columns, key: names };
    await createRowTable(target, SOURCE);
    await stageFiles(target, SOURCE, sources, { by: 'nothing' });
    let lakeSql = found === undefined ? undefined : await lakeRowsSql(connection, options.lake, found, definition);
    if (earlier !== undefined) {
      const isAsked = isAmongEarlier(earlier, names);
      await connection.run(`DELETE FROM ${SOURCE} WHERE NOT ${isAsked}`);
      if (lakeSql !== undefined) lakeSql = `SELECT * FROM (${lakeSql}) WHERE ${isAsked}`;
    }
    const written =
      judge.by === 'time' ? isNoOlder(earlier) : await isWritten(options, judge.since, connection, definition, state);
    await findDifferences(connection, definition, names, lakeSql, { written, isOfDms: judge.by === 'time' });
    if (judge.by === 'time') await keepDifferences(connection, names, judge.keep);
    return {
      ...table.name,
      ...(await summary(connection, lakeSql)),
      quarantined: state === undefined ? 0 : await countQuarantined(lake, state),
      error: null,
    };
  });
}

/** The source's columns as the lake table has them: under its names and key, and with its rule for zero dates. */
function asInLake(source: TableDefinition, lake: TableDefinition | undefined): TableDefinition {
  if (lake === undefined) return source;
  const columns = source.columns.map((column) => {
    const known = lake.columns.find(({ name }) => sameName(name, column.name));
    if (known === undefined) return column;
    if (known.delta !== column.delta && known.type !== column.type)
      throw notComparable(
        source,
        `column ${column.name} is ${column.type} on the source and ${known.type} in the lake`,
      );
    return { ...column, lake: known.lake, delta: known.delta };
  });
  const lost = lake.key.find((name) => !columns.some((column) => sameName(column.name, name)));
  if (lost !== undefined) throw notComparable(source, `column ${lost} of the lake's key is gone from the source`);
  return { ...source, columns, key: lake.key, zeroDates: lake.zeroDates };
}

function notComparable(table: TableDefinition, why: string): CdcError {
  const name = formatTableName(table);
  return new CdcError('verify.columns', `comparing ${name}: ${why}`, { hint: `cdc reload ${name}` });
}

/** The lake's rows with the columns of the definition; one that the lake does not have is NULL there. */
async function lakeRowsSql(
  connection: EngineConnection,
  lake: Store,
  found: FoundTable,
  definition: TableDefinition,
): Promise<string> {
  await createView(connection, lake, found);
  const there = parseSchema(found.snapshot.metaData.schemaString);
  const columns = definition.columns.map((column) =>
    there.some(({ name }) => sameName(name, column.lake))
      ? quoteName(column.lake)
      : `NULL AS ${quoteName(column.lake)}`,
  );
  return `SELECT ${columns.join(', ')} FROM ${quoteName(found.schema)}.${quoteName(found.table)}`;
}

/** In SQL: the key of the difference `d` was written meanwhile. */
async function isWritten(
  { staging, table }: CompareOptions,
  since: Place | undefined,
  connection: EngineConnection,
  definition: TableDefinition,
  state: Plan | undefined,
): Promise<string> {
  const key = definition.key.map((name) => lakeColumn(definition, name));
  // Without a place nobody captures: nothing but what is merged can be in the lake.
  const after = since ?? { number: state?.watermark.after ?? 0n, lastFile: undefined };
  const upTo = state?.watermark.after ?? 0n;
  const isKnown = await stageWrittenKeys({ staging, table: table.name, after, upTo, connection, key });
  if (!isKnown) return 'true';
  const same = key.map(({ lake }) => `w.${quoteName(lake)} = d.${quoteName(lake)}`).join(' AND ');
  return `EXISTS (SELECT 1 FROM ${WRITTEN} w WHERE ${same})`;
}

async function findDifferences(
  connection: EngineConnection,
  definition: TableDefinition,
  key: readonly string[],
  lakeSql: string | undefined,
  { written, isOfDms }: { written: string; isOfDms: boolean },
): Promise<void> {
  const columns = definition.columns.map((column) => quoteName(column.lake));
  const keys = key.map(quoteName);
  const lake = lakeSql ?? `SELECT ${columns.join(', ')} FROM ${SOURCE} WHERE false`;
  const same = (a: string, b: string) => keys.map((column) => `${a}.${column} = ${b}.${column}`).join(' AND ');
  // A value that does not fit its type is none that the lake could have.
  const isDifferent = ({ lake: name, type }: TableDefinition['columns'][number]) =>
    `${compared(`s.${quoteName(name)}`, type, isOfDms)} IS DISTINCT FROM ${compared(`l.${quoteName(name)}`, type, isOfDms)}`;
  const differs = [...definition.columns.map(isDifferent), `NOT s.${OURS.fits}`];
  const values = keys.map((column) => `coalesce(s.${column}, l.${column}) AS ${column}`);
  const row = (side: string) =>
    `CASE WHEN ${side}."=there" THEN hash(${columns.map((column) => `${side}.${column}`).join(', ')}) END`;
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE ${DIFFERENCES} AS SELECT *, ${written} AS "=written" FROM (` +
      `SELECT CASE WHEN l."=there" IS NULL THEN 'missing' WHEN s."=there" IS NULL THEN 'extra' ELSE 'different' END AS "=kind", ` +
      `[${keys.map((column) => `coalesce(s.${column}, l.${column})::VARCHAR`).join(', ')}] AS "=key", ${values.join(', ')}, ` +
      `${row('s')} AS ${SIDES.source}, ${row('l')} AS ${SIDES.lake} ` +
      `FROM (SELECT *, true AS "=there" FROM ${SOURCE}) s FULL JOIN (SELECT *, true AS "=there" FROM (${lake})) l ON ${same('s', 'l')} ` +
      `WHERE l."=there" IS NULL OR s."=there" IS NULL OR ${differs.join(' OR ')}) d`,
  );
}

/** DMS prints a JSON value in its own way: what counts is what it says (contract.md 10). */
function compared(value: string, type: string, isOfDms: boolean): string {
  return isOfDms && type.toLowerCase() === 'json' ? `coalesce(TRY(json(${value})::VARCHAR), ${value})` : value;
}

async function summary(
  connection: EngineConnection,
  lakeSql: string | undefined,
): Promise<Omit<TableVerdict, 'schema' | 'table' | 'quarantined' | 'error'>> {
  const [rows] = await connection.rows(
    `SELECT (SELECT count(*) FROM ${SOURCE}) AS source_rows, ${lakeSql === undefined ? '0' : `(SELECT count(*) FROM (${lakeSql}))`} AS lake_rows`,
  );
  const counted = await connection.rows(
    `SELECT "=kind" AS kind, "=written" AS written, count(*) AS rows FROM ${DIFFERENCES} GROUP BY ALL`,
  );
  const count = (isWanted: (row: (typeof counted)[number]) => boolean) =>
    counted.filter(isWanted).reduce((sum, row) => sum + Number(row.rows), 0);
  const wrong = (kind: DifferenceKind) => count((row) => row.kind === kind && row.written !== true);
  const keys = await connection.rows(
    `SELECT "=kind" AS kind, "=key" AS key FROM ${DIFFERENCES} WHERE NOT "=written" ORDER BY "=key", "=kind" LIMIT ${KEYS_SHOWN}`,
  );
  return {
    source_rows: Number(rows?.source_rows),
    lake_rows: Number(rows?.lake_rows),
    missing: wrong('missing'),
    extra: wrong('extra'),
    different: wrong('different'),
    unsettled: count((row) => row.written === true),
    keys: keys.map(
      ({ kind, key }): WrongRow => ({ kind: kindOf(kind), key: Array.isArray(key) ? key.map(String) : [] }),
    ),
  };
}

function kindOf(kind: unknown): DifferenceKind {
  if (kind === 'missing' || kind === 'extra' || kind === 'different') return kind;
  throw new Error(`no kind of difference: ${String(kind)}`);
}

function lakeColumn(definition: TableDefinition, name: string) {
  const column = definition.columns.find((one) => sameName(one.name, name));
  if (column === undefined) throw new Error(`${formatTableName(definition)} has no column ${name}`);
  return column;
}
