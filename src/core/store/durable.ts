/** Files that survive a power cut: written whole, synced, and only then given their name. */

import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, link, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { nativeCodeOf } from '../errors.ts';
import { TEMPORARY } from './key.ts';

/** A new temporary name in the folder of `path`, so that both are on one file system. */
export function temporaryBeside(path: string): string {
  return join(dirname(path), `${TEMPORARY}${randomUUID()}`);
}

/** A file that was not there, whole and on disk when this returns. */
export async function writeSynced(path: string, body: Buffer | string): Promise<void> {
  const file = await open(path, 'wx');
  try {
    await file.writeFile(body);
    await file.sync();
  } finally {
    await file.close();
  }
}

export async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes the names in a folder durable; where folders cannot be opened or synced (Windows, some network shares) there is nothing to do. */
export async function syncFolder(path: string): Promise<void> {
  const unsupported = new Set(['EISDIR', 'EPERM', 'EINVAL', 'ENOTSUP', 'EBADF', 'EACCES']);
  let folder: Awaited<ReturnType<typeof open>> | undefined;
  try {
    folder = await open(path, 'r');
    await folder.sync();
  } catch (error) {
    if (!unsupported.has(nativeCodeOf(error) ?? '')) throw error;
  } finally {
    await folder?.close();
  }
}

/** Makes the folder and those above it, each durable in its parent. */
export async function makeFolder(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true });
  if (first === undefined) return;
  for (let made = path; made.length >= first.length; made = dirname(made)) await syncFolder(dirname(made));
}

const NO_HARD_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

/** Gives a synced file a second name, unless that is taken (false). 'unsupported' where the file system has no hard links; its state is then as before. */
export async function linkIfAbsent(from: string, to: string): Promise<boolean | 'unsupported'> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    const code = nativeCodeOf(error) ?? '';
    if (code === 'EEXIST') return false;
    if (NO_HARD_LINKS.has(code)) return 'unsupported';
    if (code !== 'EXDEV') throw error;
  }
  // The folder is another file system: bring the bytes over first.
  const near = temporaryBeside(to);
  try {
    await copyFile(from, near, constants.COPYFILE_EXCL);
    await syncFile(near);
    return await linkIfAbsent(near, to);
  } finally {
    await rm(near, { force: true });
  }
}

/** Replaces `to` by a synced file in one step. */
export async function replaceSynced(from: string, to: string): Promise<void> {
  await rename(from, to);
  await syncFolder(dirname(to));
}
