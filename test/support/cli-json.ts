/** The shapes of `--json` that are fixed (DESIGN 2), as strict schemas: a field too few, of another kind or of another name fails. */

import { z } from 'zod';

const table = { schema: z.string(), table: z.string() };
const problem = z.strictObject({ code: z.string(), message: z.string(), hint: z.string().optional() });
const whole = z.number().int().nonnegative();

export const mergeJson = z.strictObject({
  tables: z.array(
    z.strictObject({
      ...table,
      files: whole,
      changes: whole,
      inserted: whole,
      updated: whole,
      deleted: whole,
      quarantined: whole,
      version: z.number().int().min(-1),
      seconds: z.number().nonnegative(),
      waiting: z.string().optional(),
      error: problem.optional(),
    }),
  ),
  engine: z.literal('local'),
  dry_run: z.literal(true).optional(),
});

/** More fields may come; these stay. */
export const statusJson = z.object({
  target: z.literal('local'),
  slots: z.strictObject({ source: z.string(), capture: z.string(), store: z.string(), merge: z.string() }),
  worker: z.object({ state: z.string(), pid: z.number().int().nullable(), error: problem.optional() }),
  tables: z.array(
    z.object({
      ...table,
      state: z.enum(['loading', 'following', 'stopped', 'idle']),
      position: z.string().nullable(),
      lag_seconds: z.number().nonnegative().nullable(),
      pending_files: whole,
      rows: whole.nullable(),
      version: whole.nullable(),
      quarantined: whole,
      error: problem.nullable(),
    }),
  ),
});
export type StatusJson = z.infer<typeof statusJson>;

export const verifyJson = z.object({
  tables: z.array(
    z.object({
      ...table,
      source_rows: whole,
      lake_rows: whole,
      missing: whole,
      extra: whole,
      different: whole,
      keys: z.array(z.strictObject({ kind: z.enum(['missing', 'extra', 'different']), key: z.array(z.string()) })),
    }),
  ),
  equal: z.boolean(),
});

export const planJson = z.strictObject({
  steps: z.array(
    z.strictObject({
      id: z.string(),
      action: z.enum(['create', 'start', 'none']),
      resource: z.string(),
      exists: z.boolean(),
    }),
  ),
  monthly_cost_usd: z.number(),
  hourly_cost_usd: z.number(),
});

const digits = z.string().regex(/^\d{19}$/);
export const filesJson = z.strictObject({
  files: z.array(
    z.strictObject({
      ...table,
      file: z.string(),
      kind: z.enum(['load', 'changes', 'unknown']),
      rows: whole.nullable(),
      bytes: whole,
      published: z.iso.datetime(),
      first: digits.nullable(),
      last: digits.nullable(),
      position: z.string().nullable(),
      state: z.enum(['merged', 'pending', 'unpublished', 'unknown']),
      version: whole.nullable(),
    }),
  ),
});

export const errorJson = z.strictObject({
  error: z.strictObject({
    code: z.string(),
    message: z.string(),
    exit_code: z.number().int(),
    hint: z.string().optional(),
    problems: z.array(z.strictObject({ path: z.string(), origin: z.string(), message: z.string() })).optional(),
  }),
});
