/** Opens a pipeline on AWS: who we are there, by the SDK's own chain of credentials, and what every step of ours takes. */

import { openSession } from '../../aws/session.ts';
import type { AwsOptions } from './look.ts';
import { awsOf } from './names.ts';

export async function openAwsPipeline(
  options: Omit<AwsOptions, 'session'> & { signal: AbortSignal },
): Promise<AwsOptions> {
  const { signal, ...rest } = options;
  const { region, profile } = awsOf(options.config);
  const session = await openSession({
    ...(region === undefined ? {} : { region }),
    ...(profile === undefined ? {} : { profile }),
    signal,
  });
  return { ...rest, session };
}
