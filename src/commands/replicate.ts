/** Copies the tables into the lake, then follows their changes with a background worker. */

import { defineCommand } from '../cli/command.ts';
import { count } from '../cli/table.ts';
import { workerCommand } from '../cli/worker-command.ts';
import { UsageError } from '../core/errors.ts';
import { startServer } from '../core/pipeline/local-resources.ts';
import { openPipeline } from '../core/pipeline/pipeline.ts';
import { type ReplicateReport, replicateHere, replicateInBackground } from '../core/pipeline/replicate.ts';
import { parseStartAt, type StartAt } from '../core/pipeline/start-at.ts';

export interface ReplicateOptions {
  fullLoad: boolean;
  ongoing: boolean;
  foreground: boolean;
  merge: boolean;
  wait: boolean;
  from: StartAt | undefined;
}

export const command = defineCommand({
  arguments: {},
  options: {
    'full-load': { help: 'copy the tables as they are now' },
    ongoing: { help: 'follow the changes from there on', default: 'both halves' },
    foreground: { help: 'work in this process until Ctrl-C, instead of in a background worker' },
    'no-merge': { help: 'write change files only; merge them yourself' },
    'no-wait': { help: 'return at once, not when the load is merged and the worker has confirmed its first position' },
    from: { value: 'POSITION', help: 'with --ongoing and no full load before: `now` or FILE:OFFSET' },
  },
  changes: true,
  description: `
    Without flags it does both halves: a full load of every table at one position of the binlog, without a lock
    beyond that instant, then everything that changes from exactly there, in order, as change files in staging/
    that are merged into the Delta tables of lake/.

    A background worker does it; it survives this terminal, a restart of the database and kill -9. Repeated, the
    command says \`already replicating\`. A table that was followed without a break is not copied again: \`cdc
    reload\` does that. On a stopped pipeline it does what \`cdc start\` does.

    A table without a primary key cannot be followed (an update could not be matched): it is refused by name,
    unless cdc.yaml gives it \`key:\` or \`mode: append\`.
  `,
  examples: [
    { line: 'cdc replicate', does: 'full load, then ongoing' },
    { line: 'cdc replicate --full-load', does: 'copy once' },
    { line: 'cdc replicate --ongoing --from now', does: 'changes from now on, without a copy' },
    { line: 'cdc replicate --foreground --verbose', does: 'watch it work' },
  ],
  parse(input): ReplicateOptions {
    const from = input.text('from');
    const both = input.has('full-load') === input.has('ongoing');
    if (from !== undefined && (input.has('full-load') || !input.has('ongoing')))
      throw new UsageError(
        '--from goes with --ongoing alone: a full load finds its own position',
        'cdc replicate --ongoing --from now',
      );
    return {
      fullLoad: both || input.has('full-load'),
      ongoing: both || input.has('ongoing'),
      foreground: input.has('foreground'),
      merge: !input.has('no-merge'),
      wait: !input.has('no-wait'),
      from: from === undefined ? undefined : parseStartAt(from),
    };
  },
  async run(options: ReplicateOptions, context): Promise<ReplicateReport> {
    const { signal, progress } = context;
    const pipeline = openPipeline(await context.config(), context.env.variables);
    await startServer({ pipeline, server: context.env, progress, signal });
    const { from, ...halves } = options;
    const request = { ...halves, ...(from === undefined ? {} : { from }) };
    if (options.foreground) return replicateHere({ pipeline, request, progress, signal });
    const command = workerCommand(pipeline.config.file, [
      ...(options.fullLoad ? ['--full-load'] : []),
      ...(options.ongoing ? ['--ongoing'] : []),
      ...(options.merge ? [] : ['--no-merge']),
      ...(from === undefined ? [] : ['--from', from === 'now' ? from : `${from.file}:${from.offset}`]),
    ]);
    return replicateInBackground({
      pipeline,
      request,
      command,
      env: context.env.variables,
      wait: options.wait,
      progress,
      signal,
    });
  },
  render: renderReplicate,
  json: ({ state, pid, position, tables }) => ({ state, pid, position, tables }),
  next: (report) =>
    report.state === 'finished' ? ['cdc replicate --ongoing', 'cdc query'] : ['cdc status', 'cdc stop'],
});

export function renderReplicate(report: ReplicateReport): string {
  const tables = count(report.tables.length, 'table');
  switch (report.state) {
    case 'already':
      return `already replicating (pid ${report.pid})`;
    case 'finished':
      return `loaded ${tables}`;
    case 'started':
      return report.position === null
        ? `replicating (pid ${report.pid})`
        : `replicating ${tables} from ${report.position} (pid ${report.pid})`;
  }
}
