/** A pipeline as its commands hold it: the configuration with its stores opened and its source found. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SourceAddress } from '../binlog/connection.ts';
import { formatTableName, type TableName } from '../change.ts';
import { type Config, tableRuleFor } from '../config.ts';
import type { EngineOptions } from '../engine/engine.ts';
import { CdcError, messageOf } from '../errors.ts';
import type { MergeTableOptions } from '../merge/merge-table.ts';
import { resolveSecret } from '../secret.ts';
import { privateServerState } from '../server/state.ts';
import { asksByPath, openStore } from '../store/open-store.ts';
import type { Store } from '../store/store.ts';
import { askGlueRun } from './ask-glue-run.ts';

export interface Pipeline {
  config: Config;
  staging: Store;
  lake: Store;
  /** What every merge of a table takes. */
  mergeOf(
    table: TableName,
  ): Pick<MergeTableOptions, 'staging' | 'lake' | 'table' | 'appId' | 'mode' | 'policies' | 'askRun'>;
  engineOptions: EngineOptions;
  /** Where the private server lives, when the source is one. */
  serverFolder: string;
  /** The user that capture and load read with; `admin` may write (private server only, else the same user). */
  address(user?: 'cdc' | 'admin'): Promise<SourceAddress>;
}

type Variables = Readonly<Record<string, string | undefined>>;

/** Touches nothing; `variables` is the environment that secrets are read from at the moment of connecting. */
export function openPipeline(config: Config, variables: Variables): Pipeline {
  const serverFolder = join(config.stateFolder, 'server');
  const { staging, lake } = openStores(config, variables);
  const askRun = askGlueRun(config.s3);
  return {
    config,
    staging,
    lake,
    mergeOf: (table) => ({
      staging,
      lake,
      table,
      // Fixed per pipeline and table: it names our merges in the Delta log's `txn`.
      appId: `cdc/${config.name}/${formatTableName(table)}`,
      mode: tableRuleFor(config, table)?.mode === 'append' ? 'append' : 'merge',
      policies: { unfit: config.merge.unfit },
      askRun,
    }),
    engineOptions: {
      memoryLimit: `${Math.floor(config.merge.memoryLimitBytes / 1e6)}MB`,
      tempDirectory: join(config.stateFolder, 'spill'),
    },
    serverFolder,
    address: (user = 'cdc') => sourceAddress(config, serverFolder, user, variables),
  };
}

/** Staging and lake, for whoever needs no more. Touches nothing. */
export function openStores(config: Config, variables: Variables): { staging: Store; lake: Store } {
  const options = {
    ...config.s3,
    pathStyle: asksByPath(variables),
    // Immutable files, so both may share it.
    cacheFolder: join(config.stateFolder, 'cache'),
  };
  return { staging: openStore(config.staging.location, options), lake: openStore(config.lake.location, options) };
}

/** Throws `server.absent`: only `init` makes a private server. */
export function refuseAbsent<State extends { state: string }>(
  server: State,
): asserts server is Exclude<State, { state: 'absent' }> {
  if (server.state === 'absent')
    throw new CdcError('server.absent', 'connecting to the private server: there is none yet', { hint: 'cdc init' });
}

async function sourceAddress(
  config: Config,
  serverFolder: string,
  user: 'cdc' | 'admin',
  variables: Variables,
): Promise<SourceAddress> {
  const { source } = config;
  if (source.kind === 'private') {
    const server = await privateServerState(serverFolder);
    refuseAbsent(server);
    if (server.state === 'stopped')
      throw new CdcError('server.stopped', 'connecting to the private server: it is stopped', { hint: 'cdc start' });
    // Over TCP, as any other source: the socket's folder need not be reachable for whoever runs cdc.
    return { host: server.host, port: server.port, ...server.users[user], tls: { mode: 'off' } };
  }
  if (source.kind === 'rds')
    throw new CdcError('target.not-built', 'connecting to the source: this command does not know RDS yet');
  const { host, port, tls } = source;
  return {
    host,
    port,
    user: source.user,
    password: await resolveSecret(source.password, variables),
    tls: { mode: tls.mode, ...(tls.ca === undefined ? {} : { ca: await readCa(tls.ca) }) },
  };
}

async function readCa(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new CdcError('source.tls', `reading the certificate authority ${path}: ${messageOf(cause)}`, {
      cause,
      hint: 'name a PEM file with `source.tls.ca` in cdc.yaml or CDC_TLS_CA',
    });
  }
}
