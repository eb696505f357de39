// Usage: npm run bench -- NAME [--quick] [--json FILE]
// Runs one benchmark and prints its numbers; --json FILE takes them as {name, date, machine, results}.
//   s3: merges on S3 (emulated) from this machine: seconds of the whole process, bytes up and down, requests.
//   spark: the Glue job's script on local[2] beside a hand-written MERGE of the same changes, in turns.

import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const repository = fileURLToPath(new URL('..', import.meta.url));
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean', default: false }, json: { type: 'string' } },
});
const [name] = positionals;
if (positionals.length !== 1 || !existsSync(join(repository, 'bench', `${name}.bench.ts`))) {
  console.error('usage: npm run bench -- s3|spark [--quick] [--json FILE]');
  process.exit(2);
}
const folder = mkdtempSync(join(os.tmpdir(), 'cdc-bench-'));
const lines = join(folder, 'results.ndjson');
// Built before the clock runs.
execFileSync('npm', ['run', '--silent', 'build'], { cwd: repository, stdio: 'inherit' });
const child = spawn('npx', ['vitest', 'run', '--config', 'bench/vitest.config.ts', `bench/${name}.bench.ts`], {
  cwd: repository,
  stdio: ['ignore', 'inherit', 'inherit'],
  env: { ...process.env, CDC_BENCH_RESULTS: lines, CDC_BENCH_QUICK: values.quick ? '1' : '' },
});
process.exitCode = (await new Promise((resolve) => child.once('close', resolve))) ?? 1;
const results = existsSync(lines)
  ? readFileSync(lines, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
  : [];
rmSync(folder, { recursive: true });
console.table(results);
if (values.json !== undefined) {
  const [cpu] = os.cpus();
  const machine = {
    cpu: cpu?.model ?? '',
    cores: os.cpus().length,
    memory_gb: Math.round(os.totalmem() / 1e9),
    node: process.version,
  };
  const date = new Date().toISOString();
  writeFileSync(values.json, `${JSON.stringify({ name, date, machine, results }, undefined, 2)}\n`);
}
