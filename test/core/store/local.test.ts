import { chmod, link, mkdir, readdir, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openLocalStore } from '../../../src/core/store/local.ts';
import { writeError } from '../../../src/core/store/local-error.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { temporaryFolder } from '../../support/temp-folder.ts';
import { describeStoreContract } from './store-contract.ts';

describeStoreContract('a folder', async () => openLocalStore(await temporaryFolder()));
describeStoreContract('a folder without hard links', async () =>
  openLocalStore(await temporaryFolder(), { hardLinks: false }),
);
describeStoreContract('a folder that is not there yet', async () =>
  openLocalStore(join(await temporaryFolder(), 'not', 'yet')),
);
describeStoreContract('memory', async () => new MemoryStore());

describe('the store over a folder', () => {
  it('shows no temporary file, and sweeps away those that a killed process left a day ago', async () => {
    const root = await temporaryFolder();
    const store = openLocalStore(root);
    await store.put('table/part', 'x');
    const scratch = await store.scratchPath('half.parquet');
    await writeFile(scratch, 'half');
    await mkdir(join(root, 'table/.tmp-folder'));
    await writeFile(join(root, 'table/.tmp-old'), 'half');
    await writeFile(join(root, 'table/.tmp-new'), 'half');
    const long = new Date(Date.now() - 2 * 86_400_000);
    for (const old of [scratch, join(root, 'table/.tmp-old'), join(root, 'table/.tmp-folder')])
      await utimes(old, long, long);
    expect((await store.list('')).map(({ key }) => key)).toEqual(['table/part']);
    expect(await store.listFolders('')).toEqual(['table']);
    expect(await store.sweep()).toBe(3);
    expect(await readdir(join(root, 'table'))).toEqual(['.tmp-new', 'part']);
    expect(await readdir(join(root, '.tmp-scratch'))).toEqual([]);
  });

  it('leaves no temporary file behind, whether a put wins or loses', async () => {
    const root = await temporaryFolder();
    const store = openLocalStore(root);
    await store.put('a', '1');
    expect(await store.putIfAbsent('a', '2')).toBe(false);
    await mkdir(join(root, 'folder'));
    await expect(store.put('folder', 'x')).rejects.toMatchObject({ code: 'store.failed' });
    expect((await readdir(root)).sort()).toEqual(['a', 'folder']);
  });

  it('follows a link to a folder, as people make them to move data to a larger disk', async () => {
    const root = await temporaryFolder();
    const elsewhere = await temporaryFolder();
    await symlink(elsewhere, join(root, 'shop'));
    const store = openLocalStore(root);
    await store.put('shop/orders/1', 'x');
    expect((await store.list('')).map(({ key }) => key)).toEqual(['shop/orders/1']);
    expect(await store.listFolders('')).toEqual(['shop']);
  });

  it('uses another name for an object only by linking, so a published file keeps its inode', async () => {
    const root = await temporaryFolder();
    const store = openLocalStore(root);
    const scratch = await store.scratchPath('x');
    await writeFile(scratch, 'x');
    const kept = join(root, 'kept');
    await link(scratch, kept);
    await store.publish(scratch, 'a/x');
    await writeFile(kept, 'changed through the old inode');
    expect((await store.get('a/x')).toString()).toBe('changed through the old inode');
  });

  it('names a folder that may not be read or written, with its cure', async () => {
    const root = await temporaryFolder();
    const store = openLocalStore(root);
    await store.put('a/x', 'x');
    await chmod(root, 0o755);
    await chmod(join(root, 'a'), 0o000);
    await asOrdinaryUser(async () => {
      await expect(store.list('a/')).rejects.toMatchObject({ code: 'store.not-readable' });
      await expect(store.get('a/x')).rejects.toMatchObject({ code: 'store.not-readable' });
      const writes = [() => store.put('a/y', 'y'), () => store.putIfAbsent('a/b/y', 'y'), () => store.delete('a/x')];
      for (const write of writes)
        await expect(write()).rejects.toMatchObject({
          code: 'store.not-writable',
          message: expect.stringContaining(join(root, 'a')),
          hint: expect.stringContaining('chmod'),
        });
    });
    await chmod(join(root, 'a'), 0o700);
    expect((await store.list('')).map(({ key }) => key)).toEqual(['a/x']);
  });

  it.each([
    ['EACCES', 'store.not-writable'],
    ['EROFS', 'store.not-writable'],
    ['ENOSPC', 'store.full'],
    ['EDQUOT', 'store.full'],
    ['EIO', 'store.failed'],
  ])('says %s as %s with the path', (code, expected) => {
    const error = writeError('/lake/x', Object.assign(new Error(code), { code }));
    expect(error).toMatchObject({ code: expected, message: expect.stringContaining('/lake/x') });
  });
});

/** Permissions do not bind root: as root, works as nobody for a while. */
async function asOrdinaryUser(work: () => Promise<void>): Promise<void> {
  if (process.geteuid?.() !== 0) return await work();
  process.seteuid?.(65534);
  try {
    await work();
  } finally {
    process.seteuid?.(0);
  }
}
