/** The private server's passwords: generated once, kept in a file that only its owner can read. */
import { randomBytes } from 'node:crypto';
import { chmod, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { CdcError, messageOf, nativeCodeOf } from '../errors.ts';

const account = z.object({ user: z.string().min(1), password: z.string().min(1) });
const credentialsSchema = z.object({ admin: account, cdc: account });

export type ServerCredentials = z.infer<typeof credentialsSchema>;

export const CREDENTIALS_FILE = 'credentials.json';

export function generateCredentials(): ServerCredentials {
  // Hex: nothing in it needs quoting in SQL, in a URL or in a shell.
  const password = () => randomBytes(16).toString('hex');
  return { admin: { user: 'root', password: password() }, cdc: { user: 'cdc', password: password() } };
}

export async function writeCredentials(folder: string, credentials: ServerCredentials): Promise<void> {
  const file = path.join(folder, CREDENTIALS_FILE);
  const temporary = `${file}.${process.pid}.tmp`;
  await writeFile(temporary, `${JSON.stringify(credentials, null, 2)}\n`, { mode: 0o600 });
  await chmod(temporary, 0o600);
  await rename(temporary, file);
}

export async function readCredentials(folder: string): Promise<ServerCredentials | undefined> {
  const file = path.join(folder, CREDENTIALS_FILE);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (nativeCodeOf(error) === 'ENOENT') return undefined;
    throw new CdcError('server.credentials', `reading the server's passwords: ${messageOf(error)}`, { cause: error });
  }
  try {
    return credentialsSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new CdcError('server.credentials', `reading the server's passwords: ${file} is damaged`, {
      hint: `delete ${file}; the next \`cdc start\` after \`cdc stop\` sets new passwords`,
      cause: error,
    });
  }
}

/**
 * The statements of `--init-file`, one a line, that leave exactly two accounts to log in with. They run before the
 * server accepts its first connection, so there is no moment at which root has no password. Kept out of the binlog.
 */
export function accountStatements(flavor: 'mariadb' | 'mysql', credentials: ServerCredentials): string {
  const { admin, cdc } = credentials;
  const grants =
    flavor === 'mariadb'
      ? 'SELECT, RELOAD, LOCK TABLES, REPLICATION SLAVE, BINLOG MONITOR'
      : // XA_RECOVER_ADMIN: a full load looks for transactions in doubt.
        'SELECT, RELOAD, LOCK TABLES, REPLICATION SLAVE, REPLICATION CLIENT, XA_RECOVER_ADMIN';
  const tidy =
    flavor === 'mariadb'
      ? [
          "DELETE FROM mysql.global_priv WHERE User = '' OR (User = 'root' AND Host NOT IN ('localhost', '%'))",
          "DELETE FROM mysql.db WHERE User = ''",
          "DELETE FROM mysql.proxies_priv WHERE Host <> 'localhost'",
          'FLUSH PRIVILEGES',
        ]
      : [];
  const statements = ['SET SESSION sql_log_bin = 0', ...tidy];
  for (const [user, host, password] of [
    [admin.user, 'localhost', admin.password],
    [admin.user, '%', admin.password],
    [cdc.user, '%', cdc.password],
  ]) {
    // Both, so that running it again sets the passwords again.
    statements.push(`CREATE USER IF NOT EXISTS '${user}'@'${host}' IDENTIFIED BY '${password}'`);
    statements.push(`ALTER USER '${user}'@'${host}' IDENTIFIED BY '${password}'`);
  }
  statements.push(`GRANT ALL ON *.* TO '${admin.user}'@'localhost' WITH GRANT OPTION`);
  statements.push(`GRANT ALL ON *.* TO '${admin.user}'@'%' WITH GRANT OPTION`);
  statements.push(`GRANT ${grants} ON *.* TO '${cdc.user}'@'%'`);
  return statements.map((statement) => `${statement};\n`).join('');
}
