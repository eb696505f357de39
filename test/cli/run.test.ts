import { describe, expect, it } from 'vitest';
import { CancelledError, CdcError, ConfigError, UsageError } from '../../src/core/errors.ts';
import { runCli } from '../support/command-line.ts';
import { fakeCommand } from '../support/fake-command.ts';

const failing = (error: unknown) =>
  fakeCommand(() => {
    throw error;
  });

describe('a command line', () => {
  it('prints the answer on stdout and the next steps on stderr', async () => {
    const commands = fakeCommand(() => ({ rows: 3 }), { next: () => ['cdc files'] });
    expect(await runCli(['fake'], { commands })).toEqual({ code: 0, stdout: 'rows: 3\n', stderr: '→ cdc files\n' });
  });

  it('prints the same report as JSON, with integers beyond 2^53 as strings and times in UTC', async () => {
    const rows = [1n, 2n ** 63n, new Date(0)];
    const { stdout, stderr } = await runCli(['fake', '--json'], {
      commands: fakeCommand(() => ({ rows }), { next: () => ['cdc files'] }),
    });
    expect(JSON.parse(stdout)).toEqual({ rows: [1, '9223372036854775808', '1970-01-01T00:00:00.000Z'] });
    expect(stderr).toBe('');
  });

  it('says neither progress nor next steps with --quiet, but still warns', async () => {
    const commands = fakeCommand(
      ({ progress }) => {
        progress.update('working');
        progress.done('done');
        progress.warn('look out');
        return { rows: 0 };
      },
      { next: () => ['cdc files'] },
    );
    expect((await runCli(['fake', '--quiet'], { commands })).stderr).toBe('warning: look out\n');
    expect((await runCli(['fake'], { commands })).stderr).toBe('working\ndone\nwarning: look out\n→ cdc files\n');
  });

  it('shows details with --verbose only', async () => {
    const commands = fakeCommand(({ progress }) => {
      progress.detail('row by row');
      return { rows: 0 };
    });
    expect((await runCli(['fake'], { commands })).stderr).toBe('');
    expect((await runCli(['fake', '-v'], { commands })).stderr).toBe('row by row\n');
  });

  it.each([
    ['an expected failure', new CdcError('source.unreachable', 'connecting: refused'), 1],
    ['wrong usage', new UsageError('no'), 2],
    ['a wrong configuration', new ConfigError([{ path: 'name', origin: 'cdc.yaml:1', message: 'is missing' }]), 2],
    ['a missing configuration', new CdcError('config.missing', 'there is none'), 2],
    ['an interrupt', new CancelledError(), 130],
    ['a bug', new TypeError('x is undefined'), 1],
  ])('ends %s with its exit code', async (_name, error, code) => {
    expect((await runCli(['fake'], { commands: failing(error) })).code).toBe(code);
  });

  it('exits 3 when it ran fine and the answer is no', async () => {
    const commands = fakeCommand(() => ({ rows: 1 }), { exitCode: () => 3 });
    expect(await runCli(['fake'], { commands })).toMatchObject({ code: 3, stdout: 'rows: 1\n' });
  });

  it('shows an error with its hint, and code and cause with --verbose', async () => {
    const error = new CdcError('source.unreachable', 'connecting to db:3306: refused', {
      hint: 'cdc start\nor start it yourself',
      cause: new Error('ECONNREFUSED'),
    });
    expect(await runCli(['fake'], { commands: failing(error) })).toMatchObject({
      stdout: '',
      stderr: 'cdc: connecting to db:3306: refused\n→ cdc start\n→ or start it yourself\n',
    });
    expect((await runCli(['fake', '--verbose'], { commands: failing(error) })).stderr).toContain(
      'code: source.unreachable\ncaused by: ECONNREFUSED\n',
    );
  });

  it('shows an error as one JSON object on stderr with --json, and nothing on stdout', async () => {
    const error = new ConfigError([{ path: 'name', origin: 'cdc.yaml:1', message: 'is missing' }], 'cdc init');
    const { stdout, stderr } = await runCli(['fake', '--json'], { commands: failing(error) });
    expect(stdout).toBe('');
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(JSON.parse(stderr)).toEqual({
      error: {
        code: 'config',
        message: error.message,
        exit_code: 2,
        hint: 'cdc init',
        problems: [{ path: 'name', origin: 'cdc.yaml:1', message: 'is missing' }],
      },
    });
  });

  it('calls anything else a bug of ours, with version and stack', async () => {
    const { stderr } = await runCli(['fake'], { commands: failing(new TypeError('x is undefined')) });
    expect(stderr).toContain('this is a bug of cdc 9.8.7');
    expect(stderr).toContain('TypeError: x is undefined\n    at ');
  });

  it('takes an abort that follows from an interrupt for the interrupt, and no other', async () => {
    const abort = Object.assign(new Error('The operation was aborted'), { name: 'AbortError' });
    const signal = AbortSignal.abort();
    expect((await runCli(['fake'], { commands: failing(abort), signal })).code).toBe(130);
    expect((await runCli(['fake'], { commands: failing(abort) })).stderr).toContain('this is a bug');
  });

  it('emits a stream as lines of text, or as one JSON object a line', async () => {
    const commands = fakeCommand(
      async ({ emit }) => {
        await emit({ op: 'U', number: 7n }, 'U,7');
        await emit({ op: 'D', number: 8n }, 'D,8');
        return { rows: 2 };
      },
      { json: () => undefined },
    );
    expect((await runCli(['fake', '--json'], { commands })).stdout).toBe(
      '{"op":"U","number":7}\n{"op":"D","number":8}\n',
    );
    expect((await runCli(['fake'], { commands })).stdout).toBe('U,7\nD,8\nrows: 2\n');
  });
});

describe('a question', () => {
  const asking = fakeCommand(async ({ confirm }) => ({ rows: await confirm('Delete 3 tables?') }), { asks: true });

  it.each([
    ['y\n', true],
    ['yes\n', true],
    ['n\n', false],
    ['\n', false],
    ['', false],
  ])('answered on a terminal with %j is %s', async (stdin, answer) => {
    const result = await runCli(['fake'], { commands: asking, terminal: true, stdin });
    expect(result.stdout).toBe(`rows: ${answer}\n`);
    expect(result.stderr).toContain('Delete 3 tables? [y/N] ');
  });

  it('is not asked with --yes', async () => {
    expect(await runCli(['fake', '--yes'], { commands: asking })).toEqual({
      code: 0,
      stdout: 'rows: true\n',
      stderr: '',
    });
  });

  it('is refused where there is no terminal, naming --yes', async () => {
    expect(await runCli(['fake'], { commands: asking, stdin: 'y\n' })).toEqual({
      code: 2,
      stdout: '',
      stderr: 'cdc: asking "Delete 3 tables?": there is no terminal\n→ add --yes when that is what you want\n',
    });
  });
});

describe('the context', () => {
  it('reads cdc.yaml only when the command wants it, and names where it looked', async () => {
    expect((await runCli(['fake'], { commands: fakeCommand(() => ({ rows: 0 })) })).code).toBe(0);
    const commands = fakeCommand(async ({ config }) => ({ rows: (await config()).name }));
    const { code, stderr } = await runCli(['fake'], { commands, cwd: '/nowhere' });
    expect(code).toBe(2);
    expect(stderr).toContain('there is no /nowhere/cdc.yaml\n→ `cdc init`');
  });

  it.each([
    [['fake', '--config', 'a/cdc.yaml'], {}, '/here/a/cdc.yaml'],
    [['--config', '/b.yaml', 'fake'], {}, '/b.yaml'],
    [['fake'], { CDC_CONFIG: 'c.yaml' }, '/here/c.yaml'],
    [['fake', '--config', 'a.yaml'], { CDC_CONFIG: 'c.yaml' }, '/here/a.yaml'],
    [['fake'], { CDC_CONFIG: '' }, '/here/cdc.yaml'],
  ])('takes the configuration of %j with %j from %s', async (words, variables, file) => {
    const commands = fakeCommand(({ configFile }) => ({ rows: configFile }));
    expect((await runCli(words, { commands, variables, cwd: '/here' })).stdout).toBe(`rows: ${file}\n`);
  });

  it('uses colour on a terminal only, and not with NO_COLOR or --no-color', async () => {
    const commands = fakeCommand(({ flags }) => ({ rows: flags.color }));
    expect((await runCli(['fake'], { commands, terminal: true })).stdout).toBe('rows: true\n');
    expect((await runCli(['fake'], { commands })).stdout).toBe('rows: false\n');
    expect((await runCli(['fake', '--no-color'], { commands, terminal: true })).stdout).toBe('rows: false\n');
    expect((await runCli(['fake'], { commands, terminal: true, variables: { NO_COLOR: '1' } })).stdout).toBe(
      'rows: false\n',
    );
  });
});
