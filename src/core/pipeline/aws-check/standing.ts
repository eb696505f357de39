/** What of the pipeline is there, as `plan` sees it: what belongs to others, what is not as cdc.yaml says, what is missing. */

import type { Actual, Resource } from '../aws/resource.ts';
import { error, type Found, warning } from './findings.ts';

export function checkStanding(
  resources: readonly Resource[],
  actual: ReadonlyMap<string, Actual>,
): Found & { missing: string[] } {
  const findings = [];
  const missing = [];
  for (const { id, create, title } of resources) {
    const found = actual.get(id) ?? { state: 'absent' };
    if (found.state === 'absent') {
      if (create !== undefined) missing.push(id);
    } else if (found.state === 'foreign')
      findings.push(
        error(
          'aws.not-ours',
          `${found.name} belongs to ${found.owner}`,
          'delete it if nobody needs it, or take another `name:` in cdc.yaml',
        ),
      );
    else
      for (const { what, is, wanted, isMendable } of found.differences)
        findings.push(
          warning(
            'aws.drift',
            `${id}: ${what} is ${is}, wanted ${wanted}`,
            isMendable ? `cdc init --only ${id}` : `change it in the console, or cdc.yaml to fit (${title})`,
          ),
        );
  }
  const made = resources.filter(({ create }) => create !== undefined).length - missing.length;
  return {
    findings,
    missing,
    facts: [
      missing.length === 0 ? 'everything is made' : `${made} of ${made + missing.length} steps are made: cdc plan`,
    ],
  };
}
