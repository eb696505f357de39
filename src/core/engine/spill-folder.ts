/** A folder for what does not fit in memory, of one engine alone: two of DuckDB's in one folder would take each other's files. */

import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { nativeCodeOf } from '../errors.ts';

/** A new one below `base`; what killed processes left there is removed. */
export async function makeSpillFolder(base: string): Promise<string> {
  await mkdir(base, { recursive: true });
  for (const name of await readdir(base)) {
    const pid = /^spill-(\d+)-/.exec(name)?.[1];
    if (pid !== undefined && isGone(Number(pid))) await rm(join(base, name), { recursive: true, force: true });
  }
  return mkdtemp(join(base, `spill-${process.pid}-`));
}

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return nativeCodeOf(error) === 'ESRCH';
  }
}
