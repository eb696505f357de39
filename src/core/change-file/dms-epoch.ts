/**
 * What merge cannot see in DMS's files (contract.md 5): when a full load of a table began, and whether it is complete.
 * `_cdc/dms/<schema>/<table>/<time>.json`, the time being that of staging's clock before DMS was told to load.
 */

import { z } from 'zod';
import type { TableName } from '../change.ts';
import { type ChangeNumber, formatChangeNumber, parseChangeNumber } from '../change-number.ts';
import { CdcError, messageOf } from '../errors.ts';
import type { Store } from '../store/store.ts';
import { dmsEpochFolder } from './layout.ts';

export interface DmsEpoch extends TableName {
  /** `load`: the table is what the load read, then the changes; `start`: followed from a position, without a load. */
  kind: 'load' | 'start';
  /** LOAD files older than it are leftovers, change files named before it belong to the epoch before. */
  started: Date;
  /** The replication task that loads or follows. */
  task: string;
  /** Its ARN, by which a merge asks DMS how far the load is; absent where an earlier version wrote the epoch. */
  taskArn?: string | undefined;
  /** The task had never run before: whatever its statistics show is of this load. */
  firstRun?: boolean | undefined;
  state: 'loading' | 'complete';
  /** The same task keeps the table's changes back until the load is complete: then a change file says that it is. */
  caches: boolean;
  /** Rows of the load by DMS's statistics, once it is complete. */
  rows?: number | undefined;
  /** The number of the definition that the table had. */
  definition: ChangeNumber;
  /** LobMaxSize of each task, in KB, that has written files since; absent where nobody has written it down. */
  lobKb?: readonly number[] | undefined;
}

const epochFile = z.object({
  format: z.literal(1),
  schema: z.string(),
  table: z.string(),
  kind: z.enum(['load', 'start']),
  started: z.iso.datetime().transform((text) => new Date(text)),
  task: z.string(),
  task_arn: z.string().optional(),
  first_run: z.boolean().optional(),
  state: z.enum(['loading', 'complete']),
  caches: z.boolean(),
  rows: z.number().optional(),
  definition: z.string().transform(parseChangeNumber),
  lob_kb: z.array(z.int().positive()).optional(),
});

/** `20261122-101530123`, as DMS names its change files: both are compared as texts. */
export function dmsTime(time: Date): string {
  const digits = time.toISOString().replace(/\D/g, '');
  return `${digits.slice(0, 8)}-${digits.slice(8)}`;
}

/** Writes it, or replaces it when its state has changed. */
export async function putDmsEpoch(staging: Pick<Store, 'put'>, epoch: DmsEpoch): Promise<void> {
  const { started, definition, lobKb, taskArn, firstRun, ...rest } = epoch;
  const body = {
    format: 1,
    ...rest,
    ...(taskArn === undefined ? {} : { task_arn: taskArn }),
    ...(firstRun === true ? { first_run: true } : {}),
    started: started.toISOString(),
    definition: formatChangeNumber(definition),
    ...(lobKb === undefined ? {} : { lob_kb: lobKb }),
  };
  await staging.put(`${dmsEpochFolder(epoch)}${dmsTime(started)}.json`, `${JSON.stringify(body, null, 2)}\n`);
}

/** By time. Throws CdcError `epoch.corrupt`. */
export async function readDmsEpochs(
  staging: Pick<Store, 'list' | 'get' | 'location'>,
  table: TableName,
): Promise<DmsEpoch[]> {
  const epochs = await Promise.all(
    (await staging.list(dmsEpochFolder(table))).map(async ({ key }) => {
      try {
        const parsed = epochFile.parse(JSON.parse((await staging.get(key)).toString()));
        const { format: _, lob_kb: lobKb, task_arn: taskArn, first_run: firstRun, ...epoch } = parsed;
        return {
          ...epoch,
          ...(lobKb === undefined ? {} : { lobKb }),
          ...(taskArn === undefined ? {} : { taskArn }),
          ...(firstRun === undefined ? {} : { firstRun }),
        };
      } catch (cause) {
        throw new CdcError(
          'epoch.corrupt',
          `reading ${staging.location}/${key}: it is no epoch of a table (${messageOf(cause)})`,
          { hint: 'bring it back from a copy, or load the table again: cdc reload', cause },
        );
      }
    }),
  );
  return epochs.sort((a, b) => a.started.getTime() - b.started.getTime());
}
