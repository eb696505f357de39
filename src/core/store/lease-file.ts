/** The files of a lease: `<folder><generation>.json`, of which only the highest counts. FORMAT.md states them. */

import { z } from 'zod';
import { messageOf } from '../errors.ts';
import type { ProcessIdentity } from './process-identity.ts';
import type { Store, StoredObject } from './store.ts';

export type LeaseEngine = 'cdc' | 'spark';

export interface LeaseHolder extends ProcessIdentity {
  engine: LeaseEngine;
  runId: string;
  /** Of one acquisition, so that a holder knows its own files. */
  leaseId: string;
  /** When it was acquired. */
  since: string;
  /** The Glue job whose run `runId` is; absent elsewhere. */
  job?: string | undefined;
}

/** One generation; `unreadable` is one that another version or a torn write left. */
export type LeaseContent =
  | { state: 'held' | 'released'; holder: LeaseHolder }
  | { state: 'unreadable'; reason: string };

export type LeaseGeneration = LeaseContent & {
  generation: number;
  /** By the store's clock. */
  written: Date;
};

const leaseFile = z.object({
  format: z.literal(1),
  state: z.enum(['held', 'released']),
  engine: z.enum(['cdc', 'spark']),
  run_id: z.string(),
  lease_id: z.string(),
  since: z.string(),
  job: z.string().optional(),
  host: z.string(),
  pid: z.int(),
  started: z.string().optional(),
  boot: z.string().optional(),
  machine: z.string().optional(),
});

export function formatLease(state: 'held' | 'released', holder: LeaseHolder): string {
  const { runId, leaseId, ...rest } = holder;
  return JSON.stringify({ format: 1, state, ...rest, run_id: runId, lease_id: leaseId });
}

export function parseLease(body: Buffer): LeaseContent {
  try {
    const { format: _, state, run_id, lease_id, ...rest } = leaseFile.parse(JSON.parse(body.toString()));
    return { state, holder: { ...rest, runId: run_id, leaseId: lease_id } };
  } catch (error) {
    return { state: 'unreadable', reason: messageOf(error) };
  }
}

/** 20 digits, so that a listing shows the highest last. */
export function leaseKey(folder: string, generation: number): string {
  return `${folder}${String(generation).padStart(20, '0')}.json`;
}

export async function listGenerations(
  store: Store,
  folder: string,
): Promise<{ generation: number; object: StoredObject }[]> {
  const objects = await store.list(folder);
  return objects
    .flatMap((object) => {
      const digits = /^(\d+)\.json$/.exec(object.key.slice(folder.length))?.[1];
      return digits === undefined ? [] : [{ generation: Number(digits), object }];
    })
    .sort((a, b) => a.generation - b.generation);
}

/** The generation that counts; undefined where no one ever held it. */
export async function highestGeneration(store: Store, folder: string): Promise<LeaseGeneration | undefined> {
  for (;;) {
    const highest = (await listGenerations(store, folder)).at(-1);
    if (highest === undefined) return undefined;
    const body = await store.getIfPresent(highest.object.key);
    // Gone: it is not the highest any more.
    if (body === undefined) continue;
    return { ...parseLease(body), generation: highest.generation, written: highest.object.modified };
  }
}
