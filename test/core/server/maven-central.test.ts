/** The jar with MySQL in it: got by whatever way works, checked, and read without unzip. */
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { silent } from '../../../src/core/progress.ts';
import { downloadFromMavenCentral } from '../../../src/core/server/maven-central.ts';
import type { CommandRunner } from '../../../src/core/server/run-command.ts';
import { readZipEntry } from '../../../src/core/server/zip-entry.ts';

const JAR = Buffer.from('the jar');
const artifact = {
  group: 'org.example',
  name: 'thing',
  version: '1.2',
  sha256: createHash('sha256').update(JAR).digest('hex'),
};

let cacheDir: string;
beforeEach(async () => {
  cacheDir = await mkdtemp(path.join(os.tmpdir(), 'cdc-maven-'));
});
afterEach(async () => {
  vi.unstubAllGlobals();
  await rm(cacheDir, { recursive: true, force: true });
});

const nothingThere: CommandRunner = async (command) => ({ exitCode: 127, stdout: '', stderr: `no ${command}` });

describe('downloadFromMavenCentral', () => {
  it('takes what https gives when its checksum is right', async () => {
    const asked: string[] = [];
    vi.stubGlobal('fetch', async (address: string) => {
      asked.push(address);
      return new Response(JAR);
    });
    expect(await downloadFromMavenCentral({ cacheDir, run: nothingThere, progress: silent }, artifact)).toEqual(JAR);
    expect(asked).toEqual(['https://repo1.maven.org/maven2/org/example/thing/1.2/thing-1.2.jar']);
  });

  it('goes on to curl when the network answers with its own page, and to mvn when curl fails', async () => {
    vi.stubGlobal('fetch', async () => new Response('<html>log in first</html>'));
    const ways: string[] = [];
    const run: CommandRunner = async (command, args) => {
      ways.push(command);
      if (command === 'curl') return { exitCode: 22, stdout: '', stderr: '403' };
      const folder = args.find((arg) => arg.startsWith('-DoutputDirectory='))?.split('=')[1] ?? '';
      await writeFile(path.join(folder, 'thing-1.2.jar'), JAR);
      return { exitCode: 0, stdout: '', stderr: '' };
    };
    expect(await downloadFromMavenCentral({ cacheDir, run, progress: silent }, artifact)).toEqual(JAR);
    expect(ways).toEqual(['curl', 'mvn']);
    expect(await readdir(cacheDir)).toEqual([]);
  });

  it('names every way it tried when none works', async () => {
    vi.stubGlobal('fetch', async () => new Response('gone', { status: 404 }));
    await expect(downloadFromMavenCentral({ cacheDir, run: nothingThere, progress: silent }, artifact)).rejects.toThrow(
      'https: HTTP 404; curl: no curl; mvn: no mvn',
    );
  });

  it('stops at an interruption instead of trying the next way', async () => {
    const interrupt = new AbortController();
    vi.stubGlobal('fetch', async () => {
      interrupt.abort();
      throw new Error('aborted');
    });
    const run = vi.fn(nothingThere);
    const context = { cacheDir, run, progress: silent, signal: interrupt.signal };
    await expect(downloadFromMavenCentral(context, artifact)).rejects.toMatchObject({ code: 'cancelled' });
    expect(run).not.toHaveBeenCalled();
  });
});

/** A zip as the format describes it, with an extra field in the local header only, as Java's jar writes it. */
function zipOf(files: { name: string; content: Buffer; deflate: boolean }[], comment = ''): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, content, deflate } of files) {
    const bytes = deflate ? deflateRawSync(content) : content;
    const extra = Buffer.from([0xfe, 0xca, 0, 0]);
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(deflate ? 8 : 0, 8);
    local.writeUInt16LE(name.length, 26);
    local.writeUInt16LE(extra.length, 28);
    const central = Buffer.alloc(46);
    central.writeUInt32LE(0x02014b50, 0);
    central.writeUInt16LE(deflate ? 8 : 0, 10);
    central.writeUInt32LE(bytes.length, 20);
    central.writeUInt32LE(content.length, 24);
    central.writeUInt16LE(name.length, 28);
    central.writeUInt32LE(offset, 42);
    directory.push(central, Buffer.from(name));
    parts.push(local, Buffer.from(name), extra, bytes);
    offset += 30 + name.length + extra.length + bytes.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(files.length, 10);
  end.writeUInt32LE(offset, 16);
  end.writeUInt16LE(comment.length, 20);
  return Buffer.concat([...parts, central, end, Buffer.from(comment)]);
}

describe('readZipEntry', () => {
  const text = Buffer.from('a'.repeat(1000));
  const zip = zipOf(
    [
      { name: 'META-INF/', content: Buffer.alloc(0), deflate: false },
      { name: 'stored', content: text, deflate: false },
      { name: 'deflated', content: text, deflate: true },
    ],
    'a comment',
  );

  it.each(['stored', 'deflated'])('reads a %s file', (name) => {
    expect(readZipEntry(zip, name)).toEqual(text);
  });

  it('names the file that is not there', () => {
    expect(() => readZipEntry(zip, 'mysql.tar.gz')).toThrow('the zip has no mysql.tar.gz');
  });

  it('refuses what is no zip', () => {
    expect(() => readZipEntry(Buffer.from('<html>'.repeat(20)), 'x')).toThrow('not a zip');
  });
});
