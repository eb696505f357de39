/** The built program as a process: what only a real process shows. */

import { spawn, spawnSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { ensureBuilt } from '../support/build.ts';
import { temporaryFolder } from '../support/temp-folder.ts';

const CDC = new URL('../../bin/cdc.js', import.meta.url).pathname;
const cdc = (args: string[], options: { cwd?: string; nodeArgs?: string[]; env?: Record<string, string> } = {}) => {
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, [...(options.nodeArgs ?? []), CDC, ...args], {
    encoding: 'utf8',
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
  });
  return { status, signal, stdout, stderr };
};

beforeAll(ensureBuilt);

/** A pipeline with nothing in it, so that `merge --watch` waits. */
async function emptyPipeline(): Promise<string> {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'cdc.yaml'), 'name: empty');
  await mkdir(join(folder, 'staging'));
  return folder;
}

describe('the program', () => {
  it('ends with the exit code of its command', () => {
    expect(cdc(['--version'])).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
      stderr: '',
    });
    expect(cdc(['mrege'])).toEqual({
      status: 2,
      signal: null,
      stdout: '',
      stderr: 'cdc: there is no command mrege (did you mean merge?)\n→ cdc help merge\n',
    });
  });

  it('says in one sentence that this Node is too old', () => {
    const nodeArgs = [
      '--import',
      `data:text/javascript,${encodeURIComponent("Object.defineProperty(process.versions, 'node', { value: '18.20.4' })")}`,
    ];
    expect(cdc(['--help'], { nodeArgs })).toEqual({
      status: 1,
      signal: null,
      stdout: '',
      stderr: 'cdc needs Node 20 or newer, and this is Node 18.20.4: install a newer one from https://nodejs.org\n',
    });
  });

  it('is quiet when the reader of its answer has gone', async () => {
    const child = spawn('sh', [
      '-c',
      `"$0" "$1" help merge | true; "$0" "$1" completion bash | head -1 >/dev/null`,
      process.execPath,
      CDC,
    ]);
    let stderr = '';
    child.stderr.on('data', (chunk) => (stderr += chunk));
    expect(await new Promise((resolve) => child.once('close', resolve))).toBe(0);
    expect(stderr).toBe('');
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('ends cleanly on %s, with exit code 130', async (signal) => {
    const folder = await emptyPipeline();
    const child = spawn(process.execPath, [CDC, 'merge', '--watch'], { cwd: folder });
    let stderr = '';
    await new Promise<void>((resolve) => {
      child.stderr.on('data', (chunk) => {
        stderr += chunk;
        if (stderr.includes('waiting for files')) resolve();
      });
      child.once('close', resolve);
    });
    child.kill(signal);
    expect(await new Promise((resolve) => child.once('close', resolve))).toBe(130);
    expect(stderr).toContain('cdc: interrupted\n');
  });

  it('dies where CDC_KILL_AT says, as by kill -9', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'changes.csv'), 'I,1,a\n');
    const merge = [
      'merge',
      'changes.csv',
      '--table',
      'a.b',
      '--key',
      'id',
      '--columns',
      'id int, name text',
      '--lake',
      'lake',
    ];
    expect(cdc(merge, { cwd: folder, env: { CDC_KILL_AT: 'merge.planned' } })).toMatchObject({
      status: null,
      signal: 'SIGKILL',
    });
    // The second time is never reached by one merge.
    expect(cdc(merge, { cwd: folder, env: { CDC_KILL_AT: 'merge.planned:2' } })).toMatchObject({ status: 0 });
    expect(cdc(merge, { cwd: folder, env: { CDC_KILL_AT: 'merge planned' } })).toMatchObject({ status: 2 });
  });
});
