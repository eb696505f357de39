/** A folder for what does not fit in memory, of this process alone: two of DuckDB's in one folder would take each other's files. */

import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Makes it below `base`, and removes it whatever happens. */
export async function withSpillFolder<T>(base: string, work: (folder: string) => Promise<T>): Promise<T> {
  await mkdir(base, { recursive: true });
  const folder = await mkdtemp(join(base, 'spill-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
