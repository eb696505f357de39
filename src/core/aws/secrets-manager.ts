/** Secrets Manager: one secret by name, and its text at the moment of use. */

import {
  CreateSecretCommand,
  type CreateSecretCommandInput,
  DeleteSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { type AwsSession, ask, clientOf, ifFound, replied } from './session.ts';
import { type Tags, tagList, tagsOf } from './tags.ts';

const clientFor = clientOf((options) => new SecretsManagerClient(options));

export interface Secret {
  arn: string;
  tags: Tags;
}

/** One that is being deleted counts as absent, though its name is taken for a while. */
export async function findSecret(session: AwsSession, name: string): Promise<Secret | undefined> {
  const reply = await ifFound(
    ask(session, 'secretsmanager:DescribeSecret', `looking for the secret ${name}`, (options) =>
      clientFor(session).send(new DescribeSecretCommand({ SecretId: name }), options),
    ),
  );
  if (reply === undefined || reply.DeletedDate !== undefined) return undefined;
  return { arn: replied(reply.ARN, 'ARN'), tags: tagsOf(reply.Tags) };
}

export interface NewSecret {
  name: string;
  description: string;
  text: string;
  tags: Tags;
}

export async function createSecret(session: AwsSession, secret: NewSecret): Promise<string> {
  const reply = await ask(session, 'secretsmanager:CreateSecret', `making the secret ${secret.name}`, (options) =>
    clientFor(session).send(new CreateSecretCommand(secretInput(secret)), options),
  );
  return replied(reply.ARN, 'ARN');
}

/** What is asked of Secrets Manager, also by `plan --aws-cli`. */
export function secretInput({ name, description, text, tags }: NewSecret): CreateSecretCommandInput {
  return { Name: name, Description: description, SecretString: text, Tags: tagList(tags) };
}

export async function readSecret(session: AwsSession, id: string): Promise<string> {
  const reply = await ask(session, 'secretsmanager:GetSecretValue', `reading the secret ${id}`, (options) =>
    clientFor(session).send(new GetSecretValueCommand({ SecretId: id }), options),
  );
  return replied(reply.SecretString, 'SecretString');
}

export async function writeSecret(session: AwsSession, id: string, text: string): Promise<void> {
  await ask(session, 'secretsmanager:PutSecretValue', `writing the secret ${id}`, (options) =>
    clientFor(session).send(new PutSecretValueCommand({ SecretId: id, SecretString: text }), options),
  );
}

/** At once: the default keeps it, and its name, for thirty days. */
export async function deleteSecret(session: AwsSession, id: string): Promise<void> {
  await ifFound(
    ask(session, 'secretsmanager:DeleteSecret', `deleting the secret ${id}`, (options) =>
      clientFor(session).send(new DeleteSecretCommand({ SecretId: id, ForceDeleteWithoutRecovery: true }), options),
    ),
  );
}
