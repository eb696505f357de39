/** Stops the worker, then the private server. */

import { defineCommand } from '../cli/command.ts';
import { openPipeline } from '../core/pipeline/pipeline.ts';
import { stopWorker } from '../core/pipeline/worker-process.ts';
import { stopPrivateServer } from '../core/server/stop.ts';

export interface StopOptions {
  worker: boolean;
}

export const command = defineCommand({
  arguments: {},
  options: {
    worker: { help: 'stop the worker only; the server keeps running' },
  },
  changes: true,
  description: `
    Ends the worker within ten seconds: what it has is published, its position is written, every lease is
    released. Then the private server is stopped; a server of your own is left alone. Afterwards a copy of the
    folder is a pipeline that carries on.
  `,
  examples: [
    { line: 'cdc stop', does: 'worker and private server' },
    { line: 'cdc stop --worker', does: 'the worker only' },
  ],
  parse: (input): StopOptions => ({ worker: input.has('worker') }),
  async run(options: StopOptions, context): Promise<StopReport> {
    const { signal, progress } = context;
    const { config, serverFolder } = openPipeline(await context.config(), context.env.variables);
    const report: StopReport = { worker: 'not running', server: 'left alone' };
    if (context.flags.dryRun) return report;
    if (await stopWorker(config.stateFolder, signal)) report.worker = 'stopped';
    if (options.worker || config.source.kind !== 'private') return report;
    const { stopped } = await stopPrivateServer({ folder: serverFolder, progress, signal });
    return { ...report, server: stopped ? 'stopped' : 'not running' };
  },
  render: ({ worker, server }) =>
    [
      worker === 'stopped' ? 'stopped the worker' : 'already stopped: the worker',
      ...(server === 'left alone'
        ? []
        : [server === 'stopped' ? 'stopped the private server' : 'already stopped: the private server']),
    ].join('\n'),
  next: () => ['cdc start'],
});

interface StopReport {
  worker: 'stopped' | 'not running';
  server: 'stopped' | 'not running' | 'left alone';
}
