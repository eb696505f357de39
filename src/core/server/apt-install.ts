/** The last way to a server: installing MariaDB's program (not its service) where root or sudo without a password allows it. */
import type { FetchContext } from './debian-package.ts';

export async function installWithApt(context: FetchContext): Promise<true> {
  const { run, progress, signal } = context;
  let prefix: string[] = [];
  if (process.getuid?.() !== 0) {
    const asks = await run('sudo', ['-n', 'true'], { signal });
    if (asks.exitCode !== 0) throw new Error('it needs root, and sudo asks for a password');
    prefix = ['sudo', '-n'];
  }
  progress.update('installing mariadb-server-core with apt-get');
  const [command = 'apt-get', ...rest] = [
    ...prefix,
    'env',
    'DEBIAN_FRONTEND=noninteractive',
    'apt-get',
    'install',
    '-y',
    '-q',
    '--no-install-recommends',
    'mariadb-server-core',
  ];
  const result = await run(command, rest, { signal });
  if (result.exitCode !== 0) throw new Error(result.stderr.trim().split('\n').at(-1) || 'it failed');
  return true;
}
