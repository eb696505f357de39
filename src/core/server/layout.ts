/**
 * Where a server's files go. Normally all in its folder; as root in a folder that the server's user may not enter
 * (/root), the data goes to /var/lib and the folder only points there. Sockets move to a short path when they must.
 */
import { chmod, mkdir, mkdtemp, realpath } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { CdcError } from '../errors.ts';
import type { Progress } from '../progress.ts';
import { firstClosedFolder, makeOwnedFolder, type ServiceAccount } from './service-account.ts';
import { type ServerPaths, type ServerRecord, serverPaths } from './state.ts';

// A Unix socket's path has 108 bytes on Linux and 104 on macOS, the last one zero.
const LONGEST_SOCKET_PATH = 103;
const OUTSIDE = '/var/lib/cdc';

export interface PreparedLayout {
  paths: ServerPaths;
  socket: string;
  outside: ServerRecord['outside'];
}

export interface PrepareLayoutOptions {
  /** As canonicalFolder names it. */
  folder: string;
  record: ServerRecord | undefined;
  account: ServiceAccount | undefined;
  progress: Progress;
}

/** Makes the folders, with their owners, and returns where everything is. */
export async function prepareLayout(options: PrepareLayoutOptions): Promise<PreparedLayout> {
  const { folder: owner, record, account, progress } = options;
  let outside = record?.outside;
  if (outside !== undefined) await refuseCopy(outside, owner);
  else if (account !== undefined) {
    const closed = await firstClosedFolder(owner, account);
    if (closed !== undefined) {
      await mkdir(OUTSIDE, { recursive: true, mode: 0o711 });
      const place = await mkdtemp(path.join(OUTSIDE, 'server-'));
      await chmod(place, 0o711);
      outside = { place, owner };
      progress.warn(
        `the server runs as ${account.name}, who may not enter ${closed}: its data goes to ${place} (chmod o+x ${closed} before \`cdc init\` keeps it in the pipeline's folder)`,
      );
    }
  }
  const paths = serverPaths(outside?.place ?? owner);
  await makeOwnedFolder(paths.runDir, 0o755, account);
  await makeOwnedFolder(paths.tmpDir, 0o700, account);
  return { paths, outside, socket: await socketPath(paths, record, account) };
}

/** Two folders that point to one data directory: the copy must not run it. A moved folder may. */
async function refuseCopy(outside: { place: string; owner: string }, owner: string): Promise<void> {
  if (outside.owner === owner) return;
  let original: string;
  try {
    original = await realpath(outside.owner);
  } catch {
    outside.owner = owner;
    return;
  }
  throw new CdcError(
    'server.copied',
    `starting the private server of ${owner}: its data in ${outside.place} belongs to ${original}`,
    {
      hint: `work in ${original}, or copy ${outside.place} and write the copy's path to "place" in ${path.join(owner, 'server.json')}`,
    },
  );
}

async function socketPath(
  paths: ServerPaths,
  record: ServerRecord | undefined,
  account: ServiceAccount | undefined,
): Promise<string> {
  const plain = path.join(paths.runDir, 's');
  if (Buffer.byteLength(plain) <= LONGEST_SOCKET_PATH) return plain;
  // The short folder of the last run, if a cleaner of /tmp has left it.
  if (record !== undefined && isShortSocket(record.socket)) {
    await makeOwnedFolder(path.dirname(record.socket), 0o755, account);
    return record.socket;
  }
  const folder = await mkdtemp(path.join(os.tmpdir(), 'cdc-'));
  await chmod(folder, 0o755);
  await makeOwnedFolder(folder, 0o755, account);
  return path.join(folder, 's');
}

/** True for a socket in a folder of its own under the system's temporary folder. */
export function isShortSocket(socket: string): boolean {
  const folder = path.dirname(socket);
  return path.dirname(folder) === os.tmpdir() && path.basename(folder).startsWith('cdc-');
}
