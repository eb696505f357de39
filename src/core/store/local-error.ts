/** What Node says about a folder, as errors a user can act on. */

import { dirname } from 'node:path';
import { CdcError, messageOf, nativeCodeOf } from '../errors.ts';

/** A file or folder that is not there, or is of the other kind. */
export function isAbsent(error: unknown): boolean {
  const code = nativeCodeOf(error);
  return code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR';
}

/** What is no error of the system (a bug, an error told already) comes back as it is. */
export function readError(path: string, error: unknown): unknown {
  const code = nativeCodeOf(error);
  if (code === undefined || error instanceof CdcError) return error;
  if (code === 'EACCES' || code === 'EPERM')
    return new CdcError('store.not-readable', `reading ${path}: this user may not read it`, {
      hint: `chmod -R u+rX "${path}"`,
      cause: error,
    });
  return new CdcError('store.failed', `reading ${path}: ${messageOf(error)}`, { cause: error });
}

export function writeError(path: string, error: unknown): unknown {
  const code = nativeCodeOf(error);
  if (code === undefined || error instanceof CdcError) return error;
  switch (code) {
    case 'EACCES':
    case 'EPERM':
      return new CdcError('store.not-writable', `writing ${path}: this user may not write there`, {
        hint: `chmod -R u+rwX "${dirname(path)}"`,
        cause: error,
      });
    case 'ENOTDIR':
    case 'EEXIST':
      return new CdcError('store.not-writable', `writing ${path}: a part of this path is a file, and no folder`, {
        hint: 'name another folder in cdc.yaml',
        cause: error,
      });
    case 'EROFS':
      return new CdcError('store.not-writable', `writing ${path}: the file system is mounted read-only`, {
        hint: 'name another folder in cdc.yaml',
        cause: error,
      });
    case 'ENOSPC':
    case 'EDQUOT':
      return new CdcError('store.full', `writing ${path}: the disk is full`, {
        hint: 'free some space and run the command again; nothing half-written counts',
        cause: error,
      });
    default:
      return new CdcError('store.failed', `writing ${path}: ${messageOf(error)}`, { cause: error });
  }
}
