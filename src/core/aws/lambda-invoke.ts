/** Lambda: calling a function and waiting for its answer. */

import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { z } from 'zod';
import { CdcError } from '../errors.ts';
import { type AwsSession, ask, clientOf } from './session.ts';

const clientFor = clientOf((options) => new LambdaClient(options));

const failureSchema = z.object({ errorType: z.string().optional(), errorMessage: z.string().optional() });

export type Invoked =
  | { ok: true; answer: unknown; log: string[] }
  /** What the function threw. */
  | { ok: false; error: string; why: string; log: string[] };

export async function invokeFunction(session: AwsSession, name: string, event: unknown): Promise<Invoked> {
  const reply = await ask(session, 'lambda:InvokeFunction', `calling the function ${name}`, (options) =>
    clientFor(session).send(
      new InvokeCommand({
        FunctionName: name,
        InvocationType: 'RequestResponse',
        LogType: 'Tail',
        Payload: Buffer.from(JSON.stringify(event)),
      }),
      options,
    ),
  );
  const log = Buffer.from(reply.LogResult ?? '', 'base64')
    .toString('utf8')
    .split('\n')
    .filter(Boolean);
  const answer = parse(name, Buffer.from(reply.Payload ?? []).toString('utf8'));
  if (reply.FunctionError === undefined) return { ok: true, answer, log };
  const failure = failureSchema.safeParse(answer);
  const { errorType, errorMessage } = failure.success ? failure.data : {};
  return { ok: false, error: errorType ?? reply.FunctionError, why: errorMessage ?? 'it does not say why', log };
}

function parse(name: string, payload: string): unknown {
  if (payload === '') return null;
  try {
    return JSON.parse(payload);
  } catch (cause) {
    throw new CdcError('aws.failed', `calling the function ${name}: its answer is no JSON`, { cause });
  }
}
