/** Which database server is taken, and what is said when there is none. */
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CdcError } from '../../../src/core/errors.ts';
import { silent } from '../../../src/core/progress.ts';
import { type FindServerOptions, findServer } from '../../../src/core/server/find.ts';
import { installCommand } from '../../../src/core/server/not-found.ts';
import { type CommandRunner, runCommand } from '../../../src/core/server/run-command.ts';
import { compareVersions, parseVersionLine } from '../../../src/core/server/server-binary.ts';

const MARIADB = 'Ver 10.11.6-MariaDB-0+deb12u1 for debian-linux-gnu on x86_64 (Debian 12)';
const MYSQL = 'Ver 8.0.31 for Linux on x86_64 (MySQL Community Server - GPL)';

let base: string;

beforeEach(async () => {
  base = await mkdtemp(path.join(os.tmpdir(), 'cdc-find-'));
  // Else, as root, the cache would be one outside that the server's user can read.
  await chmod(base, 0o755);
});
afterEach(async () => {
  vi.unstubAllGlobals();
  await rm(base, { recursive: true, force: true });
});

/** A program that answers `--version` like a server, with the share folder that tells a server's own files. */
async function fakeServer(root: string, program: string, says: string): Promise<string> {
  const file = path.join(root, program);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, `#!/bin/sh\necho "${program} ${says}"\n`);
  await chmod(file, 0o755);
  await mkdir(path.join(root, path.dirname(path.dirname(program)), 'share/mysql/english'), { recursive: true });
  await writeFile(path.join(root, path.dirname(path.dirname(program)), 'share/mysql/english/errmsg.sys'), '');
  return file;
}

function find(more: Partial<FindServerOptions> = {}) {
  return findServer({ cacheDir: path.join(base, 'cache'), systemFolders: [], progress: silent, fetch: false, ...more });
}

async function failure(promise: Promise<unknown>): Promise<CdcError> {
  const error = await promise.then(
    () => new Error('it did not fail'),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof CdcError)) throw error;
  return error;
}

describe('findServer with CDC_MYSQLD', () => {
  it('takes it and looks nowhere else', async () => {
    const mysqld = await fakeServer(base, 'bin/mysqld', MYSQL);
    const other = await fakeServer(path.join(base, 'other'), 'bin/mariadbd', MARIADB);
    const found = await find({ mysqld, searchPath: path.dirname(other) });
    expect(found).toMatchObject({ flavor: 'mysql', version: '8.0.31', mysqld, baseDir: base });
  });

  it.each([
    ['is not there', async () => path.join(base, 'nowhere/mysqld'), /ENOENT/],
    ['is a folder', async () => base, /it is not a file/],
    [
      'cannot be executed',
      async () => {
        const file = path.join(base, 'mysqld');
        await writeFile(file, '');
        return file;
      },
      /EACCES/,
    ],
    ['is another program', async () => '/bin/true', /does not tell its version/],
    ['is too old', () => fakeServer(base, 'bin/mysqld', 'Ver 5.7.44 for Linux'), /5\.7\.44 is too old/],
  ])('refuses one that %s, and does not fall back to another', async (_, make, reason) => {
    const other = await fakeServer(path.join(base, 'other'), 'bin/mariadbd', MARIADB);
    const mysqld = await make();
    const error = await failure(find({ mysqld, searchPath: path.dirname(other) }));
    expect(error.code).toBe('server.mysqld-unusable');
    expect(error.message).toContain(mysqld);
    expect(error.message).toMatch(reason);
    expect(error.hint).toContain('CDC_MYSQLD');
  });

  it('refuses one of the other flavor', async () => {
    const mysqld = await fakeServer(base, 'bin/mysqld', MARIADB);
    const error = await failure(find({ mysqld, flavor: 'mysql' }));
    expect(error.message).toContain('it is mariadb, and mysql is asked for');
  });
});

describe('findServer', () => {
  it('takes the first that works on PATH, then in the usual folders', async () => {
    const broken = path.join(base, 'broken/bin');
    await mkdir(broken, { recursive: true });
    await writeFile(path.join(broken, 'mysqld'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
    const works = await fakeServer(path.join(base, 'works'), 'sbin/mysqld', MARIADB);
    const usual = await fakeServer(path.join(base, 'usual'), 'sbin/mysqld', MYSQL);
    const places = { searchPath: `${broken}:${path.dirname(works)}`, systemFolders: [path.dirname(usual)] };
    expect((await find(places)).mysqld).toBe(works);
    expect((await find({ ...places, flavor: 'mysql' })).mysqld).toBe(usual);
  });

  it("finds a server's own files through a link to it", async () => {
    const mysqld = await fakeServer(path.join(base, 'opt'), 'bin/mysqld', MYSQL);
    const bin = path.join(base, 'bin');
    await mkdir(bin);
    await symlink(mysqld, path.join(bin, 'mysqld'));
    expect((await find({ searchPath: bin })).baseDir).toBe(path.join(base, 'opt'));
  });

  it('takes the newest unpacked server of its cache, with the libraries beside it, and no unfinished one', async () => {
    const cache = path.join(base, 'cache');
    await fakeServer(path.join(cache, 'mariadb-10.11.6'), 'usr/sbin/mariadbd', MARIADB);
    const newer = await fakeServer(
      path.join(cache, 'mariadb-10.11.19'),
      'usr/sbin/mariadbd',
      MARIADB.replace('.6', '.19'),
    );
    const libraries = path.join(cache, 'mariadb-10.11.19/missing-libraries');
    await mkdir(libraries);
    await writeFile(path.join(libraries, 'libaio.so.1'), '');
    await fakeServer(path.join(cache, 'unfinished-x'), 'usr/sbin/mariadbd', MARIADB.replace('.6', '.99'));
    const mysql = await fakeServer(path.join(cache, 'mysql-8.0.31'), 'bin/mysqld', MYSQL);
    expect(await find()).toMatchObject({ mysqld: newer, env: { LD_LIBRARY_PATH: libraries } });
    expect((await find({ flavor: 'mysql' })).mysqld).toBe(mysql);
  });

  it('says what was tried and what to type when there is none', async () => {
    vi.stubGlobal('fetch', () => Promise.reject(new Error('no network')));
    const run: CommandRunner = async (command) => ({ exitCode: 127, stdout: '', stderr: `spawn ${command} ENOENT` });
    const error = await failure(find({ fetch: true, run }));
    expect(error.code).toBe('server.not-found');
    expect(error.message).toContain('mariadb-server-core: this system has no apt-get');
    expect(error.message).toContain('https: no network; curl: spawn curl ENOENT; mvn: spawn mvn ENOENT');
    expect(error.message).toContain('apt-get install:');
    expect(error.hint).toContain('CDC_MYSQLD=');
    expect(error.hint).toContain('cdc init --source mysql://');
    expect(await readdir(path.join(base, 'cache'))).toEqual([]);
  });

  it('does not take MariaDB for MySQL when MySQL cannot be had', async () => {
    vi.stubGlobal('fetch', () => Promise.reject(new Error('no network')));
    const mariadb = await fakeServer(base, 'sbin/mariadbd', MARIADB);
    const commands: string[] = [];
    const run: CommandRunner = async (command, args, options) => {
      if (args.includes('--version')) return runCommand(command, args, options);
      commands.push(command);
      return { exitCode: 1, stdout: '', stderr: 'no' };
    };
    const error = await failure(find({ fetch: true, flavor: 'mysql', searchPath: path.dirname(mariadb), run }));
    expect(error.message).toContain('no MySQL server on this machine');
    expect(commands).toEqual(['curl', 'mvn']);
  });
});

describe('fetching MariaDB without root', () => {
  /** apt, dpkg and ldd of a made-up system, whose package lists are empty until they are updated. */
  function fakeSystem(commands: string[]): CommandRunner {
    let updated = false;
    return async (command, args, options = {}) => {
      const ok = { exitCode: 0, stdout: '', stderr: '' };
      if (args.includes('--version')) return runCommand(command, args, options);
      commands.push([command, args.find((arg) => /^[a-z]/.test(arg) && !arg.includes('=')), args.at(-1)].join(' '));
      if (command === 'apt-get' && args.at(-1) === 'update') {
        updated = true;
        return ok;
      }
      if (command === 'apt-get') {
        const name = args.at(-1) ?? '';
        if (!updated || name === 'libaio1t64')
          return { exitCode: 100, stdout: '', stderr: `E: No candidate for ${name}` };
        await writeFile(path.join(options.cwd ?? '', `${name}_1_amd64.deb`), name);
        return ok;
      }
      if (command === 'dpkg') {
        const root = args[2] ?? '';
        const name = await readFile(args[1] ?? '', 'utf8');
        if (name.startsWith('mariadb')) await fakeServer(root, 'usr/sbin/mariadbd', MARIADB);
        else {
          await mkdir(path.join(root, 'usr/lib'), { recursive: true });
          await writeFile(path.join(root, 'usr/lib/libaio.so.1.0.2'), '');
          await symlink('libaio.so.1.0.2', path.join(root, 'usr/lib/libaio.so.1'));
        }
        return ok;
      }
      const folder = options.env?.LD_LIBRARY_PATH ?? '';
      const there: string[] = await readdir(folder).catch(() => []);
      return { ...ok, stdout: there.includes('libaio.so.1') ? '' : '\tlibaio.so.1 => not found\n' };
    };
  }

  it('updates its own package lists when the system has none, adds missing libraries, and leaves only the server', async () => {
    const commands: string[] = [];
    const found = await find({ fetch: true, run: fakeSystem(commands) });
    const root = path.join(base, 'cache/mariadb-10.11.6');
    expect(found).toMatchObject({
      flavor: 'mariadb',
      version: '10.11.6',
      mysqld: path.join(root, 'usr/sbin/mariadbd'),
    });
    expect(found.env).toEqual({ LD_LIBRARY_PATH: path.join(root, 'missing-libraries') });
    expect((await readdir(root)).sort()).toEqual(['missing-libraries', 'usr']);
    expect((await readdir(path.join(base, 'cache'))).sort()).toEqual(['apt', 'mariadb-10.11.6']);
    expect(commands.filter((line) => line.endsWith('update'))).toHaveLength(1);
    expect(commands.filter((line) => line.includes('install'))).toEqual([]);
    // From now on it is simply there.
    expect((await find()).mysqld).toBe(found.mysqld);
  });
});

describe('the words of a version', () => {
  it.each([
    [`mariadbd  ${MARIADB}`, { flavor: 'mariadb', version: '10.11.6' }],
    [`/opt/mysql/bin/mysqld  ${MYSQL}`, { flavor: 'mysql', version: '8.0.31' }],
    ['mysqld  Ver 10.5.23-MariaDB for Linux on x86_64 (MariaDB Server)', { flavor: 'mariadb', version: '10.5.23' }],
    ['/usr/sbin/mysqld  Ver 8.4.2-0ubuntu1 for Linux on aarch64 ((Ubuntu))', { flavor: 'mysql', version: '8.4.2' }],
    ['hello', undefined],
  ])('%s', (line, facts) => {
    expect(parseVersionLine(line)).toEqual(facts);
  });

  it('compares by number, not by text', () => {
    expect(compareVersions('10.11.6', '10.5.23')).toBeGreaterThan(0);
    expect(compareVersions('8.0.31', '8.0.31')).toBe(0);
    expect(compareVersions('8.0.9', '8.0.31')).toBeLessThan(0);
    expect(compareVersions('10.5.1', '10.5')).toBeGreaterThan(0);
  });
});

describe('the command that installs a server', () => {
  it.each([
    ['darwin', '', undefined, 'brew install mariadb'],
    ['darwin', '', 'mysql', 'brew install mysql'],
    ['win32', '', undefined, 'wsl --install, and run cdc inside WSL'],
    ['linux', 'NAME="Alpine Linux"\nID=alpine\n', undefined, 'apk add mariadb'],
    ['linux', 'ID=fedora\n', undefined, 'sudo dnf install mariadb-server'],
    ['linux', 'ID="rocky"\nID_LIKE="rhel centos fedora"\n', 'mysql', 'sudo dnf install mysql-server'],
    ['linux', 'ID=arch\n', undefined, 'sudo pacman -S mariadb'],
    ['linux', 'ID=debian\n', undefined, 'sudo apt-get update && sudo apt-get install mariadb-server-core'],
  ] as const)('on %s, %j, for %s is: %s', (platform, osRelease, flavor, command) => {
    expect(installCommand({ platform, osRelease }, flavor)).toBe(command);
  });
});
