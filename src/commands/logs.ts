/** Prints the worker's log. */

import { open, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Context, defineCommand } from '../cli/command.ts';
import { nativeCodeOf, UsageError } from '../core/errors.ts';
import { openPipeline } from '../core/pipeline/pipeline.ts';
import { workerLogPath } from '../core/pipeline/worker-state.ts';

export interface LogsOptions {
  follow: boolean;
  lines: number;
}

export const command = defineCommand({
  arguments: {},
  options: {
    follow: { short: 'f', help: 'go on printing what is added, until Ctrl-C' },
    lines: { value: 'N', help: 'how many of the last lines', default: '50' },
  },
  onAws: () => import('./on-aws/logs.ts').then((file) => file.logsOnAws),
  description: `
    Prints the end of the worker's log: one line per file, batch and change of state, with table and position.
    With --json, one object a line.
  `,
  examples: [
    { line: 'cdc logs', does: 'the last lines' },
    { line: 'cdc logs --follow', does: 'as it goes on' },
  ],
  parse: (input): LogsOptions => ({
    follow: input.has('follow'),
    lines: parseLines(input.text('lines')),
  }),
  async run(options: LogsOptions, context): Promise<void> {
    const { config } = openPipeline(await context.config(), context.env.variables);
    const path = workerLogPath(config.stateFolder);
    const text = await readFrom(path, 0);
    if (text === undefined) context.progress.warn(`no worker has run here yet: there is no ${path}`);
    const lines = (text ?? '').split('\n').slice(0, -1);
    for (const line of lines.slice(-options.lines)) await print(context, line);
    if (options.follow) await follow(path, Buffer.byteLength(text ?? ''), context);
  },
  render: () => '',
  json: () => undefined,
});

async function print(context: Context, line: string): Promise<void> {
  const [, time, text] = /^(?:cdc: )?(?:warning: )?(\d{4}-\d\d-\d\dT[\d:.]+Z) (.*)$/.exec(line) ?? [];
  await context.emit({ time: time ?? null, text: text ?? line }, line);
}

async function follow(path: string, from: number, context: Context): Promise<void> {
  let offset = from;
  let rest = '';
  while (!context.signal.aborted) {
    // The worker empties a log that has grown too large.
    if (((await stat(path).catch(() => undefined))?.size ?? offset) < offset) offset = 0;
    const more = await readFrom(path, offset);
    if (more !== undefined && more !== '') {
      offset += Buffer.byteLength(more);
      const lines = (rest + more).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) await print(context, line);
    }
    await sleep(200, undefined, { signal: context.signal }).catch(() => undefined);
  }
}

/** undefined when there is no file. */
async function readFrom(path: string, offset: number): Promise<string | undefined> {
  try {
    const size = (await stat(path)).size;
    if (size <= offset) return '';
    const file = await open(path);
    try {
      const bytes = Buffer.alloc(size - offset);
      const { bytesRead } = await file.read(bytes, 0, bytes.length, offset);
      return bytes.toString('utf8', 0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (nativeCodeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function parseLines(text: string | undefined): number {
  if (text === undefined) return 50;
  if (!/^\d+$/.test(text)) throw new UsageError(`--lines ${text}: write a number of lines`);
  return Number(text);
}
