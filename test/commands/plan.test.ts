import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { runCli } from '../support/command-line.ts';
import { temporaryFolder } from '../support/temp-folder.ts';

it('refuses --aws-cli of a pipeline on this machine, and says what to type instead', async () => {
  const cwd = await temporaryFolder();
  await writeFile(join(cwd, 'cdc.yaml'), 'name: shop\n');
  expect(await runCli(['plan', '--aws-cli'], { cwd })).toEqual({
    code: 2,
    stdout: '',
    stderr: 'cdc: plan: --aws-cli is for target: aws\n→ write `target: aws` in cdc.yaml, or leave it out\n',
  });
});
