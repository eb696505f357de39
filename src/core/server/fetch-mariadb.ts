/** MariaDB from Debian's or Ubuntu's archive, unpacked into the cache: nothing is installed, no service starts. */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { type UnpackedServer, unpackedServer, unpackIntoCache } from './binary-cache.ts';
import { type FetchContext, unpackPackage } from './debian-package.ts';
import { parseVersionLine } from './server-binary.ts';
import { addMissingLibraries } from './shared-libraries.ts';

// Before Debian 12 and Ubuntu 23.04 the version was part of the name.
const PACKAGES = ['mariadb-server-core', 'mariadb-server-core-10.6', 'mariadb-server-core-10.5'];

export async function fetchMariadb(context: FetchContext): Promise<UnpackedServer> {
  const { run, progress, signal } = context;
  progress.update('fetching MariaDB (a Debian package of 7 MB, unpacked only)');
  const root = await unpackIntoCache(context.cacheDir, async (temporary) => {
    await unpackPackage(context, PACKAGES, temporary);
    const mysqld = path.join(temporary, 'usr', 'sbin', 'mariadbd');
    await addMissingLibraries(context, temporary, mysqld);
    await rm(path.join(temporary, '.packages'), { recursive: true, force: true });
    const unpacked = await unpackedServer(temporary);
    if (unpacked === undefined) throw new Error('the package has no usr/sbin/mariadbd');
    const said = await run(mysqld, ['--no-defaults', '--version'], { env: unpacked.env, signal });
    const facts = parseVersionLine(said.stdout);
    if (facts === undefined) throw new Error(said.stderr.trim() || 'it does not tell its version');
    return { name: `mariadb-${facts.version}` };
  });
  const unpacked = await unpackedServer(root);
  if (unpacked === undefined) throw new Error(`${root} has no server in it`);
  progress.done(`MariaDB is in ${root}`);
  return unpacked;
}
