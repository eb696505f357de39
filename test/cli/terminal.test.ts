import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { openProgress } from '../../src/cli/terminal.ts';

function plain(more: { quiet?: boolean; verbose?: boolean } = {}) {
  const lines: string[] = [];
  let now = 0;
  const progress = openProgress({
    write: (text) => lines.push(text),
    terminal: undefined,
    quiet: false,
    verbose: false,
    color: false,
    clock: () => now,
    ...more,
  });
  return { progress, lines, wait: (ms: number) => (now += ms) };
}

describe('progress where there is no terminal', () => {
  it('says how far the work is at most every few seconds', () => {
    const { progress, lines, wait } = plain();
    progress.update('1 %');
    progress.update('2 %');
    wait(2999);
    progress.update('3 %');
    wait(1);
    progress.update('4 %');
    expect(lines).toEqual(['1 %\n', '4 %\n']);
  });

  it('does not repeat what it has said', () => {
    const { progress, lines, wait } = plain();
    progress.update('waiting');
    wait(60_000);
    progress.update('waiting');
    expect(lines).toEqual(['waiting\n']);
  });

  it('says at once what is done and what to look out for', () => {
    const { progress, lines } = plain();
    progress.update('1 %');
    progress.done('loaded');
    progress.warn('slow');
    progress.detail('row');
    expect(lines).toEqual(['1 %\n', 'loaded\n', 'warning: slow\n']);
  });
});

describe('progress on a terminal', () => {
  it('is one line that is replaced, gone before the answer is printed, and leaves what is done', async () => {
    const stream = Object.assign(new PassThrough(), {
      isTTY: true,
      columns: 80,
      clearLine() {},
      cursorTo() {},
      moveCursor() {},
    });
    const seen: string[] = [];
    stream.on('data', (chunk: Buffer) => seen.push(chunk.toString()));
    const progress = openProgress({
      write: (text) => stream.write(text),
      terminal: stream as unknown as NodeJS.WriteStream,
      quiet: false,
      verbose: false,
      color: false,
    });
    progress.update('loading 1 of 2');
    progress.update('loading 2 of 2');
    // The spinner is fetched when there is something to wait for.
    await import('ora');
    await new Promise((resolve) => setTimeout(resolve, 50));
    progress.done('loaded');
    progress.close();
    const text = seen.join('');
    expect(text).toContain('loading 2 of 2');
    expect(text).toContain('✔ loaded\n');
    const length = text.length;
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(seen.join('')).toHaveLength(length);
  });
});
