// Usage: node scripts/bundle.mjs [FOLDER] [--only lambda]
// Writes below FOLDER (dist):
//   lambda/index.mjs: the function that S3 calls, in one file. The AWS SDK stays outside; Lambda ships it.
//   bundle/cli.js: the command line, and beside it what its commands read when they are called. One big file is read several
//     times as fast as the hundreds of small ones that it is made of, the AWS SDK's above all.

import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'rolldown';

const source = (path) => fileURLToPath(new URL(`../src/${path}`, import.meta.url));
const { positionals, values } = parseArgs({ allowPositionals: true, options: { only: { type: 'string' } } });
const folder = positionals[0] ?? fileURLToPath(new URL('../dist', import.meta.url));
const HOUR_MS = 3_600_000;

await mkdir(join(folder, 'lambda'), { recursive: true });
await build({
  input: source('lambda/handler.ts'),
  external: [/^@aws-sdk\//, /^node:/],
  platform: 'node',
  logLevel: 'warn',
  output: { file: join(folder, 'lambda', 'index.mjs'), format: 'esm', minify: true, codeSplitting: false },
});
if (values.only !== 'lambda') await bundleCommandLine(join(folder, 'bundle'));

async function bundleCommandLine(target) {
  const { output } = await build({
    input: source('cli.ts'),
    // Drivers stay as they are installed: one is native code, the other loads parts of itself by name.
    external: [/^@duckdb\//, /^mysql2/, /^node:/],
    platform: 'node',
    logLevel: 'warn',
    output: { dir: target, format: 'esm', comments: { legal: false } },
  });
  const written = new Set(output.map(({ fileName }) => fileName));
  for (const name of await readdir(target)) {
    const path = join(target, name);
    // A program that runs may still read files of the build before.
    if (!written.has(name) && Date.now() - (await stat(path)).mtimeMs > HOUR_MS) await rm(path);
  }
}
