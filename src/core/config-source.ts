/** The `source:` slot: a private server that the tool starts, an RDS instance, or a server that is there, by URL. A password is never part of it. */

import { resolve } from 'node:path';
import { z } from 'zod';
import { type RdsSource, rdsSchema } from './config-aws.ts';
import { keyed, oneOf, passOn, shorthand } from './config-keys.ts';
import { UsageError } from './errors.ts';
import { didYouMean } from './nearest-word.ts';
import type { SecretReference } from './secret.ts';

export interface PrivateSource {
  kind: 'private';
  /** Absent: whichever is found first. */
  flavor?: 'mariadb' | 'mysql';
  /** Absent: a free port, chosen once. */
  port?: number;
}

export interface UrlSource {
  kind: 'url';
  host: string;
  port: number;
  user: string;
  password: SecretReference;
  /** `verify`: encrypted, chain and host name checked, by the authorities in the PEM file `ca` (absolute) when given. */
  tls: { mode: 'verify' | 'off'; ca?: string };
}

export type SourceConfig = PrivateSource | UrlSource | RdsSource;

/** Holds the password of a source given by URL when cdc.yaml does not say otherwise. */
export const SOURCE_PASSWORD_VARIABLE = 'CDC_SOURCE_PASSWORD';

interface ServerUrl {
  host: string;
  port: number;
  user: string | undefined;
}

type UrlProblem = { problem: string; hasPassword?: true };

/** The server a `mysql://` URL names, or what is wrong with it; the text of a refused password is never repeated. */
export function parseServerUrl(text: string): ServerUrl | UrlProblem {
  const form = 'write mysql://user@host:3306';
  if (!text.startsWith('mysql://')) {
    const scheme = /^([a-z]+):\/\//i.exec(text)?.[1];
    if (scheme !== undefined) return { problem: `${scheme}:// is not a source: ${form}` };
    return { problem: `this is neither private, nor rds, nor a URL${didYouMean(text, ['private', 'rds'])}: ${form}` };
  }
  if (!URL.canParse(text)) return { problem: `this is not a URL: ${form}` };
  const url = new URL(text);
  if (url.password !== '')
    return {
      problem: `the URL has a password in it: leave it out and export ${SOURCE_PASSWORD_VARIABLE}, or add password: env:NAME`,
      hasPassword: true,
    };
  if (url.hostname === '') return { problem: `the URL names no host: ${form}` };
  if (url.pathname.length > 1)
    return { problem: `the URL names a schema, but a source is a whole server: say what to follow with tables:` };
  if (url.search !== '' || url.hash !== '')
    return { problem: 'the URL has parameters: write them as keys beside url:' };
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? 3306 : Number(url.port),
    user: url.username === '' ? undefined : decodeURIComponent(url.username),
  };
}

/** For a URL given by a flag: a password there stands in the process list and in the shell's history. */
export function refusePasswordOnCommandLine(flag: string, text: string): void {
  const parsed = parseServerUrl(text);
  if ('problem' in parsed && parsed.hasPassword === true)
    throw new UsageError(
      `${flag}: a password on the command line can be read in the process list`,
      `leave it out of the URL and export ${SOURCE_PASSWORD_VARIABLE}=…`,
    );
}

/** Turns `env:NAME` or `file:PATH` into a reference; a literal is refused and not repeated. */
function secretReference(folder: string) {
  return z.unknown().transform((value, context): SecretReference => {
    const text = typeof value === 'string' ? value : '';
    const [, kind, rest = ''] = /^(env|file|secret):(.*)$/s.exec(text) ?? [];
    if (kind === 'env' && /^[A-Za-z_][A-Za-z0-9_]*$/.test(rest)) return { kind, name: rest };
    if (kind === 'file' && rest !== '') return { kind, path: resolve(folder, rest) };
    context.addIssue({
      code: 'custom',
      message:
        kind === 'secret'
          ? 'secret: is not built yet: write env:NAME or file:PATH'
          : 'a secret is not written here: refer to it with env:NAME or file:PATH',
    });
    return z.NEVER;
  });
}

/** `private`, `rds`, a URL, or the same with keys. */
export function sourceSchema(folder: string) {
  const port = z.int().min(1).max(65_535).optional();
  const privateKeys = keyed({
    private: z.literal(true).optional(),
    flavor: oneOf(['mariadb', 'mysql']).optional(),
    port,
  });
  const tls = shorthand('mode', keyed({ mode: oneOf(['verify', 'off']).optional(), ca: z.string().optional() }));
  const url = z.string().transform((text, context): ServerUrl => {
    const server = parseServerUrl(text);
    if (!('problem' in server)) return server;
    context.addIssue({ code: 'custom', message: server.problem });
    return z.NEVER;
  });
  const urlKeys = keyed({
    url,
    user: z.string().min(1).optional(),
    password: secretReference(folder).optional(),
    tls: tls.optional(),
  });

  const rdsKeys = rdsSchema((path) => resolve(folder, path));

  return z.unknown().transform((value, context): SourceConfig => {
    if (value === 'private') return { kind: 'private' };
    if (value === 'rds') return rdsKeys.parse({ rds: {} });
    if (typeof value === 'object' && value !== null && 'rds' in value) {
      const parsed = rdsKeys.safeParse(value);
      if (parsed.success) return parsed.data;
      passOn(parsed.error.issues, value, context);
      return z.NEVER;
    }
    const isText = typeof value === 'string';
    if (!isText && !(typeof value === 'object' && value !== null && 'url' in value)) {
      const parsed = privateKeys.safeParse(value);
      if (!parsed.success) {
        passOn(parsed.error.issues, value, context);
        return z.NEVER;
      }
      const { flavor, port } = parsed.data;
      return { kind: 'private', ...(flavor && { flavor }), ...(port && { port }) };
    }

    const object = isText ? { url: value } : value;
    const parsed = urlKeys.safeParse(object);
    if (!parsed.success) {
      passOn(parsed.error.issues, object, context, isText ? [] : undefined);
      return z.NEVER;
    }
    const server = parsed.data.url;
    const user = parsed.data.user ?? server.user;
    if (user === undefined) {
      context.addIssue({ code: 'custom', message: 'names no user: write mysql://user@host:3306' });
      return z.NEVER;
    }
    const { mode, ca } = parsed.data.tls ?? {};
    return {
      kind: 'url',
      host: server.host,
      port: server.port,
      user,
      password: parsed.data.password ?? { kind: 'env', name: SOURCE_PASSWORD_VARIABLE, optional: true },
      tls: {
        mode: mode ?? (ca === undefined && isThisMachine(server.host) ? 'off' : 'verify'),
        ...(ca !== undefined && { ca: resolve(folder, ca) }),
      },
    };
  });
}

/** A server on this machine is reached without TLS unless asked: nobody stands between. */
function isThisMachine(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\./.test(host);
}
