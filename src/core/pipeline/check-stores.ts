/** Findings about the folders or buckets of a pipeline: can it write there what it will have to. */

import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CdcError, messageOf, nativeCodeOf } from '../errors.ts';
import type { Finding } from '../source/finding.ts';
import { writeError } from '../store/local-error.ts';
import type { Store } from '../store/store.ts';
import type { Pipeline } from './pipeline.ts';

export async function checkStores(pipeline: Pipeline): Promise<Finding[]> {
  return [...(await checkStore('staging', pipeline.staging)), ...(await checkStore('lake', pipeline.lake))];
}

async function checkStore(name: string, store: Store): Promise<Finding[]> {
  try {
    if (store.kind === 'folder' && (await canOnlyBeMade(store.location))) return [];
    return (await putsIfAbsent(store))
      ? []
      : [
          finding(
            name,
            'store.no-put-if-absent',
            `${store.location} overwrites what is there`,
            store.kind === 'folder'
              ? 'use another file system'
              : 'use a service that honours If-None-Match, as S3 does',
          ),
        ];
  } catch (error) {
    const fix =
      error instanceof CdcError && error.hint !== undefined
        ? error.hint
        : `choose another place with \`${name}:\` in cdc.yaml`;
    return [finding(name, error instanceof CdcError ? error.code : 'store.failed', messageOf(error), fix)];
  }
}

/** True for a folder that is not there and can be made: a check makes none. Throws where it cannot be made. */
async function canOnlyBeMade(location: string): Promise<boolean> {
  for (let folder = location; ; folder = dirname(folder)) {
    try {
      const found = await stat(folder);
      if (folder === location && found.isDirectory()) return false;
      if (!found.isDirectory()) throw Object.assign(new Error('not a folder'), { code: 'ENOTDIR' });
      await access(folder, constants.W_OK | constants.X_OK);
      return true;
    } catch (error) {
      if (nativeCodeOf(error) !== 'ENOENT' || folder === dirname(folder)) throw writeError(location, error);
    }
  }
}

/** Exactly-once stands on this: of two writers of one name only one may win. */
async function putsIfAbsent(store: Store): Promise<boolean> {
  const key = `_cdc/check-${randomUUID()}`;
  try {
    await store.put(key, 'x');
    return !(await store.putIfAbsent(key, 'y'));
  } catch (error) {
    // The name of the file that was tried says nothing to anybody.
    if (error instanceof CdcError && store.kind === 'folder') throw writeError(store.location, error.cause);
    throw error;
  } finally {
    await store.delete(key).catch(() => undefined);
  }
}

function finding(name: string, code: string, message: string, fix: string): Finding {
  return { level: 'error', code, message: `${name}: ${message}`, fix };
}
