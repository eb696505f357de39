// Usage: node scripts/aws-smoke.mjs --region REGION [--profile NAME] [--yes] [--wait SECONDS] [--yaml TEXT]
// The guide on a real AWS account, by the built command line: makes a pipeline, fills it, replicates, merges, stops, starts
// and removes it again, also after Ctrl-C or a failure. Shows the cost and asks first; takes about 40 minutes and $0.20.
// stdout: one JSON document with the seconds of each step and what was seen of what only a real account can show
// (docs/aws.md). Exit code 0 when all went well and nothing is left, 1 else, 130 when interrupted.

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const repository = fileURLToPath(new URL('..', import.meta.url));
const program = join(repository, 'bin', 'cdc.js');
const { values } = parseArgs({
  options: {
    region: { type: 'string' },
    profile: { type: 'string' },
    yes: { type: 'boolean', default: false },
    // Until DMS has written the six changes: its interval, and a minute for the event.
    wait: { type: 'string', default: '150' },
    // More of cdc.yaml.
    yaml: { type: 'string', default: '' },
  },
});
const region = values.region ?? process.env.AWS_REGION;
if (region === undefined) {
  console.error('usage: node scripts/aws-smoke.mjs --region REGION [--profile NAME] [--yes]');
  process.exit(2);
}
if (!existsSync(join(repository, 'dist', 'cli.js'))) {
  console.error('the command line is not built: npm run build');
  process.exit(2);
}

const folder = mkdtempSync(join(tmpdir(), 'cdc-aws-smoke-'));
const name = `smoke-${randomBytes(3).toString('hex')}`;
const account = [`region: ${region}`, ...(values.profile === undefined ? [] : [`profile: ${values.profile}`])];
writeFileSync(
  join(folder, 'cdc.yaml'),
  [
    `name: ${name}`,
    'target: aws',
    `aws: { ${account.join(', ')} }`,
    "tables: ['ahmad_schema.%']",
    // A minute instead of five, so that one need not wait.
    'dms: { max_batch_interval: 60s }',
    values.yaml,
    '',
  ].join('\n'),
);

const steps = [];
const seen = {};
let child;
let isInterrupted = false;
let isMade = false;
const interrupt = () => {
  if (isInterrupted) {
    console.error(
      `\nstopped. What was made is still there, and costs: cd ${folder} && node ${program} destroy --delete-lake`,
    );
    process.exit(130);
  }
  isInterrupted = true;
  console.error('\ninterrupted: what was made is removed now (once more leaves it)');
  child?.kill('SIGINT');
};
process.on('SIGINT', interrupt);
process.on('SIGTERM', interrupt);

let failure;
try {
  await walk();
} catch (error) {
  failure = error;
  if (!isInterrupted) console.error(error.message);
}
const isGone = !isMade || (await remove());
if (isGone) rmSync(folder, { recursive: true, force: true });
console.log(JSON.stringify({ name, region, steps, seen, ok: failure === undefined && isGone }, undefined, 2));
process.exit(isInterrupted ? 130 : failure === undefined && isGone ? 0 : 1);

async function walk() {
  const plan = await cdc('plan', ['plan', '--json']);
  const { account, principal, cost } = JSON.parse(plan.stdout);
  console.error(`account ${account}, ${region}, as ${principal}`);
  console.error(
    `$${cost.continuous.hourly_usd.toFixed(2)} an hour while it is there (list prices of ${cost.prices_of})`,
  );
  if (!values.yes && !(await ask(`Make the pipeline ${name} there, and remove it again? [y/N] `)))
    throw new Error('nothing was made');
  isMade = true;
  await cdc('init', ['init', '--yes']);
  const again = await cdc('init again', ['init', '--yes']);
  seen.init_is_stable = again.stdout.trim() === 'already made';
  await cdc('load', ['load', join(repository, 'sql', 'persons.sql'), '--yes']);
  await cdc('replicate', ['replicate']);
  const status = JSON.parse((await cdc('status', ['status', '--json'])).stdout);
  seen.connections = status.aws.connections;
  seen.loaded_rows = Object.fromEntries(status.tables.map((table) => [table.table, table.loaded_rows]));
  seen.latency_is_measured = status.aws.latency !== null;
  await cdc('changes', ['load', join(repository, 'sql', 'changes.sql'), '--yes']);
  console.error(`waiting ${values.wait} s for the change file`);
  await sleep(Number(values.wait) * 1000);
  // The Glue job does not read DMS's files yet: its run says so, table by table, and that it ran is seen.
  const merged = JSON.parse((await cdc('merge', ['merge', '--json'], [0, 1])).stdout);
  seen.merged = merged.tables;
  seen.run_seconds = merged.run_seconds;
  const after = JSON.parse((await cdc('status after the merge', ['status', '--json'])).stdout);
  seen.changes = after.tables.map(({ table, inserts, updates, deletes }) => ({ table, inserts, updates, deletes }));
  seen.function = after.aws.function;
  seen.merges = after.aws.merges;
  const logs = (await cdc('logs', ['logs', '--json', '--lines', '1000'])).stdout
    .split('\n')
    .filter((line) => line !== '');
  seen.log_lines = {};
  for (const { from } of logs.map((line) => JSON.parse(line))) seen.log_lines[from] = (seen.log_lines[from] ?? 0) + 1;
  await cdc('stop', ['stop']);
  await cdc('start', ['start']);
  await cdc('stop --all', ['stop', '--all']);
}

/** Whether nothing is left: the second time there is nothing to remove. */
async function remove() {
  try {
    const { stdout } = await cdc('destroy', ['destroy', '--delete-lake', '--yes', '--json']);
    seen.remaining = JSON.parse(stdout).remaining;
    const again = JSON.parse((await cdc('destroy again', ['destroy', '--delete-lake', '--yes', '--json'])).stdout);
    seen.destroy_is_stable = again.removed.length === 0;
    return true;
  } catch (error) {
    console.error(
      `${error.message}\nWhat is left costs. Once more: cd ${folder} && node ${program} destroy --delete-lake`,
    );
    return false;
  }
}

/** One command, in a process group of its own so that Ctrl-C reaches it through us alone; throws when it fails. */
async function cdc(step, words, good = [0]) {
  const isRemoval = step.startsWith('destroy');
  if (isInterrupted && !isRemoval) throw new Error('interrupted');
  console.error(`cdc ${words.join(' ')}`);
  const started = Date.now();
  const running = spawn(process.execPath, [program, ...words], {
    cwd: folder,
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (!isRemoval) child = running;
  let stdout = '';
  running.stdout.on('data', (chunk) => (stdout += chunk));
  const code = await new Promise((resolve, reject) => {
    running.once('error', reject);
    running.once('close', resolve);
  });
  child = undefined;
  const seconds = Math.round((Date.now() - started) / 1000);
  steps.push({ step, seconds, code });
  if (!good.includes(code)) throw new Error(`cdc ${words.join(' ')} ended with ${code} after ${seconds} s`);
  return { stdout };
}

async function ask(question) {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await terminal.question(question)).trim());
  } finally {
    terminal.close();
  }
}
