/** Once-made data directories under .cache/, which test servers copy instead of making their own. */
import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Progress } from '../../src/core/progress.ts';
import { prepareCache } from '../../src/core/server/binary-cache.ts';
import { findServer } from '../../src/core/server/find.ts';
import type { ServerBinary, ServerFlavor } from '../../src/core/server/server-binary.ts';
import { startPrivateServer } from '../../src/core/server/start.ts';
import { stopPrivateServer } from '../../src/core/server/stop.ts';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
/** Servers fetched for tests stay in the repository; nothing of a person's own cache is touched. */
export const TEST_CACHE = path.join(REPOSITORY, '.cache');

const WHAT_SHAPES_A_TEMPLATE = ['server-arguments.ts', 'credentials.ts', 'data-directory.ts', 'state.ts'];

/** Each flavor's binary: `CDC_TEST_MARIADBD`/`CDC_TEST_MYSQLD`, this system's, the cache's, or one fetched now. */
export function findTestServer(flavor: ServerFlavor, progress: Progress): Promise<ServerBinary> {
  const mysqld = process.env[flavor === 'mysql' ? 'CDC_TEST_MYSQLD' : 'CDC_TEST_MARIADBD'];
  return findServer({ mysqld, searchPath: process.env.PATH, cacheDir: TEST_CACHE, flavor, progress });
}

/** The folder of a stopped, fresh server to copy; made when it is not there. */
export async function serverTemplate(flavor: ServerFlavor, progress: Progress): Promise<string> {
  const binary = await findTestServer(flavor, progress);
  const templates = path.join(await prepareCache(TEST_CACHE), 'server-templates');
  const folder = path.join(templates, `${flavor}-${binary.version}-${await shapeOfTemplate(binary)}`);
  if (await isThere(folder)) return folder;
  progress.update(`making the ${flavor} ${binary.version} data directory that tests copy`);
  await mkdir(templates, { recursive: true });
  const unfinished = await mkdtemp(path.join(templates, 'unfinished-'));
  await chmod(unfinished, 0o755);
  try {
    await startPrivateServer({ folder: unfinished, findBinary: async () => binary, progress });
    await stopPrivateServer({ folder: unfinished, progress });
    await forgetIdentity(path.join(unfinished, 'data'));
    await rename(unfinished, folder).catch(async (error: unknown) => {
      // Another run of the tests was as fast.
      if (!(await isThere(folder))) throw error;
    });
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
  return folder;
}

/** A copy must get a server UUID and a binlog of its own. */
async function forgetIdentity(dataDir: string): Promise<void> {
  for (const name of await readdir(dataDir)) {
    if (name === 'auto.cnf' || name.startsWith('mysql-bin-changelog.')) await rm(path.join(dataDir, name));
  }
}

async function shapeOfTemplate(binary: ServerBinary): Promise<string> {
  const hash = createHash('sha256').update(binary.mysqld);
  for (const name of WHAT_SHAPES_A_TEMPLATE) {
    hash.update(await readFile(path.join(REPOSITORY, 'src/core/server', name)));
  }
  return hash.digest('hex').slice(0, 8);
}

async function isThere(folder: string): Promise<boolean> {
  return stat(folder).then(
    () => true,
    () => false,
  );
}
