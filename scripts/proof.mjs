// Usage: npm run proof -- kills [--seeds N] [--from SEED]
// Runs a proof in full, where `npm test` takes a sample of it, and writes what came of it to docs/proof.json.
//   kills: kill -9 of workers, merges and database servers while transactions go on; each seed on each server.

import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const repository = fileURLToPath(new URL('..', import.meta.url));
const target = join(repository, 'docs', 'proof.json');
const usage = 'npm run proof -- kills [--seeds N] [--from SEED]';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { seeds: { type: 'string', default: '2' }, from: { type: 'string', default: '1' } },
});
const [count, first] = [Number(values.seeds), Number(values.from)];
if (positionals.join() !== 'kills' || !(count >= 1) || !Number.isInteger(first)) {
  console.error(`usage: ${usage}`);
  process.exit(2);
}
const seeds = Array.from({ length: count }, (_, index) => first + index);

const git = (...args) => execFileSync('git', args, { cwd: repository, encoding: 'utf8' }).trim();
const folder = mkdtempSync(join(tmpdir(), 'cdc-proof-'));
const results = join(folder, 'results.ndjson');
const started = Date.now();
// Built first, so that two runs do not wait for one another; then each server's run in a process of its own.
execFileSync('npm', ['run', '--silent', 'build'], { cwd: repository, stdio: 'inherit' });
const codes = await Promise.all(['mariadb', 'mysql'].map(run));

const runs = existsSync(results)
  ? readFileSync(results, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line))
  : [];
rmSync(folder, { recursive: true });
const expected = 2 * seeds.length;
const failures = runs.filter(({ failure }) => failure !== undefined).length + (expected - runs.length);
const met = {};
for (const one of runs) for (const [phase, times] of Object.entries(one.met)) met[phase] = (met[phase] ?? 0) + times;
const changed = git('status', '--porcelain', '--', 'src', 'test').length > 0;
const proof = existsSync(target) ? JSON.parse(readFileSync(target, 'utf8')) : {};
proof.kills = {
  date: new Date(started).toISOString(),
  commit: git('rev-parse', 'HEAD') + (changed ? ' with changes' : ''),
  seeds,
  seconds: Math.round((Date.now() - started) / 1000),
  kills: runs.reduce((sum, one) => sum + one.kills, 0),
  failures,
  met,
  runs,
};
mkdirSync(dirname(target), { recursive: true });
writeFileSync(target, `${JSON.stringify(proof, null, 2)}\n`);
console.log(`${proof.kills.kills} kills in ${runs.length} of ${expected} runs, ${failures} failures: ${target}`);
process.exitCode = failures > 0 || codes.some((code) => code !== 0) ? 1 : 0;

function run(server) {
  const vitest = join(repository, 'node_modules', 'vitest', 'vitest.mjs');
  const args = [vitest, 'run', 'test/e2e/kills.test.ts', '-t', `kill -9 on ${server}`];
  const env = { ...process.env, CDC_PROOF_SEEDS: seeds.join(','), CDC_PROOF_RESULTS: results };
  const child = spawn(process.execPath, args, { cwd: repository, env, stdio: 'inherit' });
  return new Promise((resolve) => child.once('close', resolve));
}
