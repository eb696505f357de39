import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { duckdbTypeOf } from '../../../src/core/column-type.ts';
import { objectPath } from '../../../src/core/delta/actions.ts';
import { cleanLog } from '../../../src/core/delta/cleanup.ts';
import { maintainLog } from '../../../src/core/delta/maintenance.ts';
import type { LakeColumn } from '../../../src/core/delta/schema.ts';
import { readSnapshot, type Snapshot } from '../../../src/core/delta/snapshot.ts';
import { quotePaths } from '../../../src/core/engine/quote.ts';
import { createTable, NOW, openTestLake, type TestLake, writeRows } from '../../support/lake.ts';
import { describeDeltaTable, hasDeltaReader, queryDeltaTable, readDeltaTable } from '../../support/python.ts';

const COLUMNS: LakeColumn[] = [
  { lake: 'id', delta: 'long' },
  { lake: 'tiny', delta: 'byte' },
  { lake: 'small', delta: 'short' },
  { lake: 'int', delta: 'integer' },
  { lake: 'real', delta: 'float' },
  { lake: 'double', delta: 'double' },
  { lake: 'yes', delta: 'boolean' },
  { lake: 'text', delta: 'string' },
  { lake: 'bytes', delta: 'binary' },
  { lake: 'day', delta: 'date' },
  { lake: 'at', delta: 'timestamp' },
  { lake: 'money', delta: 'decimal(38,10)' },
  { lake: 'big', delta: 'decimal(20,0)' },
  { lake: "it's", delta: 'string' },
  { lake: 'say "hi".now', delta: 'string' },
];

/** Values as SQL and as the reader gives them. */
const ROWS: Record<string, [sql: string, read: string | number | boolean | null]>[] = [
  {
    id: ['-9223372036854775807 - 1', '-9223372036854775808'],
    tiny: ['-128', -128],
    small: ['-32768', -32768],
    int: ['-2147483648', -2147483648],
    real: ["'NaN'", 'NaN'],
    double: ["'NaN'", 'NaN'],
    yes: ['true', true],
    text: ["'a' || chr(0) || 'b'", 'a\0b'],
    bytes: ["''", ''],
    day: ["'0001-01-01'", '0001-01-01'],
    at: ["'0001-01-01 00:00:00.000001+00'", '0001-01-01 00:00:00.000001'],
    money: ["'-9999999999999999999999999999.9999999999'", '-9999999999999999999999999999.9999999999'],
    big: ["'18446744073709551615'", '18446744073709551615'],
    "it's": ["'it''s ' || repeat('z', 100)", `it's ${'z'.repeat(100)}`],
    'say "hi".now': ["'x'", 'x'],
  },
  {
    id: ['9223372036854775807', '9223372036854775807'],
    tiny: ['127', 127],
    small: ['32767', 32767],
    int: ['2147483647', 2147483647],
    real: ["'-Infinity'", '-Infinity'],
    double: ["'Infinity'", 'Infinity'],
    yes: ['false', false],
    text: ["'😀 ' || repeat('ü', 300)", `😀 ${'ü'.repeat(300)}`],
    bytes: ["from_hex('00ff0a')", '00ff0a'],
    day: ["'1582-10-04'", '1582-10-04'],
    at: ["'1899-12-31 23:59:59.999999+00'", '1899-12-31 23:59:59.999999'],
    money: ["'0.0000000001'", '0.0000000001'],
    big: ['0', '0'],
    "it's": ["''", ''],
    'say "hi".now': ['NULL', null],
  },
  {
    id: ['9007199254740993', '9007199254740993'],
    tiny: ['0', 0],
    small: ['0', 0],
    int: ['0', 0],
    real: ['0.1', Math.fround(0.1)],
    double: ['1.7976931348623157e308', 1.7976931348623157e308],
    yes: ['NULL', null],
    text: ['repeat(chr(1114111), 300)', '\u{10ffff}'.repeat(300)],
    bytes: ["from_hex('c328')", 'c328'],
    day: ["'9999-12-31'", '9999-12-31'],
    at: ["'9999-12-31 23:59:59.999999+00'", '9999-12-31 23:59:59.999999'],
    money: ["'9999999999999999999999999999.9999999999'", '9999999999999999999999999999.9999999999'],
    big: ['NULL', null],
    "it's": ["'line' || chr(10) || 'line' || chr(13)", 'line\nline\r'],
    'say "hi".now': ["'\\\\N'", '\\\\N'],
  },
];

function selectOf(row: (typeof ROWS)[number]): string {
  const values = COLUMNS.map(({ lake, delta }) => {
    const sql = row[lake]?.[0] ?? 'NULL';
    return `CAST(${sql} AS ${duckdbTypeOf(delta)}) AS "${lake.replaceAll('"', '""')}"`;
  });
  return `SELECT ${values.join(', ')}`;
}

const expected = (row: (typeof ROWS)[number]) =>
  Object.fromEntries(Object.entries(row).map(([name, [, read]]) => [name, read]));

async function filesOf(lake: TestLake, snapshot: Snapshot): Promise<string[]> {
  return [...snapshot.files.values()].map((file) => join(lake.path, objectPath(file.path) ?? ''));
}

const withReader = describe.skipIf(!(await hasDeltaReader()));

withReader('delta-rs', () => {
  it('reads every value of every type that we write', async () => {
    const lake = await openTestLake();
    let snapshot = await createTable(lake, COLUMNS);
    for (const row of ROWS) snapshot = await writeRows(lake, snapshot, selectOf(row), COLUMNS);
    snapshot = await writeRows(lake, snapshot, ROWS.map(selectOf).join(' UNION ALL '), COLUMNS, { replace: true });
    for (let version = 1; version <= ROWS.length; version++)
      expect(sorted(await readDeltaTable(lake.path, { version }))).toEqual(
        sorted(ROWS.slice(0, version).map(expected)),
      );
    expect(sorted(await readDeltaTable(lake.path))).toEqual(sorted(ROWS.map(expected)));
    expect(sorted(await queryDeltaTable(lake.path, 'SELECT * FROM t'))).toEqual(sorted(ROWS.map(expected)));
  });

  it('finds each row by each of its values, so no statistics hide it', async () => {
    const lake = await openTestLake();
    let snapshot = await createTable(lake, COLUMNS);
    for (const row of ROWS) snapshot = await writeRows(lake, snapshot, selectOf(row), COLUMNS);
    const literal: Record<string, (value: string) => string> = {
      date: (value) => `DATE '${value}'`,
      timestamp: (value) => `arrow_cast('${value}Z', 'Timestamp(Microsecond, Some("UTC"))')`,
      string: (value) => `'${value.replaceAll("'", "''")}'`,
    };
    for (const row of ROWS)
      for (const { lake: name, delta } of COLUMNS) {
        const value = row[name]?.[1];
        if (typeof value !== 'string' || literal[delta] === undefined || value.includes('\0')) continue;
        const where = `"${name.replaceAll('"', '""')}" = ${literal[delta](value)}`;
        const found = await queryDeltaTable(lake.path, `SELECT id FROM t WHERE ${where}`);
        expect(
          found.map(({ id }) => String(id)),
          `${name} = ${value}`,
        ).toContain(row.id?.[1]);
      }
    for (const row of ROWS)
      expect(await queryDeltaTable(lake.path, `SELECT id FROM t WHERE id = ${row.id?.[1]}`)).toHaveLength(1);
  });

  it('reads every version of a long history, and what is left of it after log cleanup and from the checkpoint alone', async () => {
    const lake = await openTestLake();
    const columns: LakeColumn[] = [
      { lake: 'id', delta: 'long' },
      { lake: 'name', delta: 'string' },
    ];
    let snapshot = await createTable(lake, columns, { 'cdc.appId': 'app' });
    const states: string[][] = [[]];
    for (let batch = 1; batch <= 34; batch++) {
      const replace = batch % 4 === 0;
      const txn = { txn: { appId: 'app', version: 4611686018427387904n + BigInt(batch) } };
      const select = `SELECT ${batch}::BIGINT AS id, 'row ${batch}' AS name`;
      snapshot = await writeRows(lake, snapshot, select, columns, { replace, actions: [txn] });
      states.push([...(replace ? [] : (states.at(-1) ?? [])), `row ${batch}`]);
      snapshot = await maintainLog(lake, snapshot, { assertHeld: async () => {}, now: NOW });
    }
    for (const [version, names] of states.entries())
      expect((await readDeltaTable(lake.path, { version })).map(({ name }) => name).sort()).toEqual([...names].sort());

    const aWeekOn = new Date(Date.now() + 7 * 86_400_000);
    expect(await cleanLog(lake, snapshot, aWeekOn)).toBeGreaterThan(30);
    const last = states.at(-1) ?? [];
    const named = async () => (await readDeltaTable(lake.path)).map(({ name }) => name).sort();
    expect(await named()).toEqual([...last].sort());
    expect((await readDeltaTable(lake.path, { version: 32 })).map(({ name }) => name).sort()).toEqual(
      [...(states[32] ?? [])].sort(),
    );
    const info = await describeDeltaTable(lake.path, { apps: ['app'] });
    expect(info.version).toBe(34);
    expect(info.txn).toEqual({ app: '4611686018427387938' });
    expect(info.properties).toMatchObject({ 'cdc.appId': 'app', 'delta.logRetentionDuration': 'interval 1 day' });

    // Our own reader from the cleaned log, and without the hint.
    await rm(join(lake.path, '_delta_log', '_last_checkpoint'));
    const again = await readSnapshot(lake);
    expect(again?.checkpointVersion).toBe(30);
    expect([...(again?.files.keys() ?? [])].sort()).toEqual([...snapshot.files.keys()].sort());
    expect(again?.txns.get('app')?.version).toBe(4611686018427387938n);
    expect(await named()).toEqual([...last].sort());
  });
});

describe('DuckDB', () => {
  it('reads the same rows by the list of files', async () => {
    const lake = await openTestLake();
    let snapshot = await createTable(lake, COLUMNS);
    for (const row of ROWS) snapshot = await writeRows(lake, snapshot, selectOf(row), COLUMNS);
    const files = quotePaths(await filesOf(lake, snapshot));
    const [difference] = await lake.engine.withConnection((connection) =>
      connection.rows(
        `WITH wanted AS (${ROWS.map(selectOf).join(' UNION ALL ')}), found AS (SELECT * FROM read_parquet(${files}))
         SELECT count(*)::INTEGER AS rows FROM ((FROM wanted EXCEPT ALL FROM found) UNION ALL (FROM found EXCEPT ALL FROM wanted))`,
      ),
    );
    expect(difference).toEqual({ rows: 0 });
  });
});

function sorted(rows: Record<string, unknown>[]): Record<string, unknown>[] {
  return [...rows].sort((a, b) => String(a.id).localeCompare(String(b.id)));
}
