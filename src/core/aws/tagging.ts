/** The tagging API: everything of a pipeline in a region, whatever made it. IAM roles are not reliably among it. */

import { GetResourcesCommand, ResourceGroupsTaggingAPIClient } from '@aws-sdk/client-resource-groups-tagging-api';
import { type AwsSession, ask, clientOf } from './session.ts';
import { PIPELINE_TAG } from './tags.ts';

const clientFor = clientOf((options) => new ResourceGroupsTaggingAPIClient(options));

/** ARNs; it may still name what was deleted a while ago. */
export async function taggedResources(session: AwsSession, pipeline: string): Promise<string[]> {
  const found: string[] = [];
  let page: string | undefined;
  do {
    const reply = await ask(session, 'tag:GetResources', `listing what is tagged ${pipeline}`, (options) =>
      clientFor(session).send(
        new GetResourcesCommand({
          TagFilters: [{ Key: PIPELINE_TAG, Values: [pipeline] }],
          ...(page === undefined ? {} : { PaginationToken: page }),
        }),
        options,
      ),
    );
    found.push(...(reply.ResourceTagMappingList ?? []).flatMap((mapping) => mapping.ResourceARN ?? []));
    page = reply.PaginationToken === '' ? undefined : reply.PaginationToken;
  } while (page !== undefined);
  return found;
}
