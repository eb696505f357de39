/** What a command on target aws begins with: the configuration, a session, and the pipeline over them. */

import type { Config } from '../core/config.ts';
import { CdcError, messageOf } from '../core/errors.ts';
import type { AwsOptions } from '../core/pipeline/aws/look.ts';
import { openAwsPipeline } from '../core/pipeline/aws/open.ts';
import { readRecord, refuseOtherAccount } from '../core/pipeline/aws/record.ts';
import { type AwsRun, openAwsRun } from '../core/pipeline/aws-run/run.ts';
import { openStagingBucket, type StagingBucket } from '../core/pipeline/aws-run/staging-bucket.ts';
import { resolveSecret } from '../core/secret.ts';
import type { Context } from './command.ts';

export async function openAws(context: Context, given?: Config): Promise<AwsOptions> {
  const config = given ?? (await context.config());
  return openAwsPipeline({
    config,
    signal: context.signal,
    progress: context.progress,
    sourcePassword: async () =>
      config.source.kind === 'url' ? resolveSecret(config.source.password, context.env.variables) : '',
    operatorAddress: () => askOwnAddress(context.signal),
  });
}

/** The same for the commands that run what `init` made. */
export async function openRunOnAws(context: Context): Promise<AwsRun & { staging: StagingBucket }> {
  const options = await openAws(context);
  // In another region nothing of it would be found, and its absence would be reported for the truth.
  const { session, config } = options;
  refuseOtherAccount(session, await readRecord(config), config, ['account', 'region']);
  const staging = openStagingBucket(options.session, options.config);
  return { ...openAwsRun({ ...options, staging }), staging };
}

/** The IPv4 address that this machine is seen with: who may connect to the database. */
async function askOwnAddress(signal: AbortSignal): Promise<string> {
  try {
    const reply = await fetch('https://checkip.amazonaws.com', {
      signal: AbortSignal.any([signal, AbortSignal.timeout(10_000)]),
    });
    const text = (await reply.text()).trim();
    if (/^(\d{1,3}\.){3}\d{1,3}$/.test(text)) return text;
    throw new Error(`the answer is ${JSON.stringify(text.slice(0, 40))}`);
  } catch (cause) {
    throw new CdcError('aws.no-address', `asking which address this machine has on the internet: ${messageOf(cause)}`, {
      cause,
      hint: 'say it in cdc.yaml: source: { rds: { operator: 203.0.113.7/32 } }',
    });
  }
}
