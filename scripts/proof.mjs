// Usage: npm run proof -- kills [--seeds N] [--from SEED]
//        npm run proof -- aws [--every N]
//        npm run proof -- engines [--seeds N] [--from SEED]
//        npm run proof -- spark4 [--seeds N] [--from SEED]
//        npm run proof -- slots
// Runs a proof in full, where `npm test` takes a sample of it, and writes what came of it to docs/proof.json.
//   kills: kill -9 of workers, merges and database servers while transactions go on; each seed on each server.
//   aws: every call of init, replicate, stop, start and destroy (or each N-th) loses its reply, and every one finds no
//     network, about 2 s a call; and the built command line is killed by kill -9 in each of them, at calls that seeds choose.
//   engines: every merge case by this machine's engine, by Spark, and by Spark in a bucket; each kind of table that Delta can
//     make, merged or refused by name; each point at which a batch of Spark can be cut short, with each engine going on; for
//     each seed random histories of tables on which the two take turns (ours in folders and in a bucket, one of DMS), and a
//     kill -9 of Spark while it commits, after which one or the other goes on.
//   spark4: every merge case, the cuts and for each seed the histories, by Spark 4 instead of the 3.5 of Glue; in folders.
//   slots: who captures x where staging lies x where the lake lies x who merges, each by the built command line.

import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const repository = fileURLToPath(new URL('..', import.meta.url));
const target = join(repository, 'docs', 'proof.json');
const usage =
  'npm run proof -- kills|engines|spark4 [--seeds N] [--from SEED], npm run proof -- aws [--every N], or npm run proof -- slots';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    seeds: { type: 'string', default: '2' },
    from: { type: 'string', default: '1' },
    every: { type: 'string', default: '1' },
  },
});
const [count, first, every] = [Number(values.seeds), Number(values.from), Number(values.every)];
const what = positionals.join();
const proofs = { kills: proveKills, aws: proveAws, engines: proveEngines, spark4: proveSpark4, slots: proveSlots };
if (!Object.hasOwn(proofs, what) || !(count >= 1) || !Number.isInteger(first) || !(every >= 1)) {
  console.error(`usage: ${usage}`);
  process.exit(2);
}
/** Each kills each of the five commands once. */
const AWS_SEEDS = [1, 2, 3, 4];
/** Mixes that run elsewhere, or that cdc.yaml refuses. */
const OTHER_MIXES = {
  'dms s3 s3 glue': 'test/e2e/aws-glue.test.ts',
  'any folder any glue': 'refused: test/core/config.test.ts',
  'any any folder glue': 'refused: test/core/config.test.ts',
};

const seeds = Array.from({ length: count }, (_, index) => first + index);

const git = (...args) => execFileSync('git', args, { cwd: repository, encoding: 'utf8' }).trim();
const folder = mkdtempSync(join(tmpdir(), 'cdc-proof-'));
const results = join(folder, 'results.ndjson');
const started = Date.now();
const failed = await proofs[what]();
rmSync(folder, { recursive: true });
process.exitCode = failed ? 1 : 0;

async function proveKills() {
  // Built first, so that two runs do not wait for one another; then each server's run in a process of its own.
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: repository, stdio: 'inherit' });
  const env = { CDC_PROOF_SEEDS: seeds.join(',') };
  const codes = await Promise.all(
    ['mariadb', 'mysql'].map((server) => run(env, 'test/e2e/kills.test.ts', '-t', `kill -9 on ${server}`)),
  );
  const runs = readResults();
  const expected = 2 * seeds.length;
  const failures = runs.filter(({ failure }) => failure !== undefined).length + (expected - runs.length);
  const met = {};
  for (const one of runs) for (const [phase, times] of Object.entries(one.met)) met[phase] = (met[phase] ?? 0) + times;
  const kills = runs.reduce((sum, one) => sum + one.kills, 0);
  write({ seeds, kills, failures, met, runs });
  console.log(`${kills} kills in ${runs.length} of ${expected} runs, ${failures} failures: ${target}`);
  return failures > 0 || codes.some((code) => code !== 0);
}

async function proveAws() {
  const tests = [
    'test/core/pipeline/aws/every-call.test.ts',
    'test/core/pipeline/aws-run/faults.test.ts',
    'test/e2e/aws-kills.test.ts',
  ];
  const code = await run({ CDC_PROOF_EVERY: String(every), CDC_PROOF_SEEDS: AWS_SEEDS.join(',') }, ...tests);
  const runs = readResults();
  const failures = runs.filter(({ failure, met }) => failure !== undefined || !met);
  const calls = {};
  for (const { phase, kind } of runs) calls[`${phase}, ${kind}`] = (calls[`${phase}, ${kind}`] ?? 0) + 1;
  write({ every, calls, failures: failures.length, failed: failures });
  console.log(`${runs.length} calls went wrong or were the last, ${failures.length} failures: ${target}`);
  return runs.length === 0 || failures.length > 0 || code !== 0;
}

async function proveEngines() {
  const tests = [
    'merge-cases',
    'spark-cases',
    'spark-features',
    'spark-histories',
    'spark-s3',
    'spark-kills',
    'spark-crash',
  ];
  // Three histories and a kill for each seed.
  return await proveMerges(tests, 4);
}

async function proveSpark4() {
  return await proveMerges(['spark-cases', 'spark-histories', 'spark-crash'], 2, { CDC_TEST_SPARK: '4.0' });
}

/** `each`: histories and kills that come of a seed. */
async function proveMerges(tests, each, env = {}) {
  const code = await run(
    { CDC_PROOF_SEEDS: seeds.join(','), ...env },
    ...tests.map((test) => `test/core/merge/${test}.test.ts`),
  );
  const all = readResults();
  const sum = (lines, number) => lines.reduce((total, line) => total + (number(line) ?? 0), 0);
  const cases = all.filter((line) => line.case !== undefined);
  const histories = all.filter(({ history }) => history !== undefined);
  const kills = all.filter(({ kill }) => kill !== undefined);
  const cuts = all.filter(({ cut }) => cut !== undefined);
  const failed = all.filter(({ failure }) => failure !== undefined);
  const features = all.filter(({ feature }) => feature !== undefined);
  const missing = Math.max(0, each * seeds.length - histories.length - kills.length);
  const found = {
    seeds,
    cases: {
      local: cases.filter(({ engine }) => engine === 'local').length,
      spark: cases.filter(({ engine, store }) => engine === 'spark' && store === undefined).length,
      spark_on_s3: cases.filter(({ store }) => store === 's3').length,
    },
    kinds_of_tables: {
      merged: features.filter(({ outcome }) => outcome === 'merged').length,
      refused: features.filter(({ outcome }) => outcome === 'refused').length,
    },
    histories: histories.length,
    events: sum(histories, ({ events }) => events),
    batches: {
      local: sum(histories, ({ batches }) => batches?.local),
      spark: sum(histories, ({ batches }) => batches?.spark),
    },
    cuts: cuts.length,
    kills: kills.length,
    committed: kills.filter(({ committed }) => committed).length,
    rows: sum(all, ({ rows }) => rows),
    failures: failed.length + missing,
    failed,
    runs: [...histories, ...kills],
  };
  write(found);
  console.log(
    `${found.cases.local} + ${found.cases.spark} + ${found.cases.spark_on_s3} cases, ${features.length} kinds of tables, ` +
      `${found.cuts} cuts, ${found.histories} histories, ${found.kills} kills, ` +
      `${found.failures} failures: ${target}`,
  );
  return found.failures > 0 || code !== 0;
}

async function proveSlots() {
  const code = await run({ CDC_PROOF_SLOTS: 'all' }, 'test/e2e/slots.test.ts');
  const all = readResults();
  const failed = all.filter(({ failure }) => failure !== undefined);
  const mixes = all.map(({ mix, failure, rows, seconds }) => ({ mix, equal: failure === undefined, rows, seconds }));
  // Two each of capture, staging, lake and engine, and Glue on what this machine captured.
  const missing = Math.max(0, 17 - all.length);
  write({ mixes, elsewhere: OTHER_MIXES, failures: failed.length + missing, failed });
  console.log(`${all.length} of 17 mixes, ${failed.length + missing} failures: ${target}`);
  return failed.length + missing > 0 || code !== 0;
}

function readResults() {
  if (!existsSync(results)) return [];
  const lines = readFileSync(results, 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line));
}

function write(found) {
  const changed = git('status', '--porcelain', '--', 'src', 'test').length > 0;
  const proof = existsSync(target) ? JSON.parse(readFileSync(target, 'utf8')) : {};
  proof[what] = {
    date: new Date(started).toISOString(),
    commit: git('rev-parse', 'HEAD') + (changed ? ' with changes' : ''),
    seconds: Math.round((Date.now() - started) / 1000),
    ...found,
  };
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, `${JSON.stringify(proof, null, 2)}\n`);
}

function run(more, ...args) {
  const vitest = join(repository, 'node_modules', 'vitest', 'vitest.mjs');
  const env = { ...process.env, ...more, CDC_PROOF_RESULTS: results };
  const child = spawn(process.execPath, [vitest, 'run', ...args], { cwd: repository, env, stdio: 'inherit' });
  return new Promise((resolve) => child.once('close', resolve));
}
