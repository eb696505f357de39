/** Copies the tables into the lake, then follows their changes with a background worker. */

import { defineCommand } from '../cli/command.ts';
import { count } from '../cli/table.ts';
import { workerCommand } from '../cli/worker-command.ts';
import { UsageError } from '../core/errors.ts';
import { makeFolders, restartServer } from '../core/pipeline/local-resources.ts';
import { openPipeline } from '../core/pipeline/pipeline.ts';
import { planReplicate, type ReplicatePlan } from '../core/pipeline/plan-replicate.ts';
import { type ReplicateReport, replicateHere, replicateInBackground } from '../core/pipeline/replicate.ts';
import { formatStartAt, parseStartAt, type StartAt } from '../core/pipeline/start-at.ts';

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
    from: { value: 'POSITION', help: 'with --ongoing and no full load before: `now`, FILE:OFFSET or GTID' },
  },
  changes: true,
  onAws: () => import('./on-aws/replicate.ts').then((file) => file.replicateOnAws),
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
  async run(options: ReplicateOptions, context): Promise<ReplicateAnswer> {
    const { signal, progress } = context;
    const pipeline = openPipeline(await context.config(), context.env.variables);
    const { from, ...halves } = options;
    // A worker does not start Spark twice a second: it captures, and `cdc merge` merges.
    halves.merge &&= pipeline.config.merge.engine === 'local';
    const request = { ...halves, ...(from === undefined ? {} : { from }) };
    if (context.flags.dryRun) return { kind: 'plan', plan: await planReplicate({ pipeline, request, signal }) };
    await restartServer({ pipeline, server: context.env, progress, signal });
    await makeFolders(pipeline);
    // Where it is written down, as in the worker's log, only what is done counts, not what is under way.
    const lasting = context.terminal.stderr ? progress : { ...progress, update: () => {} };
    if (options.foreground)
      return { kind: 'foreground', report: await replicateHere({ pipeline, request, progress: lasting, signal }) };
    const command = workerCommand(pipeline.config.file, [
      ...(options.fullLoad ? ['--full-load'] : []),
      ...(options.ongoing ? ['--ongoing'] : []),
      ...(halves.merge ? [] : ['--no-merge']),
      ...(from === undefined ? [] : ['--from', formatStartAt(from)]),
    ]);
    const report = await replicateInBackground({
      pipeline,
      request,
      command,
      env: context.env.variables,
      wait: options.wait,
      progress,
      signal,
    });
    return { kind: 'background', report };
  },
  render: (answer) => (answer.kind === 'plan' ? renderPlan(answer.plan) : renderReplicate(answer.report)),
  json: (answer) => (answer.kind === 'plan' ? { ...answer.plan, dry_run: true } : answer.report),
  next(answer) {
    if (answer.kind !== 'background') return [];
    return answer.report.state === 'finished' ? ['cdc replicate --ongoing', 'cdc query'] : ['cdc status', 'cdc stop'];
  },
});

type ReplicateAnswer =
  | { kind: 'plan'; plan: ReplicatePlan }
  | { kind: 'foreground' | 'background'; report: ReplicateReport };

export function renderPlan(plan: ReplicatePlan): string {
  if (plan.already !== undefined) return `already replicating (pid ${plan.already.pid})`;
  const list = (what: string, tables: string[]) => (tables.length === 0 ? [] : [`would ${what} ${tables.join(', ')}`]);
  return [
    ...(plan.server === 'start' ? ['would start the private server'] : []),
    ...(plan.tables_known ? [] : ['would follow what is in it: that cannot be seen before it runs']),
    ...list('load', plan.load),
    ...list(plan.position === null ? 'follow' : `go on from ${plan.position} with`, plan.follow),
    ...list('stop following', plan.removed),
    ...plan.not_loaded.map((table) => `would leave out ${table}: it is not loaded`),
    ...plan.left_out.map(({ table, reason }) => `would leave out ${table}: ${reason}`),
  ].join('\n');
}

export function renderReplicate(report: ReplicateReport): string {
  const tables = count(report.tables.length, 'table');
  switch (report.state) {
    case 'already':
      return `already replicating (pid ${report.pid})`;
    case 'finished':
      return report.loaded.length === 0
        ? `already loaded: ${tables}`
        : `loaded ${count(report.loaded.length, 'table')}`;
    case 'started':
      return report.position === null
        ? `replicating (pid ${report.pid})`
        : `replicating ${tables} from ${report.position} (pid ${report.pid})`;
  }
}
