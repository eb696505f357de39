/** An archive of the classes that Spark reads as it starts, checked and laid out once: every start after it is twice as fast. */

import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { withLockFile } from './lock-file.ts';

const SCRIPT = fileURLToPath(new URL('../../scripts/glue/merge_changes.py', import.meta.url));
const run = promisify(execFile);

/**
 * The archive in `folder` of this Java and these jars, made when missing by a run that finds nothing to do; undefined where
 * this Java makes none. `words`: what starts Spark, but for the archive.
 */
export async function sparkArchive(
  folder: string,
  java: string,
  sparkHome: string,
  words: (javaOptions: string) => readonly string[],
): Promise<string | undefined> {
  // Java takes it for the very files only that it was made of.
  const { stderr: version } = await run(java, ['-version']);
  const { mtimeMs } = await stat(join(sparkHome, 'jars'));
  const key = JSON.stringify([version, sparkHome, mtimeMs, words('')]);
  const archive = join(folder, `spark-${createHash('sha256').update(key).digest('hex').slice(0, 12)}.jsa`);
  if (existsSync(archive)) return archive;
  await withLockFile(`${archive}.lock`, async () => {
    if (existsSync(archive)) return;
    const places = await mkdtemp(join(tmpdir(), 'cdc-spark-'));
    const making = `${archive}.${randomUUID()}`;
    try {
      await mkdir(dirname(archive), { recursive: true });
      const [command = '', ...rest] = words(`-XX:ArchiveClassesAtExit=${making}`);
      await run(command, [...rest, SCRIPT, '--staging', places, '--lake', places, '--pipeline', 'nothing']);
      if (existsSync(making)) await rename(making, archive);
    } finally {
      await Promise.all([places, making].map((path) => rm(path, { recursive: true, force: true })));
    }
  });
  return existsSync(archive) ? archive : undefined;
}
