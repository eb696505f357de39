/** Stops the worker, then the private server. */

import { defineCommand } from '../cli/command.ts';
import { openPipeline } from '../core/pipeline/pipeline.ts';
import { findWorker, stopWorker } from '../core/pipeline/worker-process.ts';
import { privateServerState } from '../core/server/state.ts';
import { stopPrivateServer } from '../core/server/stop.ts';

export interface StopOptions {
  worker: boolean;
  all: boolean;
}

export const command = defineCommand({
  arguments: {},
  options: {
    worker: { help: 'stop the worker only; the server keeps running' },
    all: { help: 'target aws: also delete the replication instance, which cannot be stopped and costs' },
  },
  changes: true,
  onAws: () => import('./on-aws/stop.ts').then((file) => file.stopOnAws),
  description: `
    Ends the worker within ten seconds: what it has is published, its position is written, every lease is
    released. Then the private server is stopped; a server of your own is left alone. Afterwards a copy of the
    folder is a pipeline that carries on.
  `,
  examples: [
    { line: 'cdc stop', does: 'worker and private server' },
    { line: 'cdc stop --worker', does: 'the worker only' },
  ],
  parse: (input): StopOptions => ({ worker: input.has('worker'), all: input.has('all') }),
  async run(options: StopOptions, context): Promise<StopReport> {
    const { signal, progress } = context;
    const { config, serverFolder } = openPipeline(await context.config(), context.env.variables);
    const leavesServer = options.worker || config.source.kind !== 'private';
    if (context.flags.dryRun) {
      const [worker, server] = [await findWorker(config.stateFolder), await privateServerState(serverFolder)];
      return {
        worker: worker.alive || worker.starting !== undefined ? 'stopped' : 'not running',
        server: leavesServer ? 'left alone' : server.state === 'running' ? 'stopped' : 'not running',
        dry_run: true,
      };
    }
    const report: StopReport = { worker: 'not running', server: 'left alone' };
    if ((await findWorker(config.stateFolder)).alive) progress.update('stopping the worker');
    if (await stopWorker(config.stateFolder, signal)) report.worker = 'stopped';
    if (leavesServer) return report;
    const { stopped } = await stopPrivateServer({ folder: serverFolder, progress, signal });
    return { ...report, server: stopped ? 'stopped' : 'not running' };
  },
  render({ worker, server, dry_run }) {
    const line = (state: string, what: string) =>
      state !== 'stopped' ? `already stopped: ${what}` : dry_run === true ? `would stop ${what}` : `stopped ${what}`;
    return [line(worker, 'the worker'), ...(server === 'left alone' ? [] : [line(server, 'the private server')])].join(
      '\n',
    );
  },
  next: ({ dry_run }) => (dry_run === true ? [] : ['cdc start']),
});

interface StopReport {
  dry_run?: true;
  worker: 'stopped' | 'not running';
  server: 'stopped' | 'not running' | 'left alone';
}
