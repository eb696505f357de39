import { describe, expect, it } from 'vitest';
import { awsError } from '../../../src/core/aws/aws-error.ts';
import { CancelledError, CdcError } from '../../../src/core/errors.ts';

/** What the SDK throws: a name, a message, and the status of the reply. */
function thrown(name: string, message = 'why', status = 400, extra: object = {}): Error {
  return Object.assign(new Error(message), { name, $metadata: { httpStatusCode: status }, ...extra });
}
const asked = { action: 'rds:CreateDBInstance', doing: 'making the database shop' };

describe('an error of AWS', () => {
  it.each([
    [thrown('CredentialsProviderError', 'Could not load credentials from any providers'), 'aws.credentials-missing'],
    [
      thrown('CredentialsProviderError', 'The SSO session associated with this profile has expired.'),
      'aws.credentials-expired',
    ],
    [
      thrown('TokenProviderError', 'Token is expired. To refresh this SSO session run aws sso login'),
      'aws.credentials-expired',
    ],
    [thrown('ExpiredToken', 'The security token included in the request is expired', 403), 'aws.credentials-expired'],
    [thrown('ExpiredTokenException', 'expired', 403), 'aws.credentials-expired'],
    [thrown('InvalidClientTokenId', 'invalid', 403), 'aws.credentials-refused'],
    [thrown('UnrecognizedClientException', 'invalid', 403), 'aws.credentials-refused'],
    [
      thrown('InvalidSignatureException', 'The request signature we calculated does not match', 403),
      'aws.credentials-refused',
    ],
    [thrown('InvalidSignatureException', 'Signature expired: 20261122T1 is now earlier than', 403), 'aws.clock'],
    [
      thrown('RequestTimeTooSkewed', 'The difference between the request time and the current time is too large.', 403),
      'aws.clock',
    ],
    [thrown('UnauthorizedOperation', 'You are not authorized', 403), 'aws.access-denied'],
    [thrown('AccessDeniedException', 'no', 400), 'aws.access-denied'],
    [thrown('Unknown', 'UnknownError', 403), 'aws.access-denied'],
    [
      thrown('AccessDeniedFault', 'The IAM Role arn:aws:iam::1:role/dms-vpc-role is not configured properly.'),
      'aws.not-yet',
    ],
    [
      thrown('InvalidParameterValueException', 'The role defined for the function cannot be assumed by Lambda.'),
      'aws.not-yet',
    ],
    [thrown('InvalidArgument', 'Unable to validate the following destination configurations'), 'aws.not-yet'],
    [thrown('InvalidParameterValueException', 'Unsupported runtime'), 'aws.refused'],
    [thrown('ThrottlingException', 'Rate exceeded'), 'aws.throttled'],
    [thrown('Throttling', 'Rate exceeded'), 'aws.throttled'],
    [thrown('SlowDown', 'Please reduce your request rate', 503), 'aws.throttled'],
    [thrown('InstanceQuotaExceededFault'), 'aws.quota'],
    [thrown('TooManyBuckets'), 'aws.quota'],
    [thrown('StorageQuotaExceededFault'), 'aws.quota'],
    [thrown('FreeTierRestrictionError', 'exceeds the maximum available to free tier customers'), 'aws.free-plan'],
    [thrown('OptInRequired'), 'aws.region-disabled'],
    [thrown('DBInstanceNotFoundFault', 'gone', 404), 'aws.not-found'],
    [thrown('ResourceNotFoundFault'), 'aws.not-found'],
    [thrown('NoSuchEntityException', 'gone', 404), 'aws.not-found'],
    [thrown('InvalidGroup.NotFound'), 'aws.not-found'],
    [thrown('NotFound', 'UnknownError', 404), 'aws.not-found'],
    [thrown('DBInstanceAlreadyExistsFault'), 'aws.exists'],
    [thrown('EntityAlreadyExistsException', 'there', 409), 'aws.exists'],
    [thrown('InvalidPermission.Duplicate'), 'aws.exists'],
    [thrown('BucketAlreadyOwnedByYou', 'yours', 409), 'aws.exists'],
    [thrown('ResourceConflictException', 'there', 409), 'aws.exists'],
    [thrown('InvalidResourceStateFault'), 'aws.wrong-state'],
    [thrown('InvalidDBInstanceStateFault'), 'aws.wrong-state'],
    [thrown('DependencyViolation'), 'aws.wrong-state'],
    [thrown('BucketNotEmpty', 'full', 409), 'aws.wrong-state'],
    [thrown('OperationAborted', 'busy', 409), 'aws.wrong-state'],
    [thrown('PreconditionFailed', 'there', 412), 'aws.precondition'],
    [thrown('InvalidParameterCombination'), 'aws.refused'],
    [thrown('InternalFailure', 'sorry', 500), 'aws.failed'],
    [thrown('NotImplemented', 'emulator', 501), 'aws.not-implemented'],
    [thrown('Error', 'connect ECONNREFUSED', 0, { code: 'ECONNREFUSED' }), 'aws.unreachable'],
    [thrown('TimeoutError', 'socket hang up'), 'aws.unreachable'],
    [thrown('Error', 'Region is missing'), 'aws.region-missing'],
  ])('%s becomes %s', (error, code) => {
    const translated = awsError(error, asked);
    expect(translated.code).toBe(code);
    expect(translated.message).toMatch(/^making the database shop: /);
    expect(translated.hint).toBeTruthy();
    expect(translated.cause).toBe(error);
  });

  it('names the action and the resource that are denied, as AWS does', () => {
    const message =
      'User: arn:aws:iam::1:user/ann is not authorized to perform: rds:AddTagsToResource on resource: arn:aws:rds:eu-west-1:1:db:shop because no policy allows it';
    expect(awsError(thrown('AccessDenied', message, 403), asked).message).toContain(
      'the right rds:AddTagsToResource is missing on arn:aws:rds:eu-west-1:1:db:shop',
    );
  });

  it('names the action of the call where AWS names none', () => {
    expect(awsError(thrown('Unknown', 'UnknownError', 403), { ...asked, action: 's3:ListBucket' }).message).toContain(
      'the right s3:ListBucket is missing',
    );
  });

  it('says which call it was when the code means nothing to us', () => {
    expect(awsError(thrown('StorageTypeNotSupported', 'gp3 is not offered'), asked).message).toBe(
      'making the database shop: rds:CreateDBInstance answers StorageTypeNotSupported: gp3 is not offered',
    );
  });

  it('is a cancellation when the user has aborted, and passes ours through', () => {
    const error = thrown('AbortError');
    expect(awsError(error, { ...asked, signal: AbortSignal.abort() })).toBeInstanceOf(CancelledError);
    const ours = new CdcError('aws.timeout', 'x');
    expect(awsError(ours, asked)).toBe(ours);
  });
});
