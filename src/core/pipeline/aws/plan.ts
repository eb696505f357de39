/** Desired × actual → steps. Pure. */

import { CdcError } from '../../errors.ts';
import type { Actual, Difference, Resource } from './resource.ts';

export interface AwsStep {
  id: string;
  /** `adopt`: ours, and found by its tags only. */
  action: 'create' | 'adopt' | 'update' | 'none';
  resource: string;
  exists: boolean;
  /** The user's own, named in cdc.yaml: used as it is, and never deleted. */
  isYours: boolean;
  needs: readonly string[];
  expectedSeconds: number;
  /** The section of the guide in which people click it. */
  guideSection: string;
  /** What is not as cdc.yaml says; those that are not mendable are left to people. */
  differences: readonly Difference[];
}

/** Throws `aws.not-ours` naming everything that is somebody else's. `made`: the steps that the record says were done. */
export function planAws(
  desired: readonly Resource[],
  actual: ReadonlyMap<string, Actual>,
  made: readonly string[],
): AwsStep[] {
  refuseForeign([...actual.values()]);
  return desired
    .filter(({ create }) => create !== undefined)
    .map((resource): AwsStep => {
      const found = actual.get(resource.id) ?? { state: 'absent' };
      const step = {
        id: resource.id,
        resource: resource.title,
        needs: resource.needs,
        guideSection: resource.guideSection,
        isYours: found.state === 'brought',
      };
      if (found.state === 'absent')
        return { ...step, action: 'create', exists: false, expectedSeconds: resource.expectedSeconds, differences: [] };
      const differences = found.state === 'foreign' ? [] : found.differences;
      const isMendable = differences.some((difference) => difference.isMendable);
      const isKnown = made.includes(resource.id) || found.state === 'brought';
      return {
        ...step,
        action: isMendable ? 'update' : isKnown ? 'none' : 'adopt',
        exists: true,
        expectedSeconds: isMendable ? resource.expectedSeconds : 0,
        differences,
      };
    });
}

export function refuseForeign(actual: readonly Actual[]): void {
  const foreign = actual.flatMap((found) => (found.state === 'foreign' ? [found] : []));
  if (foreign.length === 0) return;
  throw new CdcError(
    'aws.not-ours',
    `using what is in the account: ${foreign.map(({ name, owner }) => `${name} belongs to ${owner}`).join('; ')}`,
    {
      hint: 'delete it if nobody needs it, or take another `name:` in cdc.yaml (a bucket of your own: `staging: { bucket: … }`)',
    },
  );
}

/** How long the steps that are left take, those of different branches at the same time. */
export function expectedSeconds(steps: readonly AwsStep[]): number {
  const byId = new Map(steps.map((step) => [step.id, step]));
  const ends = new Map<string, number>();
  const endOf = (id: string): number => {
    const step = byId.get(id);
    if (step === undefined) return 0;
    const known = ends.get(id);
    if (known !== undefined) return known;
    const own = step.action === 'create' || step.action === 'update' ? step.expectedSeconds : 0;
    const end = own + Math.max(0, ...step.needs.map(endOf));
    ends.set(id, end);
    return end;
  };
  return Math.max(0, ...steps.map(({ id }) => endOf(id)));
}
