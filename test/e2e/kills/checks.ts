/** What must hold after the kills, read by outsiders: delta-rs for the lake, SELECT for the source, a parser of its own for staging. */

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type DeltaRow, queryDeltaTable, readDeltaTable } from '../../support/python.ts';
import type { TestServer } from '../../support/servers.ts';
import type { KillRun } from './kill-run.ts';
import { TABLES, TOTAL } from './writer.ts';

const MIRRORS = TABLES.filter((table) => table !== 'journal');

/** At any moment: each committed version holds whole transactions, and each key once. */
export async function expectWholeTransactions(run: KillRun): Promise<void> {
  const lake = join(run.folder, 'lake', 'shop', 'accounts');
  if (!(await hasVersions(lake))) return;
  const sql = 'SELECT count(*) AS n, count(DISTINCT id) AS keys, sum(balance) AS total FROM t';
  const [row] = await queryDeltaTable(lake, sql);
  expect(row).toEqual({ n: row?.n, keys: row?.n, total: TOTAL });
}

/** `cdc verify` says so. */
export async function expectVerified(run: KillRun): Promise<void> {
  const result = await run.expectSuccess(['verify', '--json']);
  const report: { tables: Record<string, unknown>[]; equal: boolean } = JSON.parse(result.stdout);
  expect(report.equal).toBe(true);
  expect(report.tables.map(({ table, missing, extra, different }) => ({ table, missing, extra, different }))).toEqual(
    expect.arrayContaining(MIRRORS.map((table) => ({ table, missing: 0, extra: 0, different: 0 }))),
  );
}

/** Row by row, by readers that share no code with us. Returns the number of rows compared. */
export async function expectLakeEqualsSource(run: KillRun): Promise<number> {
  let rows = 0;
  for (const table of MIRRORS) {
    const source = (await selectRows(run.server, table)).map(asText).sort();
    const lake = (await readDeltaTable(join(run.folder, 'lake', 'shop', table))).map(asText).sort();
    const inSource = new Set(source);
    const inLake = new Set(lake);
    expect({
      table,
      missing: source.filter((row) => !inLake.has(row)).slice(0, 5),
      extra: lake.filter((row) => !inSource.has(row)).slice(0, 5),
      rows: lake.length,
    }).toEqual({ table, missing: [], extra: [], rows: source.length });
    rows += source.length;
  }
  return rows;
}

async function selectRows(server: TestServer, table: string): Promise<Record<string, unknown>[]> {
  const columns = await server.query(
    `SELECT column_name AS name, data_type AS type FROM information_schema.columns
     WHERE table_schema = 'shop' AND table_name = '${table}' ORDER BY ordinal_position`,
  );
  // Decimals and times as text, whatever the driver makes of them.
  const select = columns.map(({ name, type }) =>
    /decimal|datetime/.test(String(type)) ? `CAST(${name} AS CHAR) AS ${name}` : name,
  );
  return await server.query(`SELECT ${select.join(', ')} FROM shop.${table}`);
}

function asText(row: Record<string, unknown>): string {
  const names = Object.keys(row).sort();
  return JSON.stringify(names.map((name) => [name, row[name] === null ? null : String(row[name])]));
}

/**
 * The history holds every change exactly once: since the last load, a row of version v that was loaded at version b has
 * had versions b+1 to v, and one that was not, 0 to v. Returns the number of changes.
 */
export async function expectHistoryOnce(run: KillRun): Promise<number> {
  const history = await readDeltaTable(join(run.folder, 'lake', 'shop', 'journal'));
  const loads = history.filter(({ _op }) => _op === 'L');
  expect(doubles(loads.map(({ _seq, id }) => `${_seq} row ${id}`))).toEqual([]);
  const lastLoad = loads
    .map(({ _seq }) => String(_seq))
    .sort()
    .at(-1);
  const base = new Map<string, number>();
  for (const row of loads.filter(({ _seq }) => _seq === lastLoad)) base.set(String(row.id), Number(row.version));
  const expected: string[] = [];
  for (const { id, version } of await run.server.query('SELECT id, version FROM shop.journal'))
    for (let v = (base.get(String(id)) ?? -1) + 1; v <= Number(version); v++) expected.push(`${id} version ${v}`);
  const changes = history.filter(({ _op }) => _op === 'I' || _op === 'U');
  expect(changes.length + loads.length).toBe(history.length);
  const found = changes.map((row: DeltaRow) => `${row.id} version ${row.version}`);
  expect(doubles(found)).toEqual([]);
  expect(doubles(changes.map(({ _seq }) => String(_seq).slice(-19)))).toEqual([]);
  const inLake = new Set(found);
  const inSource = new Set(expected);
  expect({
    missing: expected.filter((change) => !inLake.has(change)).slice(0, 5),
    extra: found.filter((change) => !inSource.has(change)).slice(0, 5),
  }).toEqual({ missing: [], extra: [] });
  return changes.length;
}

function doubles(values: readonly string[]): string[] {
  const seen = new Set<string>();
  return values.filter((value) => seen.has(value) || !seen.add(value)).slice(0, 5);
}

/**
 * In staging each run of a table holds the numbers from 1 on without a gap, up to the checkpoint's; a number in two files
 * is the same line in both. Returns how many lines there are, and how many of them repeat others.
 */
export async function expectConsecutiveNumbers(run: KillRun): Promise<{ lines: number; repeated: number }> {
  const staging = join(run.folder, 'staging');
  const checkpoint = JSON.parse(await readFile(join(staging, '_cdc', 'checkpoint.json'), 'utf8'));
  let lines = 0;
  let repeated = 0;
  for (const table of TABLES) {
    const byNumber = new Map<string, string>();
    for (const name of await readdir(join(staging, 'shop', table))) {
      if (!/^\d{8}-\d{9}\.csv$/.test(name)) continue;
      for (const line of records(await readFile(join(staging, 'shop', table, name), 'utf8')).slice(1)) {
        lines++;
        const number = line.slice(-19);
        const before = byNumber.get(number);
        if (before !== undefined) {
          repeated++;
          expect({ table, name, line }).toEqual({ table, name, line: before });
        }
        byNumber.set(number, line);
      }
    }
    const taken = new Set(await numbersTaken(staging, table));
    const { run: lastRun, number: last } = checkpoint.tables[`shop.${table}`];
    const runs = new Set([...byNumber.keys(), ...taken].map((number) => Number(number.slice(0, 4))));
    for (const one of runs) {
      const inRun = [...byNumber.keys(), ...taken].filter((number) => Number(number.slice(0, 4)) === one);
      const numbers = [...new Set(inRun)].map((number) => Number(number.slice(4))).sort((a, b) => a - b);
      const to = one === lastRun ? last : (numbers.at(-1) ?? 0);
      expect(
        { table, run: one, missing: missingNumbers(numbers, to), last: numbers.at(-1) ?? 0 },
        'numbers in staging',
      ).toEqual({ table, run: one, missing: [], last: to });
    }
  }
  return { lines, repeated };
}

/** Numbers of truncations and definitions. */
async function numbersTaken(staging: string, table: string): Promise<string[]> {
  const taken: string[] = [];
  for (const folder of ['loads', 'tables'])
    for (const name of await readdir(join(staging, '_cdc', folder, 'shop', table)))
      if (!/^\d{4}0{15}/.test(name)) taken.push(name.slice(0, 19));
  return taken;
}

function missingNumbers(sorted: readonly number[], to: number): number[] {
  const there = new Set(sorted);
  const missing: number[] = [];
  for (let number = 1; number <= to && missing.length < 5; number++) if (!there.has(number)) missing.push(number);
  return missing;
}

/** The records of a CSV file; a line end in quotes ends none. */
function records(text: string): string[] {
  const found: string[] = [];
  let start = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '"') quoted = !quoted;
    else if (text[at] === '\n' && !quoted) {
      found.push(text.slice(start, at));
      start = at + 1;
    }
  }
  expect(start, 'a change file ends with its last line').toBe(text.length);
  return found;
}

async function hasVersions(table: string): Promise<boolean> {
  const names = await readdir(join(table, '_delta_log')).catch(() => []);
  return names.some((name) => /^\d{20}\.json$/.test(name));
}
