/** Findings about the folders of a pipeline: can it write there what it will have to. */

import { randomUUID } from 'node:crypto';
import { CdcError, messageOf } from '../errors.ts';
import type { Finding } from '../source/finding.ts';
import type { Store } from '../store/store.ts';
import type { Pipeline } from './pipeline.ts';

export async function checkStores(pipeline: Pipeline): Promise<Finding[]> {
  return [...(await checkStore('staging', pipeline.staging)), ...(await checkStore('lake', pipeline.lake))];
}

async function checkStore(name: string, store: Store): Promise<Finding[]> {
  const key = `_cdc/check-${randomUUID()}`;
  try {
    await store.put(key, 'x');
    // Exactly-once stands on this: of two writers of one name only one may win.
    if (await store.putIfAbsent(key, 'y'))
      return [
        finding(
          name,
          'store.no-put-if-absent',
          `${store.location} overwrites what is there`,
          'use another file system',
        ),
      ];
    return [];
  } catch (error) {
    const fix =
      error instanceof CdcError && error.hint !== undefined
        ? error.hint
        : `choose another folder with \`${name}:\` in cdc.yaml`;
    return [finding(name, error instanceof CdcError ? error.code : 'store.failed', messageOf(error), fix)];
  } finally {
    await store.delete(key).catch(() => undefined);
  }
}

function finding(name: string, code: string, message: string, fix: string): Finding {
  return { level: 'error', code, message: `${name}: ${message}`, fix };
}
