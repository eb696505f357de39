/** The steps of a pipeline on AWS, with their cost, as text and as JSON. */

import type { AwsView } from '../core/pipeline/aws/look.ts';
import { textTable } from './table.ts';

export function renderAwsSteps(view: AwsView): string {
  const { cost, context, steps, expectedSeconds } = view;
  const { account, region, principal } = context.session;
  const table = textTable(steps, [
    { title: 'step', value: (step) => step.id },
    { title: 'action', value: (step) => (step.isYours ? 'yours' : step.action === 'none' ? 'is there' : step.action) },
    { title: 'guide', value: (step) => `§${step.guideSection}` },
    { title: 'resource', value: (step) => step.resource },
  ]);
  const drift = steps.flatMap((step) =>
    step.differences.map(({ what, is, wanted }) => `${step.id}: ${what} is ${is}, wanted ${wanted}`),
  );
  const perMonth = (sum: { monthly_usd: number }) => `$${sum.monthly_usd.toFixed(2)} a month`;
  return [
    `account ${account}, region ${region}, as ${principal}`,
    '',
    table,
    ...(drift.length > 0 ? ['', 'not as cdc.yaml says:', ...drift.map((line) => `  ${line}`)] : []),
    '',
    `costs ${perMonth(cost.idle)} ($${cost.idle.hourly_usd.toFixed(3)} an hour) idle, ${perMonth(cost.continuous)} under continuous change; list prices of ${cost.prices_of}, ${cost.as_of}`,
    ...cost.notes.map((note) => `  ${note}`),
    ...(expectedSeconds > 0 ? [`takes about ${Math.ceil(expectedSeconds / 60)} minutes`] : []),
  ].join('\n');
}

export function stepsJson(view: AwsView): Record<string, unknown> {
  const { cost, steps, rights, context } = view;
  const { account, region, principal } = context.session;
  return {
    account,
    region,
    principal,
    steps: steps.map(({ id, action, resource, exists, isYours, expectedSeconds, guideSection, differences }) => ({
      id,
      action,
      resource,
      exists,
      yours: isYours,
      expected_seconds: expectedSeconds,
      guide_section: guideSection,
      differences: differences.map(({ what, is, wanted, isMendable }) => ({ what, is, wanted, mendable: isMendable })),
    })),
    monthly_cost_usd: cost.idle.monthly_usd,
    hourly_cost_usd: cost.idle.hourly_usd,
    cost,
    rights,
  };
}
