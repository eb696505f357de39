/** The two steps that only SQL can take: how long RDS keeps the binlog, and the user that DMS reads with. */

import { readSecret } from '../../../aws/secrets-manager.ts';
import { repeatWhile } from '../../../aws/wait.ts';
import type { Config, RdsSource } from '../../../config.ts';
import { CdcError } from '../../../errors.ts';
import { quoteName } from '../../../source/query.ts';
import { splitPattern } from '../../../table-pattern.ts';
import { type Actual, type AwsContext, compare, type Difference, idOf, type Resource } from '../resource.ts';
import { adminAddress } from '../source-address.ts';
import type { RunStatement } from '../source-sql.ts';
import { DMS_USER, parseSourceSecret } from './secret.ts';

/** A new instance is reachable a while after RDS calls it available: its name and its public address spread first. */
const UNTIL_REACHABLE = { isTooEarly: (error: CdcError) => error.code === 'source.unreachable', boundSeconds: 180 };

export function binlogRetention(source: RdsSource): Resource {
  const wanted = source.binlogRetentionHours;
  const statement: Statement = ['CALL mysql.rds_set_configuration(?, ?)', ['binlog retention hours', wanted]];
  return {
    id: 'binlog-retention',
    guideSection: '3',
    title: `binlog kept for ${wanted} hours`,
    needs: ['database'],
    expectedSeconds: 5,
    rights: [],
    look: (context) =>
      lookBySql(context, source, async (run) => {
        const rows = await run('reading how long the binlog is kept', 'CALL mysql.rds_show_configuration');
        const row = rows.find(({ name }) => name === 'binlog retention hours');
        const hours = row?.value ?? undefined;
        if (hours === undefined) return { state: 'absent' };
        return { state: 'ours', ids: {}, differences: compare({ hours: [hours, wanted] }) };
      }),
    create: (context) => setRetention(context),
    mend: (context) => setRetention(context),
    commands: () => [`# SQL, as ${source.user}: ${formatStatement(statement)}`],
  };

  async function setRetention(context: AwsContext): Promise<void> {
    const [sql, values] = statement;
    await bySql(context, source, (run) => run('setting how long the binlog is kept', sql, values));
  }
}

export function users(secretName: string, source: RdsSource, config: Pick<Config, 'tables'>): Resource {
  const schemas = schemasToRead(config);
  return {
    id: 'users',
    guideSection: '5.1',
    title: `database user ${DMS_USER} (reads the binlog and ${schemas.join(', ')})`,
    needs: ['database', 'secret'],
    expectedSeconds: 5,
    rights: ['secretsmanager:GetSecretValue'],
    look: (context) => lookBySql(context, source, lookAtUser),
    create: (context) => makeUser(context),
    mend: (context) => makeUser(context),
    commands: () => [
      `# SQL, as ${source.user}, with the password of the secret ${secretName}:`,
      ...userStatements(schemas, '…').map((statement) => `#   ${formatStatement(statement)}`),
    ],
  };

  async function lookAtUser(run: RunStatement): Promise<Actual> {
    const doing = `looking for the user ${DMS_USER}`;
    const [user] = await run(
      doing,
      'SELECT Repl_slave_priv, Repl_client_priv, Select_priv FROM mysql.user WHERE User = ? AND Host = ?',
      [DMS_USER, '%'],
    );
    if (user === undefined) return { state: 'absent' };
    const granted = await run(doing, "SELECT Db FROM mysql.db WHERE User = ? AND Host = ? AND Select_priv = 'Y'", [
      DMS_USER,
      '%',
    ]);
    const readable = new Set(granted.map(({ db }) => db ?? ''));
    const differences: Difference[] = compare({
      'REPLICATION SLAVE': [user.repl_slave_priv ?? '', 'Y'],
      'REPLICATION CLIENT': [user.repl_client_priv ?? '', 'Y'],
      ...Object.fromEntries(
        schemas.map((schema) => [
          `SELECT on ${schema}`,
          [user.select_priv === 'Y' || readable.has(schema) ? 'granted' : 'missing', 'granted'] as const,
        ]),
      ),
    });
    return { state: 'ours', ids: {}, differences };
  }

  /** Repeatable; the password is the secret's, whatever it was before. */
  async function makeUser(context: AwsContext): Promise<void> {
    const { session } = context;
    const { password } = parseSourceSecret(await readSecret(session, idOf(context, 'secret')), secretName);
    await bySql(context, source, async (run) => {
      for (const [sql, values] of userStatements(schemas, password))
        await run(`making the database user ${DMS_USER}`, sql, values);
    });
  }
}

type Statement = readonly [sql: string, values: readonly (string | number)[]];

function userStatements(schemas: readonly string[], password: string): Statement[] {
  const who = [DMS_USER, '%'];
  return [
    ['CREATE USER IF NOT EXISTS ?@? IDENTIFIED BY ? REQUIRE SSL', [...who, password]],
    ['ALTER USER ?@? IDENTIFIED BY ? REQUIRE SSL', [...who, password]],
    ['GRANT REPLICATION CLIENT, REPLICATION SLAVE ON *.* TO ?@?', who],
    ...schemas.map(
      (schema): Statement => [`GRANT SELECT ON ${schema === '*' ? '*' : quoteName(schema)}.* TO ?@?`, who],
    ),
  ];
}

/** To be read: none of our values has a quote in it. */
function formatStatement([sql, values]: Statement): string {
  const left = [...values];
  return `${sql.replace(/\?/g, () => {
    const value = left.shift() ?? '';
    return typeof value === 'number' ? String(value) : `'${value}'`;
  })};`;
}

/** Schemas as GRANT writes them: it knows % and _ as cdc.yaml does, and \_ for the character; `*` where that is not enough. */
function schemasToRead({ tables }: Pick<Config, 'tables'>): string[] {
  const schemas = tables.map(({ pattern }) => {
    const { schema } = splitPattern(pattern) ?? { schema: '%' };
    const granted = schema.replace(/\[([_%])\]/g, '\\$1');
    return schema === '%' || granted.includes('[') ? '*' : granted;
  });
  return schemas.includes('*') ? ['*'] : [...new Set(schemas)];
}

async function bySql<T>(context: AwsContext, source: RdsSource, use: (run: RunStatement) => Promise<T>): Promise<T> {
  const address = await adminAddress(context, source);
  return repeatWhile(context.session, UNTIL_REACHABLE, () => context.sql(address, context.session.signal, use));
}

/** What cannot be seen now is done again: the statements can be repeated. */
async function lookBySql(
  context: AwsContext,
  source: RdsSource,
  look: (run: RunStatement) => Promise<Actual>,
): Promise<Actual> {
  if (context.ids.get('database_host') === undefined || context.ids.get('database_secret') === undefined)
    return { state: 'absent' };
  if (context.stopped.has('database'))
    return {
      state: 'ours',
      ids: {},
      differences: [{ what: 'database', is: 'stopped', wanted: 'running, to be looked into', isMendable: false }],
    };
  try {
    return await context.sql(await adminAddress(context, source), context.session.signal, look);
  } catch (error) {
    if (!(error instanceof CdcError) || !error.code.startsWith('source.')) throw error;
    return {
      state: 'ours',
      ids: {},
      differences: [
        { what: 'database', is: `not to be seen (${error.message})`, wanted: 'reachable', isMendable: true },
      ],
    };
  }
}
