import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { resolveSecret } from '../../src/core/secret.ts';
import { temporaryFolder } from '../support/temp-folder.ts';

describe('a reference to a secret', () => {
  it('is resolved from the environment', async () => {
    expect(await resolveSecret({ kind: 'env', name: 'DB' }, { DB: 'hunter2' })).toBe('hunter2');
    expect(await resolveSecret({ kind: 'env', name: 'DB' }, { DB: '' })).toBe('');
  });

  it('is resolved from a file, without the newline that ends it', async () => {
    const path = join(await temporaryFolder(), 'secret');
    await writeFile(path, ' hunter2 \n');
    expect(await resolveSecret({ kind: 'file', path }, {})).toBe(' hunter2 ');
  });

  it('that leads nowhere is an error that names the cure', async () => {
    await expect(resolveSecret({ kind: 'env', name: 'DB' }, {})).rejects.toMatchObject({
      code: 'config.secret',
      hint: 'export DB=…',
    });
    await expect(resolveSecret({ kind: 'file', path: '/nowhere/secret' }, {})).rejects.toMatchObject({
      code: 'config.secret',
      message: expect.stringContaining('file:/nowhere/secret'),
    });
  });

  it('that is optional means no password', async () => {
    expect(await resolveSecret({ kind: 'env', name: 'DB', optional: true }, {})).toBe('');
  });
});
