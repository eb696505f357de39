/** Shared libraries that an unpacked server wants and this system lacks: fetched beside it, as packages unpacked only. */
import { copyFile, mkdir, readdir, rm, stat, symlink } from 'node:fs/promises';
import path from 'node:path';
import { LIBRARY_FOLDER } from './binary-cache.ts';
import { type FetchContext, unpackPackage } from './debian-package.ts';

/** Debian's and Ubuntu's packages of a library, the newest name first (t64: 64-bit time, since 2024). */
const PACKAGES: Record<string, string[]> = {
  'libaio.so.1': ['libaio1t64', 'libaio1'],
  'libcrypt.so.1': ['libcrypt1'],
  'liblz4.so.1': ['liblz4-1'],
  'liblzma.so.5': ['liblzma5'],
  'libncurses.so.6': ['libncurses6'],
  'libtinfo.so.6': ['libtinfo6'],
  'libnuma.so.1': ['libnuma1'],
  'libpcre2-8.so.0': ['libpcre2-8-0'],
  'libpmem.so.1': ['libpmem1'],
  'libsnappy.so.1': ['libsnappy1v5'],
  'libssl.so.3': ['libssl3t64', 'libssl3'],
  'libsystemd.so.0': ['libsystemd0'],
  'liburing.so.2': ['liburing2'],
  'libzstd.so.1': ['libzstd1'],
};

/** Looks with `ldd` until nothing is missing; a fetched library may want another one. */
export async function addMissingLibraries(context: FetchContext, root: string, mysqld: string): Promise<void> {
  const folder = path.join(root, LIBRARY_FOLDER);
  const tried = new Set<string>();
  for (;;) {
    const missing = await missingLibraries(context, mysqld, folder);
    if (missing.length === 0) return;
    for (const name of missing) {
      const packages = PACKAGES[name];
      if (packages === undefined || tried.has(name)) throw new Error(`the library ${name} is missing on this system`);
      tried.add(name);
      context.progress.update(`fetching ${name}`);
      await addLibrary(context, { name, packages, root, folder });
    }
  }
}

async function missingLibraries(context: FetchContext, mysqld: string, folder: string): Promise<string[]> {
  const { run, signal } = context;
  // musl's ldd and a system without one: the server's own start tells.
  const result = await run('ldd', [mysqld], { env: { LD_LIBRARY_PATH: folder }, signal });
  return [...result.stdout.matchAll(/^\s*(\S+) => not found/gm)].flatMap((found) => found[1] ?? []);
}

async function addLibrary(
  context: FetchContext,
  library: { name: string; packages: string[]; root: string; folder: string },
): Promise<void> {
  const { name, packages, root, folder } = library;
  const unpacked = path.join(root, '.library');
  await unpackPackage(context, packages, unpacked);
  await mkdir(folder, { recursive: true });
  for (const entry of await readdir(unpacked, { recursive: true })) {
    const file = path.join(unpacked, entry);
    if (!/\.so\.\d/.test(path.basename(entry)) || !(await stat(file)).isFile()) continue;
    // copyFile follows links, so a library is there under each of its names.
    await copyFile(file, path.join(folder, path.basename(entry)));
  }
  await rm(unpacked, { recursive: true, force: true });
  const names = await readdir(folder);
  // libaio1t64 renamed its library, which is the same for a 64-bit program.
  const renamed = names.find((other) => other === `${name}t64`);
  if (!names.includes(name) && renamed !== undefined) await symlink(renamed, path.join(folder, name));
}
