// Usage: node scripts/bundle-lambda.mjs [FOLDER]
// Writes lambda/index.mjs below FOLDER (dist): the function that S3 calls, in one file. The AWS SDK stays outside; Lambda
// ships it.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';

const folder = join(process.argv[2] ?? fileURLToPath(new URL('../dist', import.meta.url)), 'lambda');
await mkdir(folder, { recursive: true });
await build({
  input: fileURLToPath(new URL('../src/lambda/handler.ts', import.meta.url)),
  external: [/^@aws-sdk\//, /^node:/],
  platform: 'node',
  logLevel: 'warn',
  output: { file: join(folder, 'index.mjs'), format: 'esm', minify: true, codeSplitting: false },
});
