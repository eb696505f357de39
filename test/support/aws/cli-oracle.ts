/** botocore, which the AWS command line is built on, as reader of a script of its commands. */

import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { z } from 'zod';
import { pythonOf } from '../python-environment.ts';
import { EMULATOR_PYTHON } from './emulator.ts';
import { findBadRequests } from './request-oracle.ts';

const SCRIPT = fileURLToPath(new URL('./cli_oracle.py', import.meta.url));
const call = z.object({ service: z.string(), operation: z.string(), input: z.record(z.string(), z.unknown()) });
export type CliCall = z.infer<typeof call>;

/**
 * The calls that its commands make. `values` are those of its variables; one that is not among them reads `var-NAME`.
 * Throws for a script that bash cannot read, for words that the command line does not know, and for a request that AWS's
 * model of its API refuses.
 */
export async function readCliScript(
  script: string,
  { folder, values }: { folder: string; values: ReadonlyMap<string, string> },
): Promise<CliCall[]> {
  const file = join(folder, 'commands.sh');
  await writeFile(file, script);
  await promisify(execFile)('bash', ['-n', file]);
  const { stdout } = await promisify(execFile)(await pythonOf(EMULATOR_PYTHON), [SCRIPT, file]);
  const text = stdout.replace(/var-([A-Z_]+[A-Z0-9])/g, (name, variable: string) => values.get(variable) ?? name);
  const calls = join(folder, 'printed.jsonl');
  await writeFile(calls, text);
  const { findings } = await findBadRequests(calls);
  if (findings.length > 0) throw new Error(`the commands are not as AWS takes them: ${findings.join('; ')}`);
  const lines = text.trimEnd().split('\n');
  return lines.map((line) => call.parse(JSON.parse(line)));
}
