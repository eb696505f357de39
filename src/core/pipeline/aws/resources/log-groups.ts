/** Log groups, made before their services make them: those keep every line for ever. */

import {
  createLogGroup,
  deleteLogGroup,
  findLogGroup,
  logGroupInput,
  retentionInput,
  setRetention,
} from '../../../aws/logs.ts';
import { type AwsContext, compare, owned, type Resource, together } from '../resource.ts';

const KEEP_DAYS = 14;

export function logGroups(names: readonly string[]): Resource {
  return {
    id: 'log-groups',
    guideSection: '11',
    title: `log groups ${names.join(' and ')} (kept ${KEEP_DAYS} days)`,
    needs: [],
    expectedSeconds: 5,
    rights: ['logs:CreateLogGroup', 'logs:TagResource', 'logs:PutRetentionPolicy', 'logs:DeleteLogGroup'],
    look: async (context) =>
      together(
        await Promise.all(
          names.map(async (name) => {
            const found = await findLogGroup(context.session, name);
            return {
              name,
              actual:
                found === undefined
                  ? { state: 'absent' as const }
                  : // Untagged: the service made it, called after a resource of ours.
                    owned(
                      context,
                      `log group ${name}`,
                      { ...context.tags, ...found.tags },
                      {
                        differences: compare({ [`retention of ${name}`]: [found.retentionDays, KEEP_DAYS] }),
                      },
                    ),
            };
          }),
        ),
      ),
    create: (context) => make(context),
    mend: (context) => make(context),
    commands: ({ tags }) =>
      names.flatMap((name) => [
        { service: 'logs', operation: 'CreateLogGroup', input: logGroupInput(name, tags) },
        { service: 'logs', operation: 'PutRetentionPolicy', input: retentionInput(name, KEEP_DAYS) },
      ]),
    async remove({ session }) {
      for (const name of names) await deleteLogGroup(session, name);
    },
  };

  async function make({ session, tags }: AwsContext): Promise<void> {
    for (const name of names) {
      await createLogGroup(session, name, tags);
      await setRetention(session, name, KEEP_DAYS);
    }
  }
}
