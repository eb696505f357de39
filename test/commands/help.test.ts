import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { manualPage } from '../../src/cli/help.ts';
import { parseWords } from '../../src/cli/parse.ts';
import { COMMANDS } from '../../src/commands/index.ts';
import { runCli } from '../support/command-line.ts';

/** The words after `cdc NAME` of a line as a shell would part them, up to a pipe, a redirection or another command. */
function words(line: string, name: string): string[] {
  const rest = line.slice(line.indexOf(`cdc ${name}`) + `cdc ${name}`.length);
  const found: string[] = [];
  for (const [word] of rest.matchAll(/'[^']*'|"[^"]*"|[^\s'"]+/g)) {
    if (/^([|>)]|&&|\|\|)/.test(word)) break;
    found.push(word.replace(/^(['"])(.*)\1$/s, '$2').replace(/\)$/, ''));
  }
  return found;
}

describe.each(COMMANDS.map((entry) => [entry.name, entry] as const))('the help of cdc %s', (name, entry) => {
  it('has examples, and each is a line that the command takes', async () => {
    const command = await entry.load();
    expect(command.examples.length).toBeGreaterThan(0);
    for (const { line } of command.examples) {
      expect(line).toContain(`cdc ${name}`);
      const parsed = parseWords(name, command, words(line, name));
      expect(parsed, line).toBeDefined();
      if (parsed !== undefined) command.parse(parsed.input);
    }
  });

  it('fits a terminal of 100 columns, but for lines to paste', async () => {
    const command = await entry.load();
    const long = manualPage(entry, command)
      .split('\n')
      .filter((line) => line.length > 100 && !command.examples.some((example) => line.includes(example.line)));
    expect(long).toEqual([]);
  });

  it('is what README.md shows', async () => {
    const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
    expect(readme).toContain(`\`\`\`text\n${manualPage(entry, await entry.load()).trimEnd()}\n\`\`\``);
  });
});

describe('cdc help', () => {
  it('lists every command, and is what README.md lists', async () => {
    const { stdout } = await runCli(['help']);
    const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
    for (const { name, summary } of COMMANDS) {
      expect(stdout).toMatch(new RegExp(`^  ${name} +${summary.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`, 'm'));
      expect(readme).toContain(`| \`cdc ${name}\` | ${summary} |`);
    }
  });
});

describe('cdc completion', () => {
  it.each(['bash', 'zsh', 'fish'])('for %s names every command and its options', async (shell) => {
    const { code, stdout } = await runCli(['completion', shell]);
    expect(code).toBe(0);
    for (const { name } of COMMANDS) expect(stdout).toContain(name);
    for (const option of ['full-load', 'delete-lake', 'columns', 'config']) expect(stdout).toContain(option);
  });

  it('of another shell is refused with those there are', async () => {
    expect(await runCli(['completion', 'bsh'])).toMatchObject({
      code: 2,
      stderr: 'cdc: completion bsh: write one of bash, zsh, fish (did you mean bash?)\n',
    });
  });
});

describe('cdc explain', () => {
  it('says what a code means and what to do', async () => {
    expect((await runCli(['explain', 'position.purged'])).stdout).toBe(
      'position.purged: the source has deleted the binlog we needed\n→ `cdc replicate` loads the tables again\n',
    );
    expect(JSON.parse((await runCli(['explain', 'file.cut', '--json'])).stdout)).toMatchObject({
      codes: [{ code: 'file.cut' }],
    });
  });

  it('of a code that is not there names the nearest', async () => {
    expect(await runCli(['explain', 'position.purgd'])).toMatchObject({
      code: 2,
      stderr:
        'cdc: explain: there is no code position.purgd (did you mean position.purged?)\n→ `cdc explain` lists them\n',
    });
  });
});
