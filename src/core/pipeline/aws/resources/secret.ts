/** The secret that DMS reads the source's address, user and password from (guide, section 5: there they are typed in). */

import { randomInt } from 'node:crypto';
import { z } from 'zod';
import { isAwsError } from '../../../aws/aws-error.ts';
import {
  createSecret,
  deleteSecret,
  findSecret,
  readSecret,
  secretInput,
  writeSecret,
} from '../../../aws/secrets-manager.ts';
import { repeatWhile } from '../../../aws/wait.ts';
import type { SourceConfig } from '../../../config.ts';
import { CdcError } from '../../../errors.ts';
import { variable } from '../cli-command.ts';
import { type AwsContext, compare, idOf, owned, type Resource } from '../resource.ts';

const PASSWORD_LENGTH = 32;

/** Our own user in the database: the master user's password changes every week, and its secret names no host. */
export const DMS_USER = 'cdc_dms';

const secretSchema = z.object({
  username: z.string(),
  password: z.string(),
  host: z.string(),
  port: z.coerce.number(),
});
export type SourceSecret = z.infer<typeof secretSchema>;

export function parseSourceSecret(text: string, name: string): SourceSecret {
  const parsed = secretSchema.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  throw new CdcError('aws.secret', `reading the secret ${name}: it does not hold username, password, host and port`, {
    hint: 'cdc init --only users   # writes it again',
  });
}

/** Undefined for a text that is none: the parser's own message would repeat what is in it. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function secret(name: string, source: SourceConfig): Resource {
  const wanted = ({ tags }: AwsContext, text: string) => ({
    name,
    description: 'cdc: how AWS DMS reaches the source database',
    text,
    tags,
  });
  return {
    id: 'secret',
    guideSection: '5.1',
    title: `secret ${name}`,
    needs: source.kind === 'rds' ? ['database'] : [],
    expectedSeconds: 5,
    rights: [
      'secretsmanager:CreateSecret',
      'secretsmanager:TagResource',
      'secretsmanager:PutSecretValue',
      'secretsmanager:DeleteSecret',
    ],
    async look(context) {
      const found = await findSecret(context.session, name);
      if (found === undefined) return { state: 'absent' };
      const ours = owned(context, `secret ${name}`, found.tags, { ids: { secret: found.arn } });
      if (ours.state !== 'ours') return ours;
      const is = secretSchema.safeParse(parseJson(await readSecret(context.session, found.arn))).data;
      const wanted = addressOf(context, source);
      return {
        ...ours,
        differences: compare({
          username: [is?.username, wanted.username],
          host: [is?.host, wanted.host],
          port: [is?.port, wanted.port],
        }),
      };
    },
    create: (context) =>
      // A name that was deleted a moment ago is taken for a while.
      repeatWhile(
        context.session,
        { isTooEarly: (error) => isAwsError(error, 'wrong-state'), boundSeconds: 300, everySeconds: 10 },
        async () => {
          const text = JSON.stringify(await secretOf(context, source));
          await createSecret(context.session, wanted(context, text));
        },
      ),
    async mend(context) {
      const arn = (await findSecret(context.session, name))?.arn ?? name;
      const is = secretSchema.safeParse(parseJson(await readSecret(context.session, arn))).data;
      await writeSecret(context.session, arn, JSON.stringify(await secretOf(context, source, is?.password)));
    },
    commands: (context) => [
      source.kind === 'url'
        ? `read -rsp 'password of ${source.user}: ' DMS_PASSWORD`
        : {
            service: 'secretsmanager',
            operation: 'GetRandomPassword',
            input: { PasswordLength: PASSWORD_LENGTH, ExcludePunctuation: true },
            assigns: { variable: 'DMS_PASSWORD', query: 'RandomPassword' },
          },
      {
        service: 'secretsmanager',
        operation: 'CreateSecret',
        input: secretInput(wanted(context, 'file:///dev/stdin')),
        stdin: JSON.stringify(withPassword(context, source, variable('DMS_PASSWORD'))),
        assigns: { id: 'secret', query: 'ARN' },
      },
    ],
    remove: ({ session }) => deleteSecret(session, name),
  };
}

async function secretOf(context: AwsContext, source: SourceConfig, known?: string): Promise<SourceSecret> {
  const password = source.kind === 'url' ? await context.sourcePassword() : (known ?? newPassword());
  return withPassword(context, source, password);
}

function withPassword(context: AwsContext, source: SourceConfig, password: string): SourceSecret {
  const { username, host = idOf(context, 'database_host'), port = 3306 } = addressOf(context, source);
  return { username, password, host, port };
}

/** What is known of it yet. */
function addressOf({ ids }: AwsContext, source: SourceConfig): { username: string; host?: string; port?: number } {
  if (source.kind === 'url') return { username: source.user, host: source.host, port: source.port };
  const host = ids.get('database_host');
  const port = ids.get('database_port');
  return {
    username: DMS_USER,
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port: Number(port) }),
  };
}

/** Letters and digits: RDS refuses / " @, and DMS ; . : + in passwords. */
function newPassword(): string {
  const letters = 'ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789';
  return Array.from({ length: PASSWORD_LENGTH }, () => letters[randomInt(letters.length)]).join('');
}
