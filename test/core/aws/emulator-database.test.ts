import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { connectSource } from '../../../src/core/binlog/connection.ts';
import { type AwsClients, awsClients, refusal } from '../../support/aws/clients.ts';
import { type AwsEmulator, hasAwsEmulator, REGION, startAwsEmulator } from '../../support/aws/emulator.ts';
import { makeDatabase, makeDmsStack, makeRole, newDatabase, testConnection } from '../../support/aws/stack.ts';
import { makeCertificates, type TestCertificates } from '../../support/certificates.ts';
import { startTestServer, type TestServer } from '../../support/servers.ts';

const possible = 'template' in inject('testServers').mysql && (await hasAwsEmulator());
const MASTER = { user: 'admin', password: 'Abcdefgh1' };

describe.skipIf(!possible)('a real MySQL behind the RDS endpoint', () => {
  let certificates: TestCertificates;
  let server: TestServer;
  let aws: AwsEmulator;
  let clients: AwsClients;
  beforeAll(async () => {
    certificates = await makeCertificates();
    // As RDS starts out: nobody has set the parameters yet.
    const extraArgs = [...certificates.serverArgs, '--binlog-row-metadata=MINIMAL'];
    server = await startTestServer('mysql', { extraArgs });
    aws = await startAwsEmulator({ rds: server, realConnect: true });
    clients = awsClients(aws);
  });
  afterAll(async () => {
    await aws?.stop();
    await server?.stop();
    await certificates?.remove();
  });
  beforeEach(() => aws.reset());

  async function asMaster(password = MASTER.password) {
    const { DBInstances } = await clients.rds.describeDBInstances({ DBInstanceIdentifier: 'p' });
    const { Address = '', Port = 0 } = DBInstances?.[0]?.Endpoint ?? {};
    const tls = { mode: 'verify', ca: certificates.ca } as const;
    const connection = await connectSource({ host: Address, port: Port, user: MASTER.user, password, tls });
    return {
      async query(sql: string): Promise<unknown[]> {
        return (await connection.query({ sql, rowsAsArray: true }))[0] as unknown[];
      },
      end: () => connection.end(),
    };
  }

  it('takes the master user over TLS, verified, with the database that was asked for', async () => {
    const { address, port } = await makeDatabase(clients, { DBName: 'shop' });
    expect({ address, port }).toEqual({ address: '127.0.0.1', port: server.port });
    const master = await asMaster();
    expect(await master.query("SHOW STATUS LIKE 'Ssl_cipher'")).toEqual([['Ssl_cipher', expect.stringMatching(/./)]]);
    expect(await master.query("SHOW DATABASES LIKE 'shop'")).toEqual([['shop']]);
    // It may do what RDS lets it do, which is not everything.
    await master.query("CREATE USER replicator IDENTIFIED BY 'Abcdefgh2'");
    await master.query('GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO replicator');
    await expect(master.query('SET GLOBAL binlog_row_image = MINIMAL')).rejects.toThrow('SUPER');
    await master.end();
    const untrusted = connectSource({ host: address, port, ...MASTER, tls: { mode: 'verify' } });
    await expect(untrusted).rejects.toMatchObject({ code: 'source.tls' });
  });

  it('keeps how long the binlog stays, within what RDS allows', async () => {
    await makeDatabase(clients);
    const master = await asMaster();
    const retention = async () => ((await master.query('CALL mysql.rds_show_configuration()')) as unknown[][])[0];
    expect(await retention()).toEqual([['binlog retention hours', null, '']]);
    await master.query("CALL mysql.rds_set_configuration('binlog retention hours', 24)");
    expect(await retention()).toEqual([['binlog retention hours', '24', '']]);
    for (const hours of [0, 169])
      await expect(
        master.query(`CALL mysql.rds_set_configuration('binlog retention hours', ${hours})`),
      ).rejects.toThrow();
    await master.end();
  });

  it('gets the dynamic parameters of its group', async () => {
    const group = { DBParameterGroupName: 'p' };
    await clients.rds.createDBParameterGroup({ ...group, DBParameterGroupFamily: 'mysql8.4', Description: 'p' });
    const set = (value: string) =>
      clients.rds.modifyDBParameterGroup({
        ...group,
        Parameters: [{ ParameterName: 'binlog_row_metadata', ParameterValue: value, ApplyMethod: 'immediate' }],
      });
    await set('FULL');
    const variable = async () => (await server.query('SELECT @@GLOBAL.binlog_row_metadata AS v'))[0]?.v;
    expect(await variable()).toBe('MINIMAL');
    await makeDatabase(clients, group);
    expect(await variable()).toBe('FULL');
    await set('MINIMAL');
    expect(await variable()).toBe('MINIMAL');
  });

  it('takes a managed password, and a changed one', async () => {
    await makeDatabase(clients, { MasterUserPassword: undefined, ManageMasterUserPassword: true });
    const { DBInstances } = await clients.rds.describeDBInstances({ DBInstanceIdentifier: 'p' });
    const SecretId = DBInstances?.[0]?.MasterUserSecret?.SecretArn;
    const { SecretString } = await clients.secrets.getSecretValue({ SecretId });
    await (await asMaster(JSON.parse(SecretString ?? '').password)).end();
    await clients.rds.modifyDBInstance({
      DBInstanceIdentifier: 'p',
      ManageMasterUserPassword: false,
      MasterUserPassword: 'Changed12',
      ApplyImmediately: true,
    });
    await (await asMaster('Changed12')).end();
  });

  it('is as it was found when the last instance is deleted, and after a reset', async () => {
    const look = async () => ({
      databases: await server.query('SHOW DATABASES'),
      users: await server.query('SELECT user, host FROM mysql.user ORDER BY 1, 2'),
      routines: await server.query(
        "SELECT routine_name FROM information_schema.routines WHERE routine_schema = 'mysql'",
      ),
    });
    const before = await look();
    const fill = async () => {
      await makeDatabase(clients, { DBName: 'shop' });
      const master = await asMaster();
      await master.query('CREATE DATABASE more');
      await master.query("CREATE USER replicator IDENTIFIED BY 'Abcdefgh2'");
      await master.end();
    };
    await fill();
    expect(await look()).not.toEqual(before);
    await clients.rds.deleteDBInstance({ DBInstanceIdentifier: 'p', SkipFinalSnapshot: true });
    expect(await look()).toEqual(before);
    await aws.reset();
    await fill();
    await aws.reset();
    expect(await look()).toEqual(before);
  });

  it('is what DMS logs in to, with the secret and the certificate it was given', async () => {
    const { dms, secrets } = clients;
    const { address, port } = await makeDatabase(clients);
    const stack = await makeDmsStack(clients);
    const { Certificate } = await dms.importCertificate({
      CertificateIdentifier: 'p',
      CertificatePem: certificates.ca,
    });
    const endpoint = async (name: string, service: string, secret: Record<string, unknown>) => {
      const { ARN = '' } = await secrets.createSecret({ Name: name, SecretString: JSON.stringify(secret) });
      const role = await makeRole(clients, name, service, {
        actions: ['secretsmanager:GetSecretValue'],
        resources: [ARN],
      });
      const { Endpoint } = await dms.createEndpoint({
        EndpointIdentifier: name,
        EndpointType: 'source',
        EngineName: 'mysql',
        SslMode: 'verify-full',
        CertificateArn: Certificate?.CertificateArn,
        MySQLSettings: { SecretsManagerSecretId: ARN, SecretsManagerAccessRoleArn: role },
      });
      return await testConnection(clients, stack.instance, Endpoint?.EndpointArn ?? '');
    };
    const secret = { host: address, port, username: MASTER.user, password: MASTER.password };
    const regional = `dms.${REGION}.amazonaws.com`;
    expect(await endpoint('good', regional, secret)).toBe('successful');
    expect(await endpoint('principal', 'dms.amazonaws.com', secret)).toContain('Unable to assume role');
    expect(await endpoint('password', regional, { ...secret, password: 'wrong' })).toContain('Access denied for user');
    expect(await endpoint('host', regional, { username: 'a', password: 'b' })).toContain('The secret has no host');
    expect(await endpoint('port', regional, { ...secret, port: 1 })).toContain('Network error has occurred');
    // The plain endpoint of the stack names a port where nothing listens.
    expect(await testConnection(clients, stack.instance, stack.source)).toMatch(/Network error|Access denied/);
  });

  it('is not handed out a second time under the same name', async () => {
    await makeDatabase(clients);
    expect(await refusal(clients.rds.createDBInstance(newDatabase()))).toBe('DBInstanceAlreadyExistsFault');
  });
});
