import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { optionsOf } from '../../src/cli/options.ts';
import { COMMANDS } from '../../src/commands/index.ts';
import { ERROR_CODES } from '../../src/core/error-codes.ts';

const SOURCE = new URL('../../src', import.meta.url).pathname;
const SCRIPTS = new URL('../../scripts/glue', import.meta.url).pathname;
const files = [...filesIn(SOURCE, '.ts'), ...filesIn(SCRIPTS, '.py')].map(({ name, text }) => ({
  name,
  // Quotes as TypeScript has them.
  text: name.endsWith('.py') ? text.replaceAll('"', "'").replace(/(?=\bCdcError\()/g, 'new ') : text,
}));

function filesIn(folder: string, ending: string): { name: string; text: string }[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending) && !name.endsWith('error-codes.ts'))
    .map((name) => ({ name, text: withoutComments(readFileSync(join(folder, name), 'utf8')) }));
}

function withoutComments(text: string): string {
  return text.replace(/^\s*(\/\*\*|\*|\/\/).*$/gm, '');
}

/** Codes as the source throws or finds them: first argument of an error, `code:` of a finding or a reason. */
const used = new Map<string, string>();
for (const { name, text } of files) {
  for (const match of text.matchAll(
    /new CdcError\(\s*'([a-z.-]+)'|\bcode: '([a-z]+\.[a-z-]+)'|\b(?:error|warn|warning|stop)\(\s*'([a-z]+\.[a-z-]+)'/g,
  ))
    used.set(match[1] ?? match[2] ?? match[3] ?? '', name);
}

describe('the list of error codes', () => {
  it('has every code that the source uses', () => {
    const known = new Set(ERROR_CODES.map(({ code }) => code));
    expect([...used].filter(([code]) => !known.has(code) && code !== 'command.not-built')).toEqual([]);
  });

  it('has no code that the source does not know', () => {
    const all = files.map(({ text }) => text).join('\n');
    expect(ERROR_CODES.map(({ code }) => code).filter((code) => !all.includes(`'${code}'`))).toEqual([]);
  });

  it('found codes to compare with', () => {
    expect(used.size).toBeGreaterThan(90);
  });
});

describe('the next steps that errors, help and reports name', () => {
  it('are commands that exist, with options that they take', async () => {
    const options = new Map([['help', new Set<string>()]]);
    for (const { name, load } of COMMANDS) options.set(name, new Set(Object.keys(optionsOf(await load()))));
    const wrong = files.flatMap(({ name, text }) =>
      // Pasted text: in backticks of a message, at the start of a hint or a next step.
      [...text.matchAll(/(?:hint: '|hint: `|\\?`|→ |: )cdc ([a-z]+)\b((?: --?[a-z-]+| [A-Z]+)*)/g)]
        .filter(([, word = '', rest = '']) => {
          const known = options.get(word);
          const given = [...rest.matchAll(/ --([a-z-]+)/g)].map(([, option = '']) => option);
          return known === undefined || given.some((option) => !known.has(option) && option !== 'help');
        })
        .map(([found]) => `${name}: ${found}`),
    );
    expect(wrong).toEqual([]);
  });
});
