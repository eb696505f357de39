/** Starts the private server and the worker again where they stopped. */

import { defineCommand } from '../cli/command.ts';
import { workerCommand } from '../cli/worker-command.ts';
import { readCheckpoint } from '../core/capture/checkpoint.ts';
import { startServer } from '../core/pipeline/local-resources.ts';
import { openPipeline } from '../core/pipeline/pipeline.ts';
import { type ReplicateReport, replicateInBackground } from '../core/pipeline/replicate.ts';
import { renderReplicate } from './replicate.ts';

export interface StartOptions {
  wait: boolean;
}

export const command = defineCommand({
  arguments: {},
  options: {
    'no-wait': { help: 'return at once, not when the worker has confirmed its position' },
  },
  changes: true,
  description: `
    Starts the private server, then the worker, which goes on from exactly where it stopped. When the binlog no
    longer reaches back that far, it says so and names the tables to reload; nothing is skipped.
  `,
  examples: [{ line: 'cdc start', does: 'carry on' }],
  parse: (input): StartOptions => ({ wait: !input.has('no-wait') }),
  async run(options: StartOptions, context): Promise<StartReport> {
    const { signal, progress, env } = context;
    const pipeline = openPipeline(await context.config(), env.variables);
    const server = await startServer({ pipeline, server: env, progress, signal });
    const serverState = server === undefined ? 'not ours' : server.adopted ? 'already running' : 'started';
    const checkpoint = await readCheckpoint(pipeline.staging);
    if (checkpoint === undefined) return { server: serverState, worker: undefined };
    const { merge } = checkpoint;
    const command = workerCommand(pipeline.config.file, merge ? [] : ['--no-merge']);
    const request = { fullLoad: true, ongoing: true, merge };
    const worker = await replicateInBackground({
      pipeline,
      request,
      command,
      env: env.variables,
      wait: options.wait,
      progress,
      signal,
    });
    return { server: serverState, worker };
  },
  render: ({ server, worker }) =>
    [
      ...(server === 'not ours' ? [] : [`server ${server}`]),
      worker === undefined ? 'nothing was replicated yet, so no worker' : renderReplicate(worker),
    ].join('\n'),
  next: ({ worker }) => (worker === undefined ? ['cdc replicate'] : ['cdc status']),
});

interface StartReport {
  server: string;
  /** undefined when there is no checkpoint to go on from. */
  worker: ReplicateReport | undefined;
}
