/** What S3 and the SDK say, as errors a user can act on; and what an answer means for a conditional write. */

import { CancelledError, CdcError, messageOf, nativeCodeOf } from '../errors.ts';

export interface AskedOfS3 {
  /** `reading s3://bucket/key`. */
  doing: string;
  bucket: string;
  writes: boolean;
}

const CREDENTIALS =
  /^(CredentialsProviderError|TokenProviderError|ExpiredToken\w*|TokenRefreshRequired|RequestExpired|InvalidAccessKeyId|InvalidToken|SignatureDoesNotMatch|AuthorizationHeaderMalformed|RequestTimeTooSkewed)$/;
const UNREACHABLE =
  /^(ENOTFOUND|ECONNREFUSED|ECONNRESET|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EPIPE|ERR_STREAM_PREMATURE_CLOSE|TimeoutError)$/;

/** A CdcError for what the SDK throws; errors told already and bugs of ours come back as they are. */
export function s3Error(error: unknown, { doing, bucket, writes }: AskedOfS3): unknown {
  if (error instanceof CdcError) return error;
  const name = error instanceof Error ? error.name : '';
  if (name === 'AbortError') return new CancelledError();
  const status = statusOf(error);
  const message = messageOf(error);
  const why = message === '' || message === 'UnknownError' ? name : message;
  const make = (code: string, text: string, hint: string) =>
    new CdcError(code, `${doing}: ${text}`, { hint, cause: error });

  if (/region is missing/i.test(message))
    return make('store.credentials', 'no region is chosen', 'export AWS_REGION=…, or `aws: { region }` in cdc.yaml');
  if (CREDENTIALS.test(name))
    return make(
      'store.credentials',
      why,
      'sign in (aws sso login, or export AWS_PROFILE=…); `aws: { profile: NAME }` in cdc.yaml chooses a profile',
    );
  if (name === 'NoSuchBucket')
    return make(
      'store.no-bucket',
      `there is no bucket ${bucket}`,
      `aws s3 mb s3://${bucket}   # with target aws: cdc init`,
    );
  if (name === 'PermanentRedirect' || status === 301)
    return make('store.region', 'the bucket is in another region', 'write it as `aws: { region }` in cdc.yaml');
  if (status === 403)
    return make(
      writes ? 'store.not-writable' : 'store.not-readable',
      `access is denied (${why})`,
      `give this principal ${writes ? 's3:PutObject and s3:DeleteObject' : 's3:ListBucket and s3:GetObject'} on the bucket ${bucket}`,
    );
  if (UNREACHABLE.test(name) || UNREACHABLE.test(nativeCodeOf(error) ?? ''))
    return make('store.unreachable', why, 'check the network and AWS_ENDPOINT_URL, then run the command again');
  if (status === 503 || status === 429)
    return make('store.throttled', `S3 asks to slow down (${why})`, 'wait a minute and run the command again');
  return status === undefined ? error : make('store.failed', `S3 answers ${why}`, 'run the command again');
}

/**
 * What an error says of a write that was conditional. `unknown`: no answer, or a failure of the service, which may stand before
 * or behind the write.
 */
export function outcomeOf(error: unknown): 'refused' | 'conflict' | 'gone' | 'unknown' | 'failed' {
  const status = statusOf(error);
  if (status === 412) return 'refused';
  if (status === 409) return 'conflict';
  if (status === 404) return error instanceof Error && error.name === 'NoSuchBucket' ? 'failed' : 'gone';
  return status === undefined || status >= 500 ? 'unknown' : 'failed';
}

/** How often the SDK sent the request: from the second time on, what it finds there may be its own. */
export function attemptsOf(error: unknown): number {
  const attempts = metadataOf(error)?.attempts;
  return typeof attempts === 'number' ? attempts : 1;
}

export function statusOf(error: unknown): number | undefined {
  const status = metadataOf(error)?.httpStatusCode;
  return typeof status === 'number' ? status : undefined;
}

function metadataOf(error: unknown): { httpStatusCode?: unknown; attempts?: unknown } | undefined {
  if (typeof error !== 'object' || error === null || !('$metadata' in error)) return undefined;
  const metadata = error.$metadata;
  return typeof metadata === 'object' && metadata !== null ? metadata : undefined;
}
