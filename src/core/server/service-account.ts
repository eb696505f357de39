/**
 * Whom the server runs as and where its files may lie. A database server refuses to run as root, so when the tool is
 * root it needs another user, and that user must be able to walk down to every folder it uses.
 */
import { chown, mkdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { CdcError, messageOf } from '../errors.ts';
import type { Progress } from '../progress.ts';
import { type CommandRunner, runCommand } from './run-command.ts';

export interface ServiceAccount {
  name: string;
  uid: number;
  gid: number;
}

const OWN_USER = 'cdc-mysql';

/** Undefined when the tool is not root: then the server simply runs as the person who started it. */
export async function serviceAccount(options: {
  progress: Progress;
  run?: CommandRunner;
}): Promise<ServiceAccount | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const existing = (await accountNamed(OWN_USER)) ?? (await accountNamed('mysql'));
  if (existing !== undefined) return existing;
  await createSystemUser(options.run ?? runCommand);
  const created = await accountNamed(OWN_USER);
  if (created !== undefined) {
    options.progress.done(`made the system user ${OWN_USER}: a database server does not run as root`);
    return created;
  }
  const nobody = await accountNamed('nobody');
  if (nobody !== undefined) return nobody;
  throw new CdcError('server.no-account', 'starting the private server as root: there is no other user to run it as', {
    hint: `useradd --system ${OWN_USER}`,
  });
}

async function createSystemUser(run: CommandRunner): Promise<void> {
  const created = await run('useradd', ['--system', '--no-create-home', '--shell', '/usr/sbin/nologin', OWN_USER]);
  // Alpine has busybox's adduser only.
  if (created.exitCode === 127) await run('adduser', ['-S', '-H', '-D', OWN_USER]);
}

async function accountNamed(name: string): Promise<ServiceAccount | undefined> {
  const lines = (await readFile('/etc/passwd', 'utf8')).split('\n');
  const fields = lines.map((line) => line.split(':')).find((parts) => parts[0] === name);
  if (fields === undefined) return undefined;
  return { name, uid: Number(fields[2]), gid: Number(fields[3]) };
}

/** The first folder on the way down to `folder` that the account may not pass, or undefined. */
export async function firstClosedFolder(folder: string, account: ServiceAccount): Promise<string | undefined> {
  const root = path.parse(folder).root;
  let current = root;
  for (const name of ['', ...path.relative(root, folder).split(path.sep)]) {
    current = path.join(current, name);
    const facts = await stat(current);
    const shift = facts.uid === account.uid ? 6 : facts.gid === account.gid ? 3 : 0;
    if (((facts.mode >> shift) & 1) === 0) return current;
  }
  return undefined;
}

/** Makes a folder that the server's user owns (the person's own, when the tool is not root). */
export async function makeOwnedFolder(
  folder: string,
  mode: number,
  account: ServiceAccount | undefined,
): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode });
    if (account !== undefined) await chown(folder, account.uid, account.gid);
  } catch (error) {
    throw new CdcError('server.folder', `making the server's folder ${folder}: ${messageOf(error)}`, {
      hint: `make ${path.dirname(folder)} writable, or move the pipeline to another folder`,
      cause: error,
    });
  }
}
