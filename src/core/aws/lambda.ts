/** Lambda: one function, its code, and the permission by which S3 may call it. */

import {
  AddPermissionCommand,
  type AddPermissionCommandInput,
  CreateFunctionCommand,
  DeleteFunctionCommand,
  GetFunctionCommand,
  GetPolicyCommand,
  LambdaClient,
  RemovePermissionCommand,
  type Runtime,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
} from '@aws-sdk/client-lambda';
import { isAwsError } from './aws-error.ts';
import { type AwsSession, ask, clientOf, ifFound, replied } from './session.ts';
import type { Tags } from './tags.ts';
import { repeatWhile } from './wait.ts';

export const lambdaClientFor = clientOf((options) => new LambdaClient(options));

export interface FunctionSettings {
  name: string;
  role: string;
  runtime: Runtime;
  handler: string;
  timeoutSeconds: number;
  memoryMb: number;
  variables: Readonly<Record<string, string>>;
}

export interface FoundFunction extends Omit<FunctionSettings, 'name' | 'runtime'> {
  arn: string;
  tags: Tags;
  runtime: string;
  /** `Active` when it can be called. */
  state: string;
  /** `Successful` when the last change is in force. */
  lastUpdate: string;
  reason: string;
  /** Base64 of the SHA-256 of the zip. */
  codeSha256: string;
}

export async function findFunction(session: AwsSession, name: string): Promise<FoundFunction | undefined> {
  const reply = await ifFound(
    ask(session, 'lambda:GetFunction', `looking for the function ${name}`, (options) =>
      lambdaClientFor(session).send(new GetFunctionCommand({ FunctionName: name }), options),
    ),
  );
  const found = reply?.Configuration;
  if (found === undefined) return undefined;
  return {
    arn: replied(found.FunctionArn, 'FunctionArn'),
    tags: reply?.Tags ?? {},
    role: found.Role ?? '',
    runtime: found.Runtime ?? '',
    handler: found.Handler ?? '',
    timeoutSeconds: found.Timeout ?? 0,
    memoryMb: found.MemorySize ?? 0,
    variables: found.Environment?.Variables ?? {},
    state: found.State ?? 'Active',
    lastUpdate: found.LastUpdateStatus ?? 'Successful',
    reason: found.StateReason ?? found.LastUpdateStatusReason ?? '',
    codeSha256: found.CodeSha256 ?? '',
  };
}

/** A role made a moment ago is refused for up to two minutes. */
const UNTIL_ROLE_IS_KNOWN = { isTooEarly: (error: unknown) => isAwsError(error, 'not-yet'), boundSeconds: 120 };

export async function createFunction(
  session: AwsSession,
  { zip, tags, ...settings }: FunctionSettings & { zip: Uint8Array; tags: Tags },
): Promise<string> {
  const reply = await repeatWhile(session, UNTIL_ROLE_IS_KNOWN, () =>
    ask(session, 'lambda:CreateFunction', `making the function ${settings.name}`, (options) =>
      lambdaClientFor(session).send(
        new CreateFunctionCommand({ ...configurationOf(settings), Code: { ZipFile: zip }, Tags: { ...tags } }),
        options,
      ),
    ),
  );
  return replied(reply.FunctionArn, 'FunctionArn');
}

export async function updateFunctionCode(session: AwsSession, name: string, zip: Uint8Array): Promise<void> {
  await ask(session, 'lambda:UpdateFunctionCode', `updating the code of the function ${name}`, (options) =>
    lambdaClientFor(session).send(new UpdateFunctionCodeCommand({ FunctionName: name, ZipFile: zip }), options),
  );
}

export async function updateFunctionSettings(session: AwsSession, settings: FunctionSettings): Promise<void> {
  await repeatWhile(session, UNTIL_ROLE_IS_KNOWN, () =>
    ask(session, 'lambda:UpdateFunctionConfiguration', `changing the function ${settings.name}`, (options) =>
      lambdaClientFor(session).send(new UpdateFunctionConfigurationCommand(configurationOf(settings)), options),
    ),
  );
}

function configurationOf(settings: FunctionSettings) {
  return {
    FunctionName: settings.name,
    Role: settings.role,
    Runtime: settings.runtime,
    Handler: settings.handler,
    Timeout: settings.timeoutSeconds,
    MemorySize: settings.memoryMb,
    Environment: { Variables: { ...settings.variables } },
  };
}

/** The statements of the function's policy, by their ids. */
export async function permissionsOf(session: AwsSession, name: string): Promise<string[]> {
  const reply = await ifFound(
    ask(session, 'lambda:GetPolicy', `reading who may call the function ${name}`, (options) =>
      lambdaClientFor(session).send(new GetPolicyCommand({ FunctionName: name }), options),
    ),
  );
  return [...(reply?.Policy ?? '').matchAll(/"Sid"\s*:\s*"([^"]+)"/g)].flatMap(([, sid]) => sid ?? []);
}

export interface BucketPermission {
  name: string;
  statement: string;
  bucketArn: string;
  /** Named as well: a bucket's name can pass to somebody else. */
  account: string;
}

/** Repeatable. */
export async function allowBucket(session: AwsSession, permission: BucketPermission): Promise<void> {
  try {
    await ask(session, 'lambda:AddPermission', `letting S3 call the function ${permission.name}`, (options) =>
      lambdaClientFor(session).send(new AddPermissionCommand(permissionInput(permission)), options),
    );
  } catch (error) {
    if (!isAwsError(error, 'exists')) throw error;
  }
}

/** What is asked of Lambda, also by `plan --aws-cli`. */
export function permissionInput({ name, statement, bucketArn, account }: BucketPermission): AddPermissionCommandInput {
  return {
    FunctionName: name,
    StatementId: statement,
    Action: 'lambda:InvokeFunction',
    Principal: 's3.amazonaws.com',
    SourceArn: bucketArn,
    SourceAccount: account,
  };
}

export async function removePermission(session: AwsSession, name: string, statement: string): Promise<void> {
  await ifFound(
    ask(session, 'lambda:RemovePermission', `taking from S3 the right to call ${name}`, (options) =>
      lambdaClientFor(session).send(
        new RemovePermissionCommand({ FunctionName: name, StatementId: statement }),
        options,
      ),
    ),
  );
}

export async function deleteFunction(session: AwsSession, name: string): Promise<void> {
  await ifFound(
    ask(session, 'lambda:DeleteFunction', `deleting the function ${name}`, (options) =>
      lambdaClientFor(session).send(new DeleteFunctionCommand({ FunctionName: name }), options),
    ),
  );
}
