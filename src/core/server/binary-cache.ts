/** The folder of fetched servers: what is in it, and how a new one gets there whole or not at all. */
import { chmod, mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { CdcError, messageOf, nativeCodeOf } from '../errors.ts';
import { compareVersions, type ServerFlavor } from './server-binary.ts';
import { firstClosedFolder } from './service-account.ts';

export interface UnpackedServer {
  mysqld: string;
  env: Record<string, string>;
}

// As root with a cache under /root: the server's user could not read its own files there.
const ROOT_CACHE = '/var/cache/cdc';

/** Makes the cache folder; returns another one when the server's user could not read this one. */
export async function prepareCache(cacheDir: string): Promise<string> {
  let folder = cacheDir;
  try {
    await mkdir(cacheDir, { recursive: true });
    folder = await readableCache(cacheDir);
    await mkdir(folder, { recursive: true, mode: 0o755 });
    return folder;
  } catch (error) {
    throw new CdcError('server.cache', `making the cache folder ${folder}: ${messageOf(error)}`, {
      hint: 'set CDC_CACHE to a folder that can be written',
      cause: error,
    });
  }
}

async function readableCache(cacheDir: string): Promise<string> {
  if (process.getuid?.() !== 0) return cacheDir;
  // Whichever user the server will run as, it is none of these.
  const anybody = { name: 'anybody', uid: -1, gid: -1 };
  const closed = await firstClosedFolder(cacheDir, anybody).catch(() => undefined);
  return closed === undefined ? cacheDir : ROOT_CACHE;
}

/** Unpacked servers, the newest first; MariaDB before MySQL when no flavor is asked for, for it is smaller and starts faster. */
export async function cachedServers(options: {
  cacheDir: string;
  flavor?: ServerFlavor | undefined;
}): Promise<UnpackedServer[]> {
  const found: (UnpackedServer & { flavor: string; version: string })[] = [];
  const cacheDir = await readableCache(options.cacheDir);
  for (const name of await readdir(cacheDir).catch(() => [])) {
    const [, flavor, version] = /^(mariadb|mysql)-(\d+\.\d+\.\d+)$/.exec(name) ?? [];
    if (flavor === undefined || version === undefined) continue;
    if (options.flavor !== undefined && options.flavor !== flavor) continue;
    const unpacked = await unpackedServer(path.join(cacheDir, name));
    if (unpacked !== undefined) found.push({ ...unpacked, flavor, version });
  }
  return found.sort((a, b) =>
    a.flavor === b.flavor ? compareVersions(b.version, a.version) : a.flavor < b.flavor ? -1 : 1,
  );
}

/** A cached server: its mysqld, and the libraries that lie beside it for systems that lack them. */
export async function unpackedServer(root: string): Promise<UnpackedServer | undefined> {
  for (const name of ['usr/sbin/mariadbd', 'bin/mysqld']) {
    const mysqld = path.join(root, name);
    const there = await stat(mysqld).then(
      () => true,
      () => false,
    );
    if (there) return { mysqld, env: await libraryEnv(root) };
  }
  return undefined;
}

export const LIBRARY_FOLDER = 'missing-libraries';

async function libraryEnv(root: string): Promise<Record<string, string>> {
  const folder = path.join(root, LIBRARY_FOLDER);
  const names = await readdir(folder).catch(() => []);
  return names.length === 0 ? {} : { LD_LIBRARY_PATH: folder };
}

/** Runs `unpack` in a folder beside and renames it when all is there: a killed fetch leaves no half server. */
export async function unpackIntoCache(
  cacheDir: string,
  unpack: (temporary: string) => Promise<{ name: string }>,
): Promise<string> {
  await removeLeftovers(cacheDir);
  const temporary = await mkdtemp(path.join(cacheDir, 'unfinished-'));
  try {
    await chmod(temporary, 0o755);
    const { name } = await unpack(temporary);
    const root = path.join(cacheDir, name);
    try {
      await rename(temporary, root);
    } catch (error) {
      if (nativeCodeOf(error) !== 'ENOTEMPTY' && nativeCodeOf(error) !== 'EEXIST') throw error;
      // There is one that does not work (else nothing would have been fetched), or another process was as fast.
      const old = await mkdtemp(path.join(cacheDir, 'unfinished-'));
      await rename(root, path.join(old, name));
      await rename(temporary, root);
      await rm(old, { recursive: true, force: true });
    }
    return root;
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

const DAY_MS = 24 * 3600 * 1000;

/** What killed fetches left; a day is longer than any fetch takes. */
async function removeLeftovers(cacheDir: string): Promise<void> {
  for (const name of await readdir(cacheDir)) {
    const folder = path.join(cacheDir, name);
    if (!name.startsWith('unfinished-') || Date.now() - (await stat(folder)).mtimeMs < DAY_MS) continue;
    await rm(folder, { recursive: true, force: true });
  }
}
