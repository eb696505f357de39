// Usage: node scripts/lambda-cold-start.mjs [ROUNDS]
// Measures what the function that S3 calls needs to start in Node: a new process each time, from its beginning until the
// handler has answered an event that starts nothing. Needs `npm run build`. Prints one line of JSON, times in milliseconds.

import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const rounds = Number(process.argv[2] ?? 20);
const bundle = fileURLToPath(new URL('../dist/lambda/index.mjs', import.meta.url));
if (!Number.isInteger(rounds) || rounds < 1 || !existsSync(bundle)) {
  process.stderr.write('usage: node scripts/lambda-cold-start.mjs [ROUNDS], after npm run build\n');
  process.exit(2);
}

// As Lambda does it: its runtime is up, then the module is imported (init), then the event is handled.
const child = `
  const begun = performance.now();
  const { handler } = await import(${JSON.stringify(bundle)});
  const imported = performance.now();
  await handler({ Service: 'Amazon S3', Event: 's3:TestEvent' });
  process.stderr.write(JSON.stringify({ import: imported - begun, answer: performance.now() - imported, node: begun }));
`;
const env = { ...process.env, AWS_REGION: 'eu-west-1', CDC_GLUE_JOB: 'shop-merge', CDC_STAGING_BUCKET: 'shop-staging' };
env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';
const seen = [];
for (let round = 0; round < rounds; round++) {
  // stderr carries the measurement, for stdout is the function's log.
  const said = execFileSync(
    'bash',
    ['-c', '"$0" --input-type=module -e "$1" 2>&1 >/dev/null', process.execPath, child],
    {
      env,
      encoding: 'utf8',
    },
  );
  seen.push(JSON.parse(said));
}
const median = (name) => {
  const values = seen.map((one) => one[name]).sort((a, b) => a - b);
  return Math.round(values[Math.floor(values.length / 2)] ?? 0);
};
process.stdout.write(
  `${JSON.stringify({ node: process.version, rounds, node_ms: median('node'), import_ms: median('import'), answer_ms: median('answer') })}\n`,
);
