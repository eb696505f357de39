/** The file of statements that the server runs before it accepts anyone: it holds passwords, so only the server's user may read it. */
import { chmod, chown, rm, writeFile } from 'node:fs/promises';
import { accountStatements, type ServerCredentials } from './credentials.ts';
import type { ServerFlavor } from './server-binary.ts';
import type { ServiceAccount } from './service-account.ts';
import type { ServerPaths } from './state.ts';

export interface InitFileOptions {
  paths: ServerPaths;
  flavor: ServerFlavor;
  credentials: ServerCredentials;
  account: ServiceAccount | undefined;
}

export async function writeInitFile(options: InitFileOptions): Promise<string> {
  const { paths, flavor, credentials, account } = options;
  await rm(paths.initFile, { force: true });
  await writeFile(paths.initFile, accountStatements(flavor, credentials), { mode: 0o600, flag: 'wx' });
  await chmod(paths.initFile, 0o600);
  if (account !== undefined) await chown(paths.initFile, account.uid, account.gid);
  return paths.initFile;
}
