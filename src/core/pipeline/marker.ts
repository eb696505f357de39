/** Says whose folder this is, so that no pipeline writes into that of another, and `destroy` deletes only what is ours. */

import { mkdir } from 'node:fs/promises';
import { z } from 'zod';
import { CdcError } from '../errors.ts';
import { writeError } from '../store/local-error.ts';
import type { Store } from '../store/store.ts';

export const MARKER_KEY = '_cdc/pipeline.json';
const marker = z.object({ name: z.string() });

/** Throws `store.not-ours` where another pipeline was first. */
export async function isMarked(store: Store, name: string): Promise<boolean> {
  const body = await store.getIfPresent(MARKER_KEY);
  if (body === undefined) return false;
  const owner = ownerOf(body);
  if (owner === name) return true;
  throw new CdcError(
    'store.not-ours',
    `using ${store.location}: it belongs to ${owner === undefined ? 'a pipeline of another version' : `the pipeline ${owner}`}, and this one is ${name}`,
    { hint: 'give this pipeline places of its own with `staging:` and `lake:` in cdc.yaml' },
  );
}

export async function mark(store: Store, name: string): Promise<void> {
  if (store.kind === 'folder')
    await mkdir(store.location, { recursive: true }).catch((error: unknown) => {
      throw writeError(store.location, error);
    });
  // Of two that come at once only one is written.
  if (!(await store.putIfAbsent(MARKER_KEY, `${JSON.stringify({ name })}\n`))) await isMarked(store, name);
}

function ownerOf(body: Buffer): string | undefined {
  try {
    return marker.parse(JSON.parse(body.toString())).name;
  } catch {
    return undefined;
  }
}
