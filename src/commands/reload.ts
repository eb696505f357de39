/** Copies a table anew and replaces the lake table in one commit. */

import { defineCommand } from '../cli/command.ts';
import { workerCommand } from '../cli/worker-command.ts';
import { CheckpointWriter, readCheckpoint, tablesOf } from '../core/capture/checkpoint.ts';
import { formatTableName } from '../core/change.ts';
import { CAPTURE_LEASE } from '../core/change-file/layout.ts';
import { CancelledError, CdcError } from '../core/errors.ts';
import { restartServer } from '../core/pipeline/local-resources.ts';
import { openPipeline } from '../core/pipeline/pipeline.ts';
import { forgetTables, type ReplicateReport, replicateInBackground } from '../core/pipeline/replicate.ts';
import { refuseSecondWorker, stopWorker } from '../core/pipeline/worker-process.ts';
import { withLease } from '../core/store/lease.ts';
import { matchesPattern } from '../core/table-pattern.ts';

export interface ReloadOptions {
  tables: string[];
}

export const command = defineCommand({
  arguments: {
    table: { required: true, help: 'schema.table, or a pattern such as shop.%' },
  },
  options: {},
  changes: true,
  asks: true,
  onAws: () => import('./on-aws/reload.ts').then((file) => file.reloadOnAws),
  description: `
    Makes a new full load of the table and replaces the lake table by it in one commit; readers see the old rows
    until then. It is the way on for a table that stopped because its history cannot be followed any more, and
    it says which tables it will touch before it asks.
  `,
  examples: [
    { line: 'cdc reload shop.orders', does: 'one table' },
    { line: "cdc reload 'shop.%' --yes", does: 'a whole schema, without a question' },
  ],
  parse: (input): ReloadOptions => ({ tables: [input.need('table')] }),
  async run(options: ReloadOptions, context): Promise<ReloadReport> {
    const { signal, progress, env } = context;
    const pipeline = openPipeline(await context.config(), env.variables);
    const { staging, config } = pipeline;
    const checkpoint = await readCheckpoint(staging);
    const followed = tablesOf(checkpoint).map(({ name }) => name);
    const tables = followed.filter((name) => options.tables.some((pattern) => matchesPattern(pattern, name)));
    const names = tables.map(formatTableName);
    if (checkpoint === undefined || tables.length === 0)
      throw new CdcError(
        'table.not-followed',
        `reloading ${options.tables.join(', ')}: no table of that name is followed`,
        { hint: 'cdc status   # lists those that are' },
      );
    if (context.flags.dryRun) return { tables: names, worker: undefined };
    if (
      !(await context.confirm(
        `This copies ${names.join(', ')} anew and replaces the lake table${tables.length === 1 ? '' : 's'} by the copy.`,
      ))
    )
      throw new CancelledError('nothing was reloaded');
    // The tables are taken out of the checkpoint while nobody captures; the worker finds them not loaded, and loads them.
    await stopWorker(config.stateFolder, signal);
    await refuseSecondWorker(pipeline);
    await withLease({ store: staging, folder: CAPTURE_LEASE, engine: 'cdc', signal }, async () => {
      const { writer, current } = await CheckpointWriter.open(staging);
      if (current !== undefined) await writer.write(forgetTables(current, tables));
    });
    await restartServer({ pipeline, server: env, progress, signal });
    const { merge } = checkpoint;
    const command = workerCommand(config.file, merge ? [] : ['--no-merge']);
    const worker = await replicateInBackground({
      pipeline,
      request: { fullLoad: true, ongoing: true, merge },
      command,
      env: env.variables,
      wait: true,
      progress,
      signal,
    });
    return { tables: names, worker };
  },
  render: ({ tables, worker }) => `${worker === undefined ? 'would reload' : 'reloaded'} ${tables.join(', ')}`,
  next: ({ worker }) => (worker === undefined ? [] : ['cdc status']),
});

interface ReloadReport {
  tables: string[];
  worker: ReplicateReport | undefined;
}
