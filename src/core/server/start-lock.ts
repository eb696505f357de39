/** One start or stop at a time per server folder: two `cdc` processes must not both spawn a server. */
import { open, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CdcError, messageOf, nativeCodeOf, throwIfCancelled } from '../errors.ts';
import { isAlive } from './server-process.ts';

export async function withStartLock<T>(
  folder: string,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  const file = path.join(folder, 'start.lock');
  for (;;) {
    throwIfCancelled(signal);
    try {
      const handle = await open(file, 'wx');
      await handle.writeFile(String(process.pid));
      await handle.close();
      break;
    } catch (error) {
      if (nativeCodeOf(error) !== 'EEXIST') {
        throw new CdcError('server.folder', `writing in the server's folder ${folder}: ${messageOf(error)}`, {
          hint: 'run the command as the user who made the pipeline, or make the folder writable',
          cause: error,
        });
      }
    }
    // A killed holder leaves its file. An empty one is being written at this moment, or its writer died just there.
    const holder = await readFile(file, 'utf8').catch(() => '');
    if (holder !== '' && !(await isAlive(Number(holder)))) await rm(file, { force: true });
    else await sleep(50);
  }
  try {
    return await work();
  } finally {
    await rm(file, { force: true });
  }
}
