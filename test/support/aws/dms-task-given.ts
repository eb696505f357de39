/** What a start of a replication task is given, and what it says of its tables: settings that the stand-in does not model are errors. */

import { z } from 'zod';
import type { TableName } from '../../../src/core/change.ts';
import { lobSettings, mappingRule, s3Settings } from './dms-shape.ts';
import type { StandInState } from './dms-stand-in.ts';

export const dmsTask = z.object({
  /** Kept while the task is stopped. */
  folder: z.string(),
  kind: z.enum(['full-load', 'cdc', 'full-load-and-cdc']),
  /** `resume-processing` goes on with what lies in the folder. */
  resumes: z.boolean(),
  from: z.string().nullable(),
  /** When it goes on, it writes so many changes of each table again. */
  repeats: z.number(),
  source: z.object({
    host: z.string(),
    port: z.coerce.number(),
    username: z.string(),
    password: z.string(),
    ca: z.string().nullable(),
  }),
  target: s3Settings,
  rules: z.array(mappingRule),
  settings: z.looseObject({
    TargetMetadata: lobSettings.prefault({}),
    FullLoadSettings: z
      .looseObject({ TargetTablePrepMode: z.enum(['DO_NOTHING', 'DROP_AND_CREATE', 'TRUNCATE_BEFORE_LOAD']) })
      .default({ TargetTablePrepMode: 'DROP_AND_CREATE' }),
  }),
});

export type Statistics = TableName & {
  state: 'Before load' | 'Full load' | 'Table completed' | 'Table error' | 'Table is being reloaded';
  rows: number;
  reloaded: boolean;
  started?: number;
  ended?: number;
  inserts: number;
  updates: number;
  deletes: number;
  ddls: number;
};

export interface Kept {
  standIn: StandInState;
  tables: Statistics[];
}

export type DmsTask = z.output<typeof dmsTask>;
