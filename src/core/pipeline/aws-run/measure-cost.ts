/** What a pipeline costs now, and what a command changed of that. */

import { findReplicationInstance } from '../../aws/dms.ts';
import { findSchedule } from '../../aws/glue-schedule.ts';
import { findInstance as findDatabaseInstance } from '../../aws/rds.ts';
import { findSecret } from '../../aws/secrets-manager.ts';
import type { CostItem } from '../aws/prices.ts';
import type { AwsRun } from './run.ts';
import { costChange, type RunningCost, runningCost, standingOf } from './running-cost.ts';
import { isSweeping } from './sweep.ts';

export interface CostReport {
  before_usd_per_day: number;
  now_usd_per_day: number;
  /** What is still paid for, dearest first. */
  remaining: CostItem[];
  /** `now $0.10/day, was $1.19` */
  says: string;
}

export async function measureCost(run: Pick<AwsRun, 'session' | 'config' | 'names'>): Promise<RunningCost> {
  const { session, config, names } = run;
  const [database, instance, schedule, secret] = await Promise.all([
    config.source.kind === 'rds' ? findDatabaseInstance(session, names.database) : undefined,
    findReplicationInstance(session, names.replicationInstance),
    findSchedule(session, names.sweep),
    findSecret(session, names.secret),
  ]);
  return runningCost(
    config,
    standingOf({
      database: database?.status,
      instance: instance?.status,
      isSweeping: isSweeping(schedule),
      hasSecret: secret !== undefined,
    }),
  );
}

export function costReport(before: RunningCost, now: RunningCost): CostReport {
  return {
    before_usd_per_day: before.daily_usd,
    now_usd_per_day: now.daily_usd,
    remaining: now.items,
    says: costChange(before, now),
  };
}
