/** An emulated account with a real MySQL behind its RDS endpoint, and a pipeline to make and remove in it. */

import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { openSession } from '../../../../src/core/aws/session.ts';
import { type Config, parseConfig } from '../../../../src/core/config.ts';
import { type DestroyAwsReport, destroyAws, lookAtDestroy } from '../../../../src/core/pipeline/aws/destroy.ts';
import { type InitAwsReport, initAws } from '../../../../src/core/pipeline/aws/init.ts';
import { type AwsOptions, type AwsView, lookAtAws } from '../../../../src/core/pipeline/aws/look.ts';
import type { JobPackage } from '../../../../src/core/pipeline/aws-run/job-package.ts';
import type { LambdaPackage } from '../../../../src/core/pipeline/aws-run/lambda-package.ts';
import { zipArchive } from '../../../../src/core/pipeline/aws-run/zip-archive.ts';
import type { Progress } from '../../../../src/core/progress.ts';
import { type AwsClients, awsClients } from '../../../support/aws/clients.ts';
import { type AwsEmulator, startAwsEmulator } from '../../../support/aws/emulator.ts';
import { fakeClock } from '../../../support/aws/fake-clock.ts';
import { makeCertificates, type TestCertificates } from '../../../support/certificates.ts';
import { startTestServer, type TestServer } from '../../../support/servers.ts';
import { temporaryFolder } from '../../../support/temp-folder.ts';

export interface Account {
  emulator: AwsEmulator;
  server: TestServer;
  certificates: TestCertificates;
  clients: AwsClients;
  /** SQL on the database behind RDS, as its superuser and over TLS: the parameter group may ask for it. */
  query(...statements: string[]): Promise<Record<string, unknown>[]>;
  /** Nothing is left in it, and nothing of ours in its database. */
  empty(): Promise<void>;
  stop(): Promise<void>;
}

export async function startAccount(): Promise<Account> {
  const certificates = await makeCertificates();
  const server = await startTestServer('mysql', { extraArgs: certificates.serverArgs });
  const emulator = await startAwsEmulator({ rds: server, realConnect: true });
  for (const [name, value] of Object.entries(emulator.env)) process.env[name] = value;
  const account: Account = {
    emulator,
    server,
    certificates,
    clients: awsClients(emulator),
    async query(...statements) {
      const session = await createConnection({ ...server.connection('admin'), ssl: { ca: certificates.ca } });
      try {
        let rows: Record<string, unknown>[] = [];
        for (const statement of statements) {
          const [result] = await session.query<RowDataPacket[]>(statement);
          rows = Array.isArray(result) ? result : [];
        }
        return rows;
      } finally {
        await session.end();
      }
    },
    async empty() {
      await emulator.reset();
      await account.query("DROP USER IF EXISTS 'cdc_dms'@'%'", 'DROP TABLE IF EXISTS mysql.rds_configuration');
    },
    async stop() {
      await emulator.stop();
      await server.stop();
      await certificates.remove();
    },
  };
  return account;
}

export interface Pipeline {
  config: Config;
  folder: string;
  /** Lines of progress that stay. */
  said: string[];
  warned: string[];
  look(more?: Partial<AwsOptions> & { signal?: AbortSignal }): Promise<AwsView>;
  init(more?: Partial<AwsOptions> & { only?: string; signal?: AbortSignal }): Promise<InitAwsReport>;
  destroy(options?: { deleteLake?: boolean; signal?: AbortSignal }): Promise<DestroyAwsReport>;
}

/** `yaml` is added to a cdc.yaml that says the name, the target and the authority of the test's server. */
export async function newPipeline(account: Account, yaml = '', name = 'shop-qkzw'): Promise<Pipeline> {
  const folder = await temporaryFolder();
  const text = `name: ${name}\ntarget: aws\n${/^source:/m.test(yaml) ? '' : `source: { rds: {}, tls: { ca: '${account.certificates.caFile}' } }\n`}${yaml}`;
  const config = parseConfig({ file: join(folder, 'cdc.yaml'), text });
  const said: string[] = [];
  const warned: string[] = [];
  const progress: Progress = {
    update() {},
    detail() {},
    done: (line) => void said.push(line),
    warn: (line) => void warned.push(line),
  };
  const options = async ({ signal, ...more }: Partial<AwsOptions> & { signal?: AbortSignal }): Promise<AwsOptions> => ({
    config,
    session: await openSession({ clock: fakeClock(), ...(signal === undefined ? {} : { signal }) }),
    progress,
    sourcePassword: async () => account.server.cdc.password,
    operatorAddress: async () => '203.0.113.7',
    function: TEST_FUNCTION,
    job: TEST_JOB,
    ...more,
  });
  return {
    config,
    folder,
    said,
    warned,
    look: async (more = {}) => lookAtAws(await options(more)),
    init: async ({ only, ...more } = {}) =>
      initAws(await lookAtAws(await options(more)), only === undefined ? {} : { only }),
    destroy: async ({ deleteLake = false, ...more } = {}) =>
      destroyAws(await lookAtDestroy({ ...(await options(more)), deleteLake })),
  };
}

const zip = zipArchive([{ name: 'index.mjs', body: Buffer.from('export const handler = async () => "woken";\n') }]);
export const TEST_FUNCTION: LambdaPackage = {
  zip,
  sha256: createHash('sha256').update(zip).digest('base64'),
  handler: 'index.handler',
  runtime: 'nodejs24.x',
  memoryMb: 512,
  timeoutSeconds: 60,
  environment: { CDC_GLUE_JOB: 'shop-qkzw-merge' },
};

export const TEST_JOB: JobPackage = {
  script: { key: 'glue/merge_changes-0123456789abcdef.py', body: Buffer.from('print("{}")\n') },
  modules: { key: 'glue/cdc_merge-0123456789abcdef.zip', body: zip },
};
