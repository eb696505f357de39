/** Virtual environments of Python packages for tests, under .cache/, made when missing. */

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { withLockFile } from './lock-file.ts';

const CACHE = fileURLToPath(new URL('../../.cache/', import.meta.url));

export interface PythonEnvironment {
  /** Of its folder: `venv-{name}`. */
  name: string;
  /** Exact, as pip takes them: `moto[server]==5.2.5`. */
  packages: readonly string[];
  /** What cannot be tested without it. */
  serves: string;
}

/** The environment's python; throws where there is none to be had. */
export async function pythonOf({ name, packages }: PythonEnvironment): Promise<string> {
  const folder = join(CACHE, `venv-${name}`);
  const python = join(folder, 'bin', 'python');
  if (existsSync(folder)) return python;
  // Several test files may come here at once, and one may be killed half-way: made apart, then moved into place.
  const making = `${folder}.making`;
  await withLockFile(`${folder}.lock`, async () => {
    if (existsSync(folder)) return;
    process.stderr.write(`making ${folder} for the tests (${packages.join(', ')}) …\n`);
    const run = promisify(execFile);
    try {
      await mkdir(CACHE, { recursive: true });
      await rm(making, { recursive: true, force: true });
      await run('python3', ['-m', 'venv', making]);
      const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...packages];
      await run(join(making, 'bin', 'python'), pip);
      await rename(making, folder);
    } catch (error) {
      throw new Error(`no Python environment for the tests: ${error instanceof Error ? error.message : error}`);
    } finally {
      await rm(making, { recursive: true, force: true });
    }
  });
  return python;
}

/** False where there is no Python or PyPI, which skips the tests that need it and says how to get it; throws under CI=true. */
export async function hasPython(environment: PythonEnvironment): Promise<boolean> {
  try {
    await pythonOf(environment);
    return true;
  } catch (error) {
    if (process.env.CI === 'true') throw error;
    const { serves, packages } = environment;
    process.stderr.write(`${serves} is not tested: ${error instanceof Error ? error.message : error}\n`);
    process.stderr.write(`they run where python3 has venv and pip can install ${packages.join(' ')}\n`);
    return false;
  }
}
