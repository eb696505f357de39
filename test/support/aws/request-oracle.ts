/** botocore, Amazon's own model of its APIs, as judge of the requests that were sent. */

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { pythonOf } from '../python-environment.ts';
import { EMULATOR_PYTHON } from './emulator.ts';

const SCRIPT = fileURLToPath(new URL('./request_oracle.py', import.meta.url));

/** What is wrong with the requests of a recording (`recordCalls().file`): members, types, lengths, patterns, enumerations. */
export async function findBadRequests(file: string): Promise<{ checked: number; findings: string[] }> {
  const python = await pythonOf(EMULATOR_PYTHON);
  const output = await new Promise<string>((resolve, reject) => {
    execFile(python, [SCRIPT, file], { maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      // Exit code 1 says that there are findings.
      if (error !== null && error.code !== 1) reject(new Error(`request_oracle.py: ${stderr || error.message}`));
      else resolve(stdout);
    });
  });
  const lines = output.trimEnd().split('\n');
  const checked = Number(/^(\d+) requests checked/.exec(lines.pop() ?? '')?.[1]);
  if (!Number.isInteger(checked)) throw new Error(`request_oracle.py said: ${output}`);
  return { checked, findings: lines };
}
