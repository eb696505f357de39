/** Starts the private server and the worker again where they stopped. */

import { defineCommand } from '../cli/command.ts';
import { workerCommand } from '../cli/worker-command.ts';
import { readCheckpoint } from '../core/capture/checkpoint.ts';
import { restartServer } from '../core/pipeline/local-resources.ts';
import { openPipeline } from '../core/pipeline/pipeline.ts';
import { planReplicate, type ReplicatePlan } from '../core/pipeline/plan-replicate.ts';
import { type ReplicateReport, replicateInBackground } from '../core/pipeline/replicate.ts';
import { renderPlan, renderReplicate } from './replicate.ts';

export interface StartOptions {
  wait: boolean;
}

export const command = defineCommand({
  arguments: {},
  options: {
    'no-wait': { help: 'return at once, not when the worker has confirmed its position' },
  },
  changes: true,
  onAws: () => import('./on-aws/start.ts').then((file) => file.startOnAws),
  description: `
    Starts the private server, then the worker, which goes on from exactly where it stopped. When the binlog no
    longer reaches back that far, it says so and names the tables to reload; nothing is skipped.
  `,
  examples: [{ line: 'cdc start', does: 'carry on' }],
  parse: (input): StartOptions => ({ wait: !input.has('no-wait') }),
  async run(options: StartOptions, context): Promise<StartReport> {
    const { signal, progress, env } = context;
    const pipeline = openPipeline(await context.config(), env.variables);
    const checkpoint = await readCheckpoint(pipeline.staging);
    const request = { fullLoad: true, ongoing: true, merge: checkpoint?.merge ?? true };
    if (context.flags.dryRun) {
      const plan = await planReplicate({ pipeline, request, signal });
      return { kind: 'plan', plan, hasPosition: checkpoint !== undefined };
    }
    const started = await restartServer({ pipeline, server: env, progress, signal });
    const server = started === undefined ? 'not ours' : started.adopted ? 'already running' : 'started';
    if (checkpoint === undefined) return { kind: 'done', server, worker: undefined };
    const command = workerCommand(pipeline.config.file, request.merge ? [] : ['--no-merge']);
    const worker = await replicateInBackground({
      pipeline,
      request,
      command,
      env: env.variables,
      wait: options.wait,
      progress,
      signal,
    });
    return { kind: 'done', server, worker };
  },
  render(report) {
    const nothing = 'nothing was replicated yet: no worker to start';
    if (report.kind === 'plan')
      return report.hasPosition
        ? renderPlan(report.plan)
        : [...(report.plan.server === 'start' ? ['would start the private server'] : []), nothing].join('\n');
    const { server, worker } = report;
    return [
      ...(server === 'not ours'
        ? []
        : [server === 'started' ? 'started the private server' : `${server}: the private server`]),
      worker === undefined ? nothing : renderReplicate(worker),
    ].join('\n');
  },
  json: (report) =>
    report.kind === 'plan'
      ? { ...report.plan, dry_run: true }
      : { server: report.server, worker: report.worker ?? null },
  next: (report) => (report.kind === 'plan' ? [] : report.worker === undefined ? ['cdc replicate'] : ['cdc status']),
});

type StartReport =
  | { kind: 'plan'; plan: ReplicatePlan; hasPosition: boolean }
  /** `worker` is undefined when there is no checkpoint to go on from. */
  | { kind: 'done'; server: 'started' | 'already running' | 'not ours'; worker: ReplicateReport | undefined };
