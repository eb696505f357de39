/** Removes what `cdc init` made, and nothing else. */

import { defineCommand } from '../cli/command.ts';
import { CancelledError } from '../core/errors.ts';
import { describeLake } from '../core/pipeline/lake-contents.ts';
import { planRemoval, type Removal } from '../core/pipeline/local-resources.ts';
import { openPipeline } from '../core/pipeline/pipeline.ts';
import { stopWorker } from '../core/pipeline/worker-process.ts';

export interface DestroyOptions {
  deleteLake: boolean;
}

export const command = defineCommand({
  arguments: {},
  options: {
    'delete-lake': { help: 'also delete the lake tables and their rows' },
  },
  changes: true,
  asks: true,
  onAws: () => import('./on-aws/destroy.ts').then((file) => file.destroyOnAws),
  description: `
    Stops the worker and the private server, then removes what \`cdc init\` made: the private server's data,
    .cdc/ and the change files. It shows what will go, with the tables and rows in it, and asks first. Lake
    tables stay unless --delete-lake is given; files and databases that this tool did not make stay in any case.
  `,
  examples: [
    { line: 'cdc destroy --dry-run', does: 'what would go' },
    { line: 'cdc destroy', does: 'remove it; the lake stays' },
    { line: 'cdc destroy --delete-lake --yes', does: 'everything, without a question' },
  ],
  parse: (input): DestroyOptions => ({ deleteLake: input.has('delete-lake') }),
  async run(options: DestroyOptions, context): Promise<DestroyReport> {
    const { progress, signal } = context;
    const pipeline = openPipeline(await context.config(), context.env.variables);
    const removals = await planRemoval({
      pipeline,
      deleteLake: options.deleteLake,
      lakeHolds: await describeLake(pipeline),
      progress,
      signal,
    });
    const remaining = removals.filter((removal) => removal.remove === undefined);
    const going = removals.filter((removal) => removal.remove !== undefined);
    const report = { config: pipeline.config.file, remaining: remaining.map(factsOf), removed: going.map(factsOf) };
    if (going.length === 0 || context.flags.dryRun) return { ...report, done: false };
    const question = [
      'This removes:',
      ...going.map((removal) => `  ${describe(removal)}`),
      ...(remaining.length > 0 ? ['It leaves:', ...remaining.map((removal) => `  ${describe(removal)}`)] : []),
    ];
    if (!(await context.confirm(question.join('\n')))) throw new CancelledError('nothing was removed');
    await stopWorker(pipeline.config.stateFolder, signal);
    for (const removal of going) {
      progress.update(`removing ${removal.resource}`);
      await removal.remove?.();
      progress.done(`removed ${removal.resource}`);
    }
    return { ...report, done: true };
  },
  render(report) {
    const lines =
      report.removed.length === 0
        ? ['already destroyed']
        : report.removed.map((removal) => `${report.done ? 'removed' : 'would remove'} ${removal.resource}`);
    const left = report.done || report.removed.length === 0 ? 'left' : 'would leave';
    return [
      ...lines,
      ...report.remaining.map((removal) => `${left} ${removal.resource}: ${removal.stays}`),
      `${left} ${report.config}: it is yours`,
    ].join('\n');
  },
});

interface DestroyReport {
  config: string;
  removed: RemovalFacts[];
  remaining: RemovalFacts[];
  done: boolean;
}

type RemovalFacts = Pick<Removal, 'resource' | 'holds' | 'stays'>;

function factsOf({ resource, holds, stays }: Removal): RemovalFacts {
  return { resource, holds, ...(stays === undefined ? {} : { stays }) };
}

function describe({ resource, holds, stays }: Removal): string {
  return `${resource}${holds === '' ? '' : ` (${holds})`}${stays === undefined ? '' : `: ${stays}`}`;
}
