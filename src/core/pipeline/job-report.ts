/** What a run of the merge job says it has done: the last line of its output is one JSON document, as `cdc merge --json` prints it. */

import { z } from 'zod';

const problem = z.object({ code: z.string(), message: z.string(), hint: z.string().optional() });
const tableReport = z.object({
  schema: z.string(),
  table: z.string(),
  files: z.number(),
  changes: z.number(),
  inserted: z.number(),
  updated: z.number(),
  deleted: z.number(),
  quarantined: z.number(),
  version: z.number(),
  seconds: z.number(),
  already: z.literal(true).optional(),
  waits: z.enum(['loading', 'gap', 'replaying']).optional(),
  waiting: z.string().optional(),
  error: problem.optional(),
});
const jobReport = z.object({ tables: z.array(tableReport), error: problem.optional() });

export type JobTable = z.output<typeof tableReport>;
export interface JobReport {
  tables: JobTable[];
  /** Of the run as a whole, before any table. */
  error?: z.output<typeof problem> | undefined;
}

/** Undefined for a line that is none. */
export function parseJobReport(text: string): JobReport | undefined {
  if (!text.startsWith('{')) return undefined;
  try {
    return jobReport.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
