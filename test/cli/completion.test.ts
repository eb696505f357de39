import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { completionScript } from '../../src/cli/completion.ts';
import { COMMANDS } from '../../src/commands/index.ts';

/** What bash offers for the words typed so far. */
async function offered(...words: string[]): Promise<string[]> {
  const script = await completionScript('bash', COMMANDS);
  const program = `${script}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _cdc; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync('bash', ['-c', program, 'bash', ...words], { encoding: 'utf8', cwd: '/' });
  expect(stderr).toBe('');
  return stdout.split('\n').filter((line) => line !== '');
}

describe('completion in bash', () => {
  it('offers commands, also after an option with a value', async () => {
    expect(await offered('cdc', 'mer')).toEqual(['merge']);
    expect(await offered('cdc', '--config', 'a.yaml', 'st')).toEqual(['stop', 'start', 'status']);
    expect(await offered('cdc', 'help', 'rep')).toEqual(['replicate']);
  });

  it('offers the options of the command that is typed', async () => {
    expect(await offered('cdc', 'replicate', '--full')).toEqual(['--full-load']);
    expect(await offered('cdc', 'merge', '--full')).toEqual([]);
  });

  it('offers files for an argument', async () => {
    expect(await offered('cdc', 'load', 'et')).toEqual(['etc']);
  });
});
