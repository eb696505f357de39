/** The tag that says whose a resource is, in the forms services write it. */

export type Tags = Readonly<Record<string, string>>;

/** Every resource of a pipeline has it; what has another value, or none, is somebody else's. */
export const PIPELINE_TAG = 'cdc:pipeline';

export function pipelineTags(pipeline: string): Tags {
  return { [PIPELINE_TAG]: pipeline };
}

export function tagList(tags: Tags): { Key: string; Value: string }[] {
  return Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
}

export function tagsOf(list: readonly { Key?: string | undefined; Value?: string | undefined }[] | undefined): Tags {
  return Object.fromEntries((list ?? []).flatMap(({ Key, Value }) => (Key === undefined ? [] : [[Key, Value ?? '']])));
}
