/** References to secrets: kept as references until the moment of connecting, and never printed. */

import { readFile } from 'node:fs/promises';
import { CdcError, messageOf } from './errors.ts';

export type SecretReference =
  | { kind: 'env'; name: string /** Absent means no password, not an error. */; optional?: boolean }
  | { kind: 'file' /** Absolute. */; path: string };

/** The secret itself; called at the moment of use only. `variables` is the environment. */
export async function resolveSecret(
  reference: SecretReference,
  variables: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  if (reference.kind === 'env') {
    const value = variables[reference.name];
    if (value !== undefined) return value;
    if (reference.optional === true) return '';
    throw new CdcError('config.secret', `reading the secret env:${reference.name}: the variable is not set`, {
      hint: `export ${reference.name}=…`,
    });
  }
  try {
    // Editors end a file with a newline; a password does not end with one.
    return (await readFile(reference.path, 'utf8')).replace(/\r?\n$/, '');
  } catch (error) {
    throw new CdcError('config.secret', `reading the secret file:${reference.path}: ${messageOf(error)}`, {
      hint: 'write the secret into that file, readable by you alone (chmod 600)',
      cause: error,
    });
  }
}
