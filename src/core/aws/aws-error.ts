/** What the codes of AWS mean to a user. Nobody above this folder reads them. */

import { CancelledError, CdcError, messageOf, nativeCodeOf } from '../errors.ts';

export interface Asked {
  /** The right that the call needs: `rds:CreateDBInstance`. */
  action: string;
  /** `making the database shop-qkzw`. */
  doing: string;
  signal?: AbortSignal | undefined;
}

interface Meaning {
  code: string;
  hint: string;
}

/** In this order: the first that fits counts. Names as the SDK throws them (reference: its models, and replies fed to it). */
const MEANINGS: readonly (readonly [name: RegExp, meaning: Meaning, message?: RegExp])[] = [
  [
    // New roles, permissions and grants reach the other services only after a while.
    /^(AccessDeniedFault|AccessDeniedException|InvalidParameterValueException|InvalidInputException|InvalidArgument)$/,
    { code: 'aws.not-yet', hint: 'a new role takes up to two minutes: run the same command again' },
    /is not configured properly|cannot be assumed|unable to assume|assume role permissions|KMS key is invalid for CreateGrant|Unable to validate the following destination/i,
  ],
  [
    /^(CredentialsProviderError|TokenProviderError)$/,
    {
      code: 'aws.credentials-expired',
      hint: 'aws sso login (with --profile NAME as in `aws: { profile }` of cdc.yaml)',
    },
    /expired|sso login|refresh/i,
  ],
  [
    /^(CredentialsProviderError|TokenProviderError)$/,
    {
      code: 'aws.credentials-missing',
      hint: 'aws configure, aws sso login, or export AWS_PROFILE=…; `aws: { profile: NAME }` in cdc.yaml chooses one',
    },
  ],
  [
    /^(ExpiredToken|ExpiredTokenException|RequestExpired|TokenRefreshRequired)$/,
    { code: 'aws.credentials-expired', hint: 'sign in again (aws sso login, or new keys), then run the same command' },
  ],
  [
    /^(RequestTimeTooSkewed|InvalidSignatureException)$/,
    { code: 'aws.clock', hint: "set this machine's clock right: AWS refuses requests that are minutes off" },
    /skew|too large|not yet current|Signature expired/i,
  ],
  [
    /^(InvalidClientTokenId|UnrecognizedClientException|InvalidAccessKeyId|InvalidToken|AuthFailure|SignatureDoesNotMatch|IncompleteSignature\w*|InvalidSignatureException)$/,
    { code: 'aws.credentials-refused', hint: 'check the keys: aws sts get-caller-identity shows what they are' },
  ],
  [
    /^FreeTierRestrictionError$/,
    {
      code: 'aws.free-plan',
      hint: 'choose a micro class and leave the rest at its defaults, or change the account to the paid plan',
    },
  ],
  [
    /^(AccessDenied\w*|UnauthorizedOperation|UnauthorizedException|NotAuthorized|Client\.UnauthorizedOperation|KMSAccessDenied\w*)$/,
    { code: 'aws.access-denied', hint: 'give the principal that right; `cdc plan` lists all that are needed' },
  ],
  [
    /^(Throttl\w*|TooManyRequestsException|RequestLimitExceeded|RequestThrottled\w*|SlowDown|PriorRequestNotComplete|BandwidthLimitExceeded|EC2ThrottledException)$/,
    { code: 'aws.throttled', hint: 'wait a minute and run the same command again' },
  ],
  [
    /(Quota\w*|LimitExceeded\w*|TooManyBuckets|InsufficientDBInstanceCapacity\w*|InsufficientResourceCapacity\w*|InsufficientInstanceCapacity|CodeStorageExceededException|ResourceNumberLimitExceededException)$/,
    { code: 'aws.quota', hint: 'delete what is not used any more, or ask for more in the console: Service Quotas' },
  ],
  [
    /^(OptInRequired|SubscriptionRequiredException)$/,
    {
      code: 'aws.region-disabled',
      hint: 'enable the region or service for the account, or choose another region with `aws: { region }`',
    },
  ],
  [
    /^(PermanentRedirect|IllegalLocationConstraintException|AuthorizationHeaderMalformed)$/,
    { code: 'aws.bucket-region', hint: 'use a bucket in the region of the pipeline' },
  ],
  [
    /(NotFound|NotFoundFault|NotFoundException|NoSuchEntity|NoSuchEntityException|NoSuchBucket|NoSuchKey|NoSuchTagSet|NoSuchTagSetError|NoSuchBucketPolicy|NoSuchLifecycleConfiguration|NoSuchPublicAccessBlockConfiguration|OwnershipControlsNotFoundError)$/,
    { code: 'aws.not-found', hint: '`cdc init` makes what is missing' },
  ],
  [
    /(AlreadyExists\w*|AlreadyOwnedByYou|\.Duplicate|ResourceExistsException|ResourceConflictException|IdempotentParameterMismatch\w*)$/,
    { code: 'aws.exists', hint: 'run the same command again: what is ours is adopted' },
  ],
  [
    /(Invalid\w*State\w*|DependencyViolation|BucketNotEmpty|OperationAborted|DeleteConflict\w*|ConcurrentModification\w*|ConditionalRequestConflict|ResourceInUse\w*|ResourceNotReadyException|InvalidRequestException)$/,
    { code: 'aws.wrong-state', hint: 'something else is under way: run the same command again in a minute' },
  ],
  [/^PreconditionFailed$/, { code: 'aws.precondition', hint: 'someone else was faster: run the same command again' }],
  [
    /^(NotImplemented|NotImplementedException)$/,
    { code: 'aws.not-implemented', hint: 'the endpoint in AWS_ENDPOINT_URL does not know this call' },
  ],
];

const UNREACHABLE =
  /^(ENOTFOUND|ECONNREFUSED|ECONNRESET|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EPIPE|TimeoutError)$/;

/** A CdcError for anything the SDK throws; one of ours is passed through. */
export function awsError(error: unknown, { action, doing, signal }: Asked): CdcError {
  if (error instanceof CdcError) return error;
  const name = error instanceof Error ? error.name : '';
  if (signal?.aborted || name === 'AbortError') return new CancelledError();
  const message = messageOf(error);
  const why = message === '' || message === 'UnknownError' ? name : message;
  const make = (code: string, text: string, hint: string) => new CdcError(code, text, { hint, cause: error });

  if (/region is missing/i.test(message))
    return make(
      'aws.region-missing',
      `${doing}: no region is chosen`,
      'write `aws: { region: eu-west-1 }` in cdc.yaml, or export AWS_REGION=…',
    );
  const native = nativeCodeOf(error) ?? '';
  if (UNREACHABLE.test(native) || UNREACHABLE.test(name))
    return make(
      'aws.unreachable',
      `${doing}: ${why}`,
      'check the network, the region in cdc.yaml and AWS_ENDPOINT_URL',
    );

  const [, meaning] =
    MEANINGS.find(([names, , text]) => names.test(name) && (text === undefined || text.test(message))) ?? [];
  if (meaning?.code === 'aws.access-denied' || (meaning === undefined && statusOf(error) === 403))
    return make(
      'aws.access-denied',
      `${doing}: ${denial(why, action)}`,
      'give the principal that right; `cdc plan` lists all that are needed',
    );
  if (meaning !== undefined) return make(meaning.code, `${doing}: ${why}`, meaning.hint);
  if (statusOf(error) === 404) return make('aws.not-found', `${doing}: ${why}`, '`cdc init` makes what is missing');
  const isTheirs = (statusOf(error) ?? 0) >= 500;
  return make(
    isTheirs ? 'aws.failed' : 'aws.refused',
    `${doing}: ${action} answers ${name}${why === name ? '' : `: ${why}`}`,
    isTheirs ? 'wait a minute and run the same command again' : 'the message says what AWS does not accept',
  );
}

/** Action and resource as AWS names them, else the action of the call. */
function denial(message: string, action: string): string {
  const [, denied, resource] = /not authorized to perform:? (\S+)(?: on resource:? (\S+))?/.exec(message) ?? [];
  if (denied === undefined) return `the right ${action} is missing${message === '' ? '' : ` (${message})`}`;
  return `the right ${denied} is missing${resource === undefined ? '' : ` on ${resource}`} (${message})`;
}

export function statusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('$metadata' in error)) return undefined;
  const metadata = error.$metadata;
  if (typeof metadata !== 'object' || metadata === null || !('httpStatusCode' in metadata)) return undefined;
  return typeof metadata.httpStatusCode === 'number' ? metadata.httpStatusCode : undefined;
}

export function isAwsError(error: unknown, ...codes: string[]): error is CdcError {
  return error instanceof CdcError && codes.some((code) => error.code === `aws.${code}`);
}
