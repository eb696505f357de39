/** The environment variables the tool knows, read once; nothing below the command line looks at the environment. */

import { homedir } from 'node:os';
import { join } from 'node:path';
import { UsageError } from '../core/errors.ts';

export interface Environment {
  /** CDC_CONFIG: the cdc.yaml to use. */
  configFile: string | undefined;
  /** CDC_MYSQLD: the server program for the private server. */
  mysqld: string | undefined;
  /** CDC_CACHE: the folder for what is fetched once, such as a server. */
  cacheFolder: string;
  /** CDC_TLS_CA: a PEM file of certificate authorities for the source. */
  tlsCa: string | undefined;
  /** CDC_SPARK_SUBMIT: the command that starts Spark. */
  sparkSubmit: string | undefined;
  /** CDC_KILL_AT: where the tests kill this process. */
  killAt: { point: string; time: number } | undefined;
  /** CDC_TRACE_POINTS: a file to which this process appends the name of each crash point it passes, for the tests. */
  tracePoints: string | undefined;
  /** NO_COLOR, as no-color.org has it: set and not empty. */
  noColor: boolean;
  /** All variables, for `env:NAME` references. */
  variables: Readonly<Record<string, string | undefined>>;
}

export function readEnvironment(variables: Readonly<Record<string, string | undefined>>): Environment {
  // An empty variable counts as absent: that is what `CDC_CONFIG= cdc …` means to say.
  const value = (name: string) => variables[name] || undefined;
  return {
    configFile: value('CDC_CONFIG'),
    mysqld: value('CDC_MYSQLD'),
    cacheFolder:
      value('CDC_CACHE') ?? join(value('XDG_CACHE_HOME') ?? join(value('HOME') ?? homedir(), '.cache'), 'cdc'),
    tlsCa: value('CDC_TLS_CA'),
    sparkSubmit: value('CDC_SPARK_SUBMIT'),
    killAt: parseKillAt(value('CDC_KILL_AT')),
    tracePoints: value('CDC_TRACE_POINTS'),
    noColor: value('NO_COLOR') !== undefined,
    variables,
  };
}

/** `capture.published`, or `capture.published:3` for the third time that point is passed. */
function parseKillAt(text: string | undefined): Environment['killAt'] {
  if (text === undefined) return undefined;
  const [, point, time] = /^([a-z.-]+)(?::([1-9]\d*))?$/.exec(text) ?? [];
  if (point === undefined)
    throw new UsageError(`CDC_KILL_AT=${text}: it takes the name of a crash point, or NAME:COUNT`);
  return { point, time: Number(time ?? 1) };
}
