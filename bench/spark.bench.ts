/** The Glue job's script on local[2] beside a hand-written MERGE: whole processes, in turns, each on a fresh copy of one table. */

import { spawn } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { cp, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { tableFolder } from '../src/core/change-file/layout.ts';
import { publishLoadRecord } from '../src/core/change-file/load-record.ts';
import { loadFileName } from '../src/core/change-file/name.ts';
import { changeNumber } from '../src/core/change-number.ts';
import { withEngine } from '../src/core/engine/engine.ts';
import { quoteText } from '../src/core/engine/quote.ts';
import { mergeTable } from '../src/core/merge/merge-table.ts';
import { shellWords } from '../src/core/pipeline/spark-merge.ts';
import { queryLake } from '../src/core/query/query.ts';
import { openLocalStore } from '../src/core/store/local.ts';
import { sparkSubmit } from '../test/support/spark-parts.ts';
import { StagedTable, TABLE } from '../test/support/staged-table.ts';
import { temporaryFolder } from '../test/support/temp-folder.ts';

const { CDC_BENCH_RESULTS: RESULTS = '', CDC_BENCH_QUICK: QUICK } = process.env;
const ROWS = QUICK === '1' ? 500_000 : 10_000_000;
const CHANGES = QUICK === '1' ? 10_000 : 100_000;
const PAIRS = 5;
const CASE = QUICK === '1' ? '10k into 500k' : '100k into 10M';
const script = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** A row by its number and a salt, in the text of a change file. */
const row = (id: string, salt: number) =>
  `(${id})::VARCHAR || ',name ' || (${id}) || ',note ' || (((${id}) * 2654435761) % 4294967296) || ' of ${salt},' || ((${id}) % 1000)`;

it('merges with Spark', async () => {
  const root = await temporaryFolder();
  const table = new StagedTable(root);
  const definition = table.define(changeNumber(1, 0), 'id int not null, name varchar(50), note varchar(200), qty int');
  await table.putDefinition(definition);
  const engineOptions = { tempDirectory: join(root, 'spill'), memoryLimit: '4GB' };
  const changes = `${tableFolder(TABLE)}20261122-101530123.csv`;

  await withEngine(engineOptions, async (engine) => {
    // Nothing in these texts needs a quote, so the engine's own lines are a change file's.
    const write = async (key: string, select: string) => {
      const scratch = await table.staging.scratchPath('rows.csv');
      const header = `Op,cdc_ts,id,name,note,qty,cdc_seq`;
      await engine.withConnection((connection) =>
        connection.run(
          `COPY (SELECT line FROM (SELECT 0 AS place, '${header}' AS line UNION ALL ${select}) ORDER BY place)
           TO ${quoteText(scratch)} (FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER E'\\x01')`,
        ),
      );
      const { size } = await stat(scratch);
      await table.staging.publish(scratch, key);
      return size;
    };
    const at = '2026-11-22 10:15:30.120000';
    const key = `${tableFolder(TABLE)}${loadFileName(1)}`;
    const size = await write(key, `SELECT i, 'I,${at},' || ${row('i', 0)} || ',' FROM range(1, ${ROWS + 1}) t(i)`);
    await publishLoadRecord(table.staging, {
      ...{ format: 1, ...TABLE, kind: 'load', number: changeNumber(1, 0), position: 'binlog.000001:4', definition },
      files: [{ key, size, rows: ROWS }],
    });
    await mergeTable({ ...table.options(engine), appId: 'cdc/bench/shop.orders' });
    // Random keys all over the table; of ten changes eight update, one deletes, one inserts.
    const op = "CASE i % 10 WHEN 0 THEN 'D' WHEN 1 THEN 'I' ELSE 'U' END";
    const id = `CASE WHEN i % 10 = 1 THEN ${ROWS} + i ELSE 1 + (i * 7919) % ${ROWS} END`;
    await write(
      changes,
      `SELECT i, ${op} || ',${at},' || ${row(id, 1)} || ',2026112210153012' || lpad('1', 4, '0') || lpad(i::VARCHAR, 15, '0')
       FROM range(1, ${CHANGES + 1}) t(i)`,
    );
  });

  const places = {
    staging: table.staging.location,
    lake: join(root, 'fresh'),
    changes: join(table.staging.location, changes),
  };
  const folder = join(places.lake, tableFolder(TABLE));
  const names = ['--tables', '["shop.orders"]', '--pipeline', 'bench'];
  const peers = {
    cdc: [script('../scripts/glue/merge_changes.py'), '--staging', places.staging, '--lake', places.lake, ...names],
    'hand-written MERGE': [script('hand_written_merge.py'), places.changes, folder],
  };
  const submit = shellWords(
    // A table of this size is worth the better compiler, and more than the tests' memory.
    await sparkSubmit({ 'spark.driver.memory': '4g', 'spark.driver.extraJavaOptions': '-Duser.timezone=UTC' }),
  );
  const runs = new Map(Object.keys(peers).map((peer) => [peer, [] as Run[]]));
  const contents = new Set<string>();
  const before = new Set(await readdir(join(table.lake.location, tableFolder(TABLE))));
  for (let pair = 0; pair < PAIRS; pair++)
    for (const [peer, words] of Object.entries(peers)) {
      await cp(table.lake.location, places.lake, { recursive: true });
      const run = await measure([...submit, ...words]);
      let written = 0;
      for (const name of await readdir(folder))
        if (name.endsWith('.parquet') && !before.has(name)) written += (await stat(join(folder, name))).size;
      runs.get(peer)?.push({ ...run, written });
      process.stderr.write(`${peer}: ${run.start.toFixed(1)} s to its first work, ${run.total.toFixed(1)} s in all\n`);
      if (pair === 0) contents.add(await contentOf(places.lake, engineOptions));
      await rm(places.lake, { recursive: true });
      // Else the two did not do the same work.
      expect([...contents]).toHaveLength(1);
    }
  for (const [peer, list] of runs) {
    report(
      peer,
      `${CASE} random cow, work`,
      list.map(({ start, total }) => total - start),
      list[0]?.written,
    );
    report(
      peer,
      `${CASE} random cow, start to first work`,
      list.map(({ start }) => start),
    );
    report(
      peer,
      `${CASE} random cow, whole process`,
      list.map(({ total }) => total),
    );
  }
});

interface Run {
  /** Seconds until the script says that it begins with the table: Java, session, and for cdc also what it looks up. */
  start: number;
  total: number;
  written: number;
}

function measure([command = '', ...words]: readonly string[]): Promise<Omit<Run, 'written'>> {
  return new Promise((resolve, reject) => {
    const began = performance.now();
    const seconds = () => (performance.now() - began) / 1000;
    const child = spawn(command, words, { stdio: ['ignore', 'pipe', 'pipe'] });
    let start: number | undefined;
    let said = '';
    const hear = (chunk: Buffer) => {
      said = `${said}${chunk.toString()}`.slice(-4000);
      if (start === undefined && /^merging/m.test(said)) start = seconds();
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    child.on('error', reject);
    child.on('close', (code) => {
      if (code !== 0 || start === undefined) reject(new Error(`${words.at(-1)} ended with ${code}: ${said}`));
      else resolve({ start, total: seconds() });
    });
  });
}

/** Equal for equal rows, in whatever order. */
async function contentOf(lake: string, engine: { tempDirectory: string; memoryLimit: string }): Promise<string> {
  const sql = 'SELECT count(*), sum(hash(id, name, note, qty)::HUGEINT) FROM shop.orders';
  const { rows } = await queryLake({ ...engine, lake: openLocalStore(lake), sql });
  return String(rows[0]);
}

function report(peer: string, what: string, given: readonly number[], written?: number): void {
  const seconds = given.toSorted((a, b) => a - b);
  const rounded = (value: number) => Math.round(value * 100) / 100;
  const middle = seconds[Math.floor(seconds.length / 2)] ?? 0;
  const result = {
    peer,
    case: what,
    median_seconds: rounded(middle),
    min_seconds: rounded(seconds[0] ?? 0),
    max_seconds: rounded(seconds.at(-1) ?? 0),
    rows_per_second: what.endsWith('start to first work') ? null : Math.round(CHANGES / middle),
    bytes_written: written ?? null,
  };
  appendFileSync(RESULTS, `${JSON.stringify(result)}\n`);
}
