/** Brings dist/ up to date with src/, once, for tests that run the built command line; several processes may ask at a time. */

import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withLockFile } from './lock-file.ts';

const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url));
const DIST = join(REPOSITORY, 'dist');
const TSC = join(REPOSITORY, 'node_modules', 'typescript', 'bin', 'tsc');
const STAMP = join('bundle', 'cli.js');
const LOCK = join(REPOSITORY, '.cache', 'build.lock');

let built: Promise<void> | undefined;

export function ensureBuilt(): Promise<void> {
  built ??= build();
  return built;
}

let bundled: Promise<void> | undefined;

/** Only dist/lambda/index.mjs, which takes a second. */
export function ensureLambdaBundled(): Promise<void> {
  bundled ??= withLockFile(LOCK, async () => {
    const aside = join(REPOSITORY, '.cache', `dist-${randomUUID()}`);
    try {
      await bundle(aside, '--only', 'lambda');
      await mkdir(join(DIST, 'lambda'), { recursive: true });
      await rename(join(aside, 'lambda', 'index.mjs'), join(DIST, 'lambda', 'index.mjs'));
    } finally {
      await rm(aside, { recursive: true, force: true });
    }
  });
  return bundled;
}

async function bundle(...words: string[]): Promise<void> {
  const { code, output } = await runNode(['scripts/bundle.mjs', ...words]);
  if (code !== 0) throw new Error(`cannot bundle: ${output}`);
}

async function build(): Promise<void> {
  if (await isFresh()) return;
  await withLockFile(LOCK, async () => {
    // Whoever held the lock before may have built just this.
    if (!(await isFresh())) await compile();
  });
}

async function isFresh(): Promise<boolean> {
  const compiled = await stat(join(DIST, STAMP)).catch(() => undefined);
  if (compiled === undefined) return false;
  for (const file of await filesIn(join(REPOSITORY, 'src'))) {
    if ((await stat(file)).mtimeMs > compiled.mtimeMs) return false;
  }
  return true;
}

/** Into a folder aside and moved file by file: another process may be running what is in dist. */
async function compile(): Promise<void> {
  const aside = join(REPOSITORY, '.cache', `dist-${randomUUID()}`);
  try {
    const { code, output } = await runNode([TSC, '-p', 'tsconfig.build.json', '--outDir', aside]);
    await bundle(aside);
    const files = await filesIn(aside);
    const stamp = join(aside, STAMP);
    if (!files.includes(stamp)) throw new Error(`cannot build dist (exit ${code}): ${output}`);
    // The stamp comes last, so that a build cut short counts as none.
    files.sort((a, b) => Number(a === stamp) - Number(b === stamp));
    for (const file of files) {
      const target = join(DIST, relative(aside, file));
      await mkdir(dirname(target), { recursive: true });
      await rename(file, target);
    }
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}

function runNode(args: string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, args, { cwd: REPOSITORY, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  child.stderr.on('data', (chunk) => (output += chunk));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output }));
  });
}

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}
