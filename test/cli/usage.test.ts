import { describe, expect, it } from 'vitest';
import { parseWords } from '../../src/cli/parse.ts';
import { runCli } from '../support/command-line.ts';
import { fakeCommand } from '../support/fake-command.ts';

const commands = fakeCommand(() => ({ rows: 0 }));
const changing = fakeCommand(() => ({ rows: 0 }), { changes: true, asks: true });

describe('wrong usage', () => {
  it.each([
    [['fakee'], 'there is no command fakee (did you mean fake?)', 'cdc help fake'],
    [['xyzzy'], 'there is no command xyzzy', '`cdc help` lists the commands'],
    [['help', 'fkae'], 'there is no command fkae (did you mean fake?)', 'cdc help fake'],
    [['--jsn'], 'there is no option --jsn (did you mean --json?)', '`cdc help` lists the commands'],
    [['--json'], 'there is no command', '`cdc help` lists the commands'],
    [
      ['fake', '--kye', 'id'],
      'fake: there is no option --kye (did you mean --key?)',
      '`cdc help fake` shows what it takes',
    ],
    [['fake', '--dry-run'], 'fake: there is no option --dry-run', '`cdc help fake` shows what it takes'],
    [['fake', '--yes'], 'fake: there is no option --yes', '`cdc help fake` shows what it takes'],
    [['fake', '--key'], 'fake: --key <COLUMN> has no value', '`cdc help fake` shows what it takes'],
    [['fake', 'a', 'b'], 'fake: takes no more than FILE', '`cdc help fake` shows what it takes'],
    [
      ['fake', '--mode', 'carful'],
      'fake: --mode carful: write one of fast, careful (did you mean careful?)',
      '`cdc help fake` shows what it takes',
    ],
  ])('%j is told apart: %s', async (words, message, hint) => {
    const result = await runCli(words, { commands });
    expect(result).toEqual({ code: 2, stdout: '', stderr: expect.any(String) });
    const isJson = words.includes('--json');
    const seen = isJson ? JSON.parse(result.stderr).error : undefined;
    expect(isJson ? `cdc: ${seen.message}\n→ ${seen.hint}\n` : result.stderr).toBe(`cdc: ${message}\n→ ${hint}\n`);
  });
});

describe('help', () => {
  it.each([[[]], [['help']], [['--help']], [['-h']]])('%j lists the commands on stdout', async (words) => {
    const { code, stdout, stderr } = await runCli(words, { commands });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('Fakes:\n  fake  fakes\n');
  });

  it('of a command is the same in both forms, and needs no argument', async () => {
    const page = await runCli(['help', 'fake'], { commands });
    expect(page).toMatchObject({ code: 0, stderr: '' });
    for (const words of [
      ['fake', '--help'],
      ['fake', '-h'],
      ['--help', 'fake'],
      ['fake', 'a', '--help'],
    ])
      expect(await runCli(words, { commands })).toEqual(page);
  });

  it('of a command names its options, shared ones, examples and exit codes', async () => {
    const { stdout } = await runCli(['help', 'fake'], { commands: changing });
    for (const part of [
      'Usage: cdc fake [FILE] [OPTIONS]',
      '-k, --key COLUMN  a column (may be repeated)',
      '--mode MODE       how (fast, careful)',
      '-n, --dry-run',
      '-y, --yes',
      '--config FILE  the pipeline to work on [default: $CDC_CONFIG, else cdc.yaml in this folder]',
      '  # do it\n  cdc fake\n',
      '  130  interrupted',
    ])
      expect(stdout).toContain(part);
  });

  it('prints the version alone', async () => {
    for (const word of ['--version', '-V'])
      expect(await runCli([word], { commands })).toEqual({ code: 0, stdout: '9.8.7\n', stderr: '' });
  });
});

describe('parsed words', () => {
  const parse = async (...words: string[]) => {
    const [entry] = changing;
    if (entry === undefined) throw new Error('no command');
    const parsed = parseWords('fake', await entry.load(), words);
    if (parsed === undefined) throw new Error('help was asked for');
    return parsed;
  };

  it('keep every value of an option that may be repeated', async () => {
    const { input } = await parse('--key', 'a', '-k', 'b', '--key=c');
    expect(input.list('key')).toEqual(['a', 'b', 'c']);
    expect(input.list('mode')).toEqual([]);
  });

  it('tell a switch that takes something away from one that is not given', async () => {
    expect((await parse('--no-wait')).input.has('no-wait')).toBe(true);
    expect((await parse()).input.has('no-wait')).toBe(false);
  });

  it('take what follows -- for arguments', async () => {
    expect((await parse('--', '--odd.csv')).input.argument('file')).toBe('--odd.csv');
  });

  it('carry the shared flags', async () => {
    expect((await parse('-q', '-v', '-n', '-y', '--json', '--no-color')).flags).toEqual({
      quiet: true,
      verbose: true,
      dryRun: true,
      yes: true,
      json: true,
      noColor: true,
      config: undefined,
    });
  });

  it('refuse a name that the command does not declare: that is our mistake, not the user’s', async () => {
    const { input } = await parse();
    expect(() => input.text('kye')).toThrow('the command fake declares no option --kye');
    expect(() => input.argument('files')).toThrow('the command fake declares no argument files');
  });

  it('give an option as an override of the configuration, with its origin', async () => {
    const { input } = await parse('--mode', 'fast');
    expect(input.override('mode', 'merge.engine')).toEqual([
      { path: 'merge.engine', value: 'fast', origin: 'flag --mode' },
    ]);
    expect(input.override('key', 'x')).toEqual([]);
  });
});
