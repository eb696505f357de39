/** Downloads and unpacks Debian packages without installing them, so without being root. */
import { mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';
import type { Progress } from '../progress.ts';
import type { CommandRunner } from './run-command.ts';

export interface FetchContext {
  cacheDir: string;
  run: CommandRunner;
  progress: Progress;
  signal?: AbortSignal | undefined;
  /** Set once the system's package lists turned out to be of no use: the options that take our own. */
  ownLists?: readonly string[];
}

/** Downloads the first of `names` that the archive has and unpacks it into `root`; throws with apt's words. */
export async function unpackPackage(context: FetchContext, names: readonly string[], root: string): Promise<void> {
  const { run, signal } = context;
  const folder = path.join(root, '.packages');
  await mkdir(folder, { recursive: true });
  const before = await readdir(folder);
  const said = await downloadFirst(context, names, folder);
  if (said !== undefined && context.ownLists !== undefined) throw new Error(said);
  if (said !== undefined) {
    await updateOwnLists(context);
    const saidAgain = await downloadFirst(context, names, folder);
    if (saidAgain !== undefined) throw new Error(saidAgain);
  }
  for (const file of await readdir(folder)) {
    if (before.includes(file) || !file.endsWith('.deb')) continue;
    const unpacked = await run('dpkg', ['-x', path.join(folder, file), root], { signal });
    if (unpacked.exitCode !== 0) throw new Error(`dpkg -x ${file}: ${lastLine(unpacked.stderr) ?? 'failed'}`);
  }
}

/** Undefined when one was downloaded, else what apt said. */
async function downloadFirst(
  context: FetchContext,
  names: readonly string[],
  folder: string,
): Promise<string | undefined> {
  let said: string | undefined;
  for (const name of names) {
    // As root apt would hand the download to a user who may not write here, and warn.
    const args = [...(context.ownLists ?? []), '-o', 'APT::Sandbox::User=root', '-q', 'download', name];
    const result = await context.run('apt-get', args, { cwd: folder, signal: context.signal });
    if (result.exitCode === 0) return undefined;
    if (result.exitCode === 127) throw new Error('this system has no apt-get');
    said ??= `apt-get download ${name}: ${lastLine(result.stderr) ?? 'failed'}`;
  }
  return said ?? 'no package to download';
}

/**
 * The system's package lists may be empty (a fresh container) or too old for the archive. Ours lie in the cache:
 * updating them needs no root, and as root leaves the system as it was.
 */
async function updateOwnLists(context: FetchContext): Promise<void> {
  const { cacheDir, run, progress, signal } = context;
  const apt = path.join(cacheDir, 'apt');
  await mkdir(path.join(apt, 'lists', 'partial'), { recursive: true });
  await mkdir(path.join(apt, 'cache', 'archives', 'partial'), { recursive: true });
  const folders = [`Dir::State::lists=${path.join(apt, 'lists')}`, `Dir::Cache=${path.join(apt, 'cache')}`];
  const options = folders.flatMap((folder) => ['-o', folder]);
  progress.update('updating the list of Debian packages');
  const result = await run('apt-get', [...options, '-o', 'APT::Sandbox::User=root', '-q', 'update'], { signal });
  if (result.exitCode !== 0) throw new Error(`apt-get update: ${lastLine(result.stderr) ?? 'failed'}`);
  context.ownLists = options;
}

function lastLine(text: string): string | undefined {
  return text
    .trim()
    .split('\n')
    .filter((line) => line.trim() !== '')
    .at(-1);
}
