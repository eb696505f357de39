/** What every store promises: the same suite runs over folders, memory, S3 emulated and an S3 on a bad day. */

import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import type { Store } from '../../../src/core/store/store.ts';

/** `open` gives an empty store for each test. Listings may be late: they are right in the end, which is all that is relied on. */
export function describeStoreContract(name: string, open: () => Promise<Store>): void {
  const keysOf = async (store: Store, prefix: string, after?: string) =>
    (await store.list(prefix, after === undefined ? {} : { after })).map(({ key }) => key);

  describe(`the store over ${name}`, () => {
    it('gives back what was put, whole and with its size', async () => {
      const store = await open();
      const body = Buffer.from([0, 255, 10, 13]);
      await store.put('a/b/c.bin', body);
      expect(await store.get('a/b/c.bin')).toEqual(body);
      expect(await store.stat('a/b/c.bin')).toMatchObject({ key: 'a/b/c.bin', size: 4 });
      await store.put('a/b/c.bin', 'später 😀');
      expect((await store.get('a/b/c.bin')).toString()).toBe('später 😀');
      await store.put('empty', '');
      expect(await store.get('empty')).toHaveLength(0);
    });

    it('tells what is not there from what is: stat, get, tag, list, delete', async () => {
      const store = await open();
      await store.put('folder/file', 'x');
      for (const absent of ['nothing', 'folder', 'folder/file/below']) {
        expect(await store.stat(absent)).toBeUndefined();
        expect(await store.getIfPresent(absent)).toBeUndefined();
        expect(await store.tagOf(absent)).toBeUndefined();
        await expect(store.get(absent)).rejects.toMatchObject({ code: 'store.not-found' });
        await expect(store.materialise(absent)).rejects.toMatchObject({ code: 'store.not-found' });
      }
      await expect.poll(() => store.list('no/such/')).toEqual([]);
      await expect.poll(() => store.listFolders('no/such/')).toEqual([]);
      await store.delete('nothing');
      await store.delete('folder/file');
      await store.delete('folder/file');
      await expect.poll(() => store.list('')).toEqual([]);
    });

    it('lists every level below a prefix in the order of UTF-8 bytes', async () => {
      const store = await open();
      // '-' < '.' < '/' < '0' by bytes; U+FF5E sorts before U+1F600 by bytes and after it by UTF-16 units.
      const keys = ['a-b', 'a.b', 'a/b', 'a/b.c/d', 'a/c', 'a0', 'ab', 'é', '～', '😀'];
      for (const key of [...keys].reverse()) await store.put(key, key);
      await expect.poll(() => keysOf(store, '')).toEqual(keys);
      await expect.poll(() => keysOf(store, 'a/')).toEqual(['a/b', 'a/b.c/d', 'a/c']);
      await expect.poll(() => keysOf(store, 'a/b')).toEqual(['a/b', 'a/b.c/d']);
      await expect.poll(() => keysOf(store, '', 'a/b')).toEqual(keys.slice(3));
      await expect.poll(() => keysOf(store, 'a/', 'a/b.c')).toEqual(['a/b.c/d', 'a/c']);
    });

    it('names the folders right below a prefix', async () => {
      const store = await open();
      for (const key of ['shop/orders/1', 'shop/lines/1', 'shop/orders.bak/1', 'shop/file', 'other/x/1'])
        await store.put(key, '');
      await expect.poll(() => store.listFolders('shop/')).toEqual(['lines', 'orders', 'orders.bak']);
      await expect.poll(() => store.listFolders('')).toEqual(['other', 'shop']);
    });

    it('lets exactly one of many writers put what is absent', async () => {
      const store = await open();
      for (let round = 0; round < 10; round++) {
        const key = `log/${round}.json`;
        const writers = Array.from({ length: 8 }, (_, writer) => `${writer} `.repeat(1000));
        const won = await Promise.all(writers.map((body) => store.putIfAbsent(key, body)));
        expect(won.filter(Boolean)).toHaveLength(1);
        expect((await store.get(key)).toString()).toBe(writers[won.indexOf(true)]);
      }
      await expect.poll(() => store.list('log/')).toHaveLength(10);
    });

    it('replaces only the content that the tag names', async () => {
      const store = await open();
      await store.put('checkpoint', 'one');
      const tag = (await store.tagOf('checkpoint')) ?? '';
      expect(await store.putIfMatch('checkpoint', 'two', 'sha256:0')).toBe(false);
      const won = await Promise.all(['two', 'three'].map((body) => store.putIfMatch('checkpoint', body, tag)));
      expect(won.filter(Boolean)).toHaveLength(1);
      expect((await store.get('checkpoint')).toString()).toBe(won[0] ? 'two' : 'three');
      expect(await store.tagOf('checkpoint')).not.toBe(tag);
      expect(await store.putIfMatch('absent', 'x', tag)).toBe(false);
      expect(await store.stat('absent')).toBeUndefined();
    });

    it('gives the same tag to the same content and another to another', async () => {
      const store = await open();
      await store.put('a', 'same');
      await store.put('b', 'same');
      await store.put('c', 'other');
      expect(await store.tagOf('a')).toBe(await store.tagOf('b'));
      expect(await store.tagOf('a')).not.toBe(await store.tagOf('c'));
    });

    it('reads a range, cut at the end', async () => {
      const store = await open();
      await store.put('digits', '0123456789');
      expect((await store.getRange('digits', 2, 5)).toString()).toBe('234');
      expect((await store.getRange('digits', 8, 100)).toString()).toBe('89');
      expect(await store.getRange('digits', 20, 30)).toHaveLength(0);
      await expect(store.getRange('nothing', 0, 1)).rejects.toMatchObject({ code: 'store.not-found' });
    });

    it('publishes a local file once: hidden before, never replaced, the scratch file gone', async () => {
      const store = await open();
      const first = await store.scratchPath('data.parquet');
      await writeFile(first, 'first');
      const stop = () => {
        throw new Error('stopped before it is visible');
      };
      await expect(store.publish(first, 'table/part-1', stop)).rejects.toThrow('stopped before it is visible');
      await expect.poll(() => store.list('')).toEqual([]);
      expect(await store.publish(first, 'table/part-1', () => undefined)).toBe(true);
      expect(existsSync(first)).toBe(false);
      const second = await store.scratchPath('data.parquet');
      expect(second).not.toBe(first);
      await writeFile(second, 'second');
      expect(await store.publish(second, 'table/part-1')).toBe(false);
      expect(existsSync(second)).toBe(false);
      expect((await readFile(await store.materialise('table/part-1'))).toString()).toBe('first');
      await expect.poll(() => keysOf(store, '')).toEqual(['table/part-1']);
    });

    it('has one clock for itself and its objects', async () => {
      const store = await open();
      await store.put('first', 'x');
      const before = await store.now();
      await store.put('a', 'x');
      const after = await store.now();
      const { modified } = (await store.stat('a'))!;
      expect(modified.getTime()).toBeGreaterThanOrEqual(before.getTime());
      expect(modified.getTime()).toBeLessThanOrEqual(after.getTime());
      await expect.poll(async () => (await store.list('a'))[0]?.modified).toEqual(modified);
    });

    it('refuses a key that would leave its root or hide', async () => {
      const store = await open();
      for (const key of ['../x', 'a/../../x', '/x', 'a//b', 'a/', '', 'a/./b', 'a/.tmp-x', 'a\0b'])
        await expect(store.put(key, 'x'), key).rejects.toThrow(/is not a key/);
    });
  });
}
