/** `destroy` on target aws: in the only order that works; says what remains, why, and what it costs. */

import type { Answer, Context } from '../../cli/command.ts';
import { openAws } from '../../cli/open-aws.ts';
import { CancelledError } from '../../core/errors.ts';
import { destroyAws, lookAtDestroy, type Remaining } from '../../core/pipeline/aws/destroy.ts';

export async function destroyOnAws(options: { deleteLake: boolean }, context: Context): Promise<Answer> {
  const view = await lookAtDestroy({ ...(await openAws(context)), deleteLake: options.deleteLake });
  const { session, config } = view.context;
  const removals = view.removals.map(({ resource, holds }) => ({ resource, holds }));
  const report = (removed: typeof removals, remaining: readonly Remaining[], done: boolean) => ({
    account: session.account,
    region: session.region,
    removed,
    remaining,
    config: config.file,
    done,
  });
  if (removals.length === 0)
    return {
      text: ['already destroyed', ...view.remaining.map(stays)].join('\n'),
      json: report([], view.remaining, false),
    };
  if (context.flags.dryRun)
    return {
      text: [...removals.map(({ resource }) => `would remove ${resource}`), ...view.remaining.map(stays)].join('\n'),
      json: { ...report(removals, view.remaining, false), dry_run: true },
    };
  const question = [
    `In account ${session.account}, ${session.region}, this removes:`,
    ...removals.map(({ resource, holds }) => `  ${resource}${holds === '' ? '' : ` (${holds})`}`),
    ...(view.remaining.length > 0
      ? ['It leaves:', ...view.remaining.map((one) => `  ${one.resource}: ${one.why}`)]
      : []),
  ];
  if (!(await context.confirm(question.join('\n')))) throw new CancelledError('nothing was removed');
  const { removed, remaining, cost } = await destroyAws(view);
  return {
    text: [
      ...removed.map((resource) => `removed ${resource}`),
      ...remaining.map(stays),
      `left ${config.file}: it is yours`,
      cost.says,
    ].join('\n'),
    json: { ...report(removals, remaining, true), cost },
  };
}

function stays({ resource, why, cost }: Remaining): string {
  return `left ${resource}: ${why}${cost === '' ? '' : ` (${cost})`}`;
}
