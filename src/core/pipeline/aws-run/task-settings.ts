/** How a DMS task works: what it does with errors, large values, DDL and its log. Pure (reference: DMS files 8.2). */

import { z } from 'zod';

/** The least that DMS takes by itself; values up to it are written whole. */
export const LEAST_LOB_KB = 32;
/** The most that DMS takes. */
export const MOST_LOB_KB = 102_400;

/** What LobMaxSize times CommitRate may take of the replication instance, for each column of large values. */
const LOB_MEMORY_KB = 128 * 1024;
const COMMIT_RATE = 10_000;

export function taskSettings(options: {
  /** `dms.full_load_tasks`. */
  fullLoadTasks: number;
  /** Longer values are cut by DMS, and their table is stopped. */
  lobMaxKb: number;
}): string {
  const { fullLoadTasks } = options;
  const lobMaxKb = Math.min(Math.max(options.lobMaxKb, LEAST_LOB_KB), MOST_LOB_KB);
  return JSON.stringify({
    TargetMetadata: {
      SupportLobs: true,
      // The only way that DMS knows for S3.
      LimitedSizeLobMode: true,
      FullLobMode: false,
      LobMaxSize: lobMaxKb,
      // Can lose changes with S3.
      BatchApplyEnabled: false,
      ParallelLoadThreads: 0,
    },
    FullLoadSettings: {
      // The other modes delete the table's files, also those that are not merged yet.
      TargetTablePrepMode: 'DO_NOTHING',
      MaxFullLoadSubTasks: fullLoadTasks,
      CommitRate: Math.max(1, Math.min(COMMIT_RATE, Math.floor(LOB_MEMORY_KB / lobMaxKb))),
      TransactionConsistencyTimeout: 600,
      CreatePkAfterFullLoad: false,
      StopTaskCachedChangesApplied: false,
      StopTaskCachedChangesNotApplied: false,
    },
    // Both would delete the table's files in staging.
    ChangeProcessingDdlHandlingPolicy: {
      HandleSourceTableDropped: false,
      HandleSourceTableTruncated: false,
      HandleSourceTableAltered: true,
    },
    // DMS's own defaults only log what it leaves out. Here a table with an error stops, and status and replicate say so.
    ErrorBehavior: {
      DataErrorPolicy: 'SUSPEND_TABLE',
      DataTruncationErrorPolicy: 'SUSPEND_TABLE',
      DataErrorEscalationPolicy: 'SUSPEND_TABLE',
      DataErrorEscalationCount: 0,
      TableErrorPolicy: 'SUSPEND_TABLE',
      TableErrorEscalationPolicy: 'STOP_TASK',
      TableErrorEscalationCount: 0,
      ApplyErrorDeletePolicy: 'SUSPEND_TABLE',
      ApplyErrorInsertPolicy: 'SUSPEND_TABLE',
      ApplyErrorUpdatePolicy: 'SUSPEND_TABLE',
      ApplyErrorEscalationPolicy: 'SUSPEND_TABLE',
      ApplyErrorEscalationCount: 0,
      FullLoadIgnoreConflicts: true,
      FailOnNoTablesCaptured: true,
      // Hours, not for ever: a task whose source is gone must not look well.
      RecoverableErrorCount: 60,
      RecoverableErrorInterval: 5,
      RecoverableErrorThrottling: true,
      RecoverableErrorThrottlingMax: 300,
      RecoverableErrorStopRetryAfterThrottlingMax: false,
    },
    Logging: { EnableLogging: true },
  });
}

const lobSettings = z.looseObject({ TargetMetadata: z.looseObject({ LobMaxSize: z.number().optional() }).optional() });

/** Of a task's settings, in KB; DMS's own where they do not say. */
export function lobLimitOf(settings: string): number {
  try {
    return lobSettings.parse(JSON.parse(settings)).TargetMetadata?.LobMaxSize ?? LEAST_LOB_KB;
  } catch {
    return LEAST_LOB_KB;
  }
}

/** Whether what DMS says of a task is what we asked for: what DMS adds by itself does not count. */
export function sameSettings(asked: string, found: string): boolean {
  try {
    return includes(JSON.parse(found), JSON.parse(asked));
  } catch {
    return false;
  }
}

/** Every value of `part` stands in `whole`. */
function includes(whole: unknown, part: unknown): boolean {
  if (typeof part !== 'object' || part === null) return whole === part;
  if (Array.isArray(part))
    return (
      Array.isArray(whole) &&
      whole.length === part.length &&
      part.every((value, index) => includes(whole[index], value))
    );
  if (typeof whole !== 'object' || whole === null) return false;
  const found = new Map<string, unknown>(Object.entries(whole));
  return Object.entries(part).every(([key, value]) => includes(found.get(key), value));
}
