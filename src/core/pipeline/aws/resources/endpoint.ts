/** What both endpoints of DMS have in common as steps of the plan: looking, making, changing and removing one. */

import { isAwsError } from '../../../aws/aws-error.ts';
import {
  changeEndpoint,
  createEndpoint,
  deleteEndpoint,
  type EndpointSettings,
  endpointInput,
  findEndpoint,
} from '../../../aws/dms.ts';
import { repeatWhile, waitFor } from '../../../aws/wait.ts';
import type { CdcError } from '../../../errors.ts';
import type { CliLine } from '../cli-command.ts';
import { type AwsContext, compare, type Difference, idOf, owned, type Resource, type StepId } from '../resource.ts';

export function endpoint(options: {
  step: StepId & ('source-endpoint' | 'target-endpoint');
  idName: 'source_endpoint' | 'target_endpoint';
  id: string;
  guideSection: string;
  title: string;
  needs: readonly StepId[];
  settings: (context: AwsContext, purpose: 'compare' | 'make') => Promise<EndpointSettings>;
  /** As commands see it, whatever is not known yet as a variable; and what comes before. */
  inWords: (context: AwsContext) => { before?: readonly CliLine[]; settings: EndpointSettings };
}): Resource {
  const { id, settings } = options;
  // The role for the secret or the bucket may have been made a moment ago.
  const patience = { isTooEarly: (error: CdcError) => isAwsError(error, 'not-yet'), boundSeconds: 120 };
  return {
    id: options.step,
    guideSection: options.guideSection,
    title: options.title,
    needs: options.needs,
    expectedSeconds: 10,
    rights: [
      'dms:CreateEndpoint',
      'dms:ModifyEndpoint',
      'dms:DeleteEndpoint',
      'dms:AddTagsToResource',
      'iam:GetRole',
      'iam:PassRole',
    ],
    async look(context) {
      const found = await findEndpoint(context.session, id);
      if (found === undefined) return { state: 'absent' };
      const wanted = await settings(context, 'compare');
      const differences: Difference[] =
        wanted.kind === 'mysql'
          ? [
              ...differing(found.mysql ?? {}, wanted.mysql),
              ...compare({
                certificate: [found.certificateArn, wanted.certificateArn],
                // DMS may show others beside it.
                ...(wanted.extraAttributes !== undefined && found.extraAttributes?.includes(wanted.extraAttributes)
                  ? {}
                  : { 'way to the secret': [found.extraAttributes, wanted.extraAttributes] }),
                ...(wanted.certificateArn === undefined ? {} : { TLS: [found.sslMode, 'verify-full'] }),
              }),
            ]
          : differing(found.s3 ?? {}, wanted.s3);
      return owned(context, `endpoint ${id}`, found.tags, { ids: { [options.idName]: found.arn }, differences });
    },
    create: async (context) => {
      const { session, tags } = context;
      const wanted = await settings(context, 'make');
      await repeatWhile(session, patience, () => createEndpoint(session, { id, settings: wanted, tags }));
    },
    async mend(context) {
      const { session } = context;
      const wanted = await settings(context, 'make');
      const arn = idOf(context, options.idName);
      await repeatWhile(session, patience, () => changeEndpoint(session, { arn, id, settings: wanted }));
    },
    commands(context) {
      const { before = [], settings: wanted } = options.inWords(context);
      return [
        ...before,
        {
          service: 'dms',
          operation: 'CreateEndpoint',
          input: endpointInput({ id, settings: wanted, tags: context.tags }),
          assigns: { id: options.idName, query: 'Endpoint.EndpointArn' },
        },
      ];
    },
    async remove({ session }) {
      // Its task is being deleted, and DMS lets go of it a while after.
      await repeatWhile(
        session,
        { isTooEarly: (error) => isAwsError(error, 'wrong-state'), boundSeconds: 300, everySeconds: 10 },
        async () => {
          const found = await findEndpoint(session, id);
          if (found !== undefined && found.status !== 'deleting') await deleteEndpoint(session, found.arn);
        },
      );
      await waitFor(session, {
        what: `the endpoint ${id} to be deleted`,
        look: () => findEndpoint(session, id),
        isReady: (found) => found === undefined,
        describe: (found) => found?.status ?? 'gone',
        everySeconds: 5,
        boundSeconds: 600,
      });
    },
  };
}

/** Only what we set: DMS adds settings of its own. */
function differing(is: object, wanted: object): Difference[] {
  const found = new Map<string, unknown>(Object.entries(is));
  return Object.entries(wanted)
    .filter(([key, value]) => value !== undefined && String(found.get(key) ?? '') !== String(value))
    .map(([key, value]) => ({
      what: key,
      is: String(found.get(key) ?? 'not set'),
      wanted: String(value),
      isMendable: true,
    }));
}
