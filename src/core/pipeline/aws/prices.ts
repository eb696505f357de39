/** What a pipeline costs: list prices of us-east-1 with their date, applied to what cdc.yaml asks for. Pure. */

import type { Config } from '../../config.ts';
import { awsOf } from './names.ts';
import { GLUE_WORKERS } from './resources/glue-job.ts';

/** Of the price list (reference: aws 12); other regions cost up to a third more. */
export const PRICES_AS_OF = '2026-08';
export const PRICES_REGION = 'us-east-1';

const HOURS_A_MONTH = 730;

/** USD an hour, single zone. A class that is not here is not priced, and the plan says so. */
const DATABASE_HOURLY: Readonly<Record<string, number>> = {
  'db.t3.micro': 0.017,
  'db.t3.small': 0.034,
  'db.t3.medium': 0.068,
  'db.t4g.micro': 0.016,
  'db.t4g.small': 0.032,
  'db.t4g.medium': 0.065,
  'db.m6g.large': 0.152,
};
const REPLICATION_HOURLY: Readonly<Record<string, number>> = {
  'dms.t2.micro': 0.018,
  'dms.t3.micro': 0.018,
  'dms.t3.small': 0.036,
  'dms.t3.medium': 0.073,
  'dms.t3.large': 0.146,
};
const DATABASE_STORAGE_GB_MONTH = 0.115;
const PUBLIC_ADDRESS_HOURLY = 0.005;
/** In one zone. The gateway to S3 costs nothing. */
const INTERFACE_ENDPOINT_HOURLY = 0.01;
const SECRET_MONTHLY = 0.4;
export const SNAPSHOT_GB_MONTH = 0.095;
export const STORAGE_GB_MONTH = 0.023;
const GLUE_DPU_HOURLY = 0.44;
/** How long a merge of one small file runs, start included; Glue bills a minute at least. */
const GLUE_RUN_MINUTES = 2;
/** A run that finds nothing ends within the minute that is billed at least. */
const SWEEP_MINUTES = 1;
export const SWEEPS = 'a Glue run every hour for what an event has missed';

export const SECRET_FOR_DMS = 'secret for DMS';

export const INTERFACE_ENDPOINT = 'VPC endpoint for Secrets Manager';

export interface CostItem {
  resource: string;
  hourly_usd: number;
}

export interface Cost {
  as_of: string;
  prices_of: string;
  /** All is there, nothing changes on the source: the merge looks every hour. */
  idle: CostSum;
  /** Changes arrive all the time: a file in every interval, a Glue run for each. */
  continuous: CostSum;
  /** After `cdc stop`: database and hourly merge are stopped, the replication instance cannot be. */
  stopped: CostSum;
  /** After `cdc stop --all`: the replication instance is deleted. */
  stopped_all: CostSum;
  /** What could not be priced, and what the sums assume. */
  notes: string[];
}

export interface CostSum {
  hourly_usd: number;
  daily_usd: number;
  monthly_usd: number;
  items: CostItem[];
}

export function costOf(config: Config): Cost {
  const aws = awsOf(config);
  const { source } = config;
  const notes = [
    `list prices of ${PRICES_REGION}, ${PRICES_AS_OF}; other regions cost up to a third more; without the bytes in S3 ($${STORAGE_GB_MONTH} a GB and month)`,
  ];
  const price = (table: Readonly<Record<string, number>>, what: string): number => {
    const hourly = table[what];
    if (hourly === undefined) notes.push(`no price is known for ${what}: it is not in the sums`);
    return hourly ?? 0;
  };

  const isRds = source.kind === 'rds';
  const running: CostItem[] = isRds
    ? [
        { resource: `database ${source.instanceClass}`, hourly_usd: price(DATABASE_HOURLY, source.instanceClass) },
        { resource: 'public address of the database', hourly_usd: PUBLIC_ADDRESS_HOURLY },
      ]
    : [];
  const kept: CostItem[] = [
    ...(isRds
      ? [
          {
            resource: `${source.storageGb} GiB of the database`,
            hourly_usd: (source.storageGb * DATABASE_STORAGE_GB_MONTH) / HOURS_A_MONTH,
          },
          { resource: "secret of the database's own user", hourly_usd: SECRET_MONTHLY / HOURS_A_MONTH },
        ]
      : []),
    ...(aws.dms.isPrivate ? [{ resource: INTERFACE_ENDPOINT, hourly_usd: INTERFACE_ENDPOINT_HOURLY }] : []),
    { resource: SECRET_FOR_DMS, hourly_usd: SECRET_MONTHLY / HOURS_A_MONTH },
  ];
  const replication: CostItem[] = [
    {
      resource: `replication instance ${aws.dms.instanceClass}`,
      hourly_usd: price(REPLICATION_HOURLY, aws.dms.instanceClass),
    },
    ...(aws.dms.isPrivate
      ? []
      : [{ resource: 'public address of the replication instance', hourly_usd: PUBLIC_ADDRESS_HOURLY }]),
  ];
  const sweeps: CostItem = {
    resource: SWEEPS,
    hourly_usd: GLUE_WORKERS * GLUE_DPU_HOURLY * (SWEEP_MINUTES / 60),
  };
  const runsAnHour = 3600 / Math.max(aws.dms.maxBatchSeconds, GLUE_RUN_MINUTES * 60);
  const merges: CostItem = {
    resource: `${Math.round(runsAnHour)} Glue runs an hour`,
    hourly_usd: runsAnHour * GLUE_WORKERS * GLUE_DPU_HOURLY * (GLUE_RUN_MINUTES / 60),
  };
  notes.push(
    `under continuous change: a file every ${aws.dms.maxBatchSeconds} s (\`dms: { max_batch_interval }\`), each a Glue run of ${GLUE_RUN_MINUTES} minutes on ${GLUE_WORKERS} DPU`,
  );
  return {
    as_of: PRICES_AS_OF,
    prices_of: PRICES_REGION,
    idle: sum([...running, ...kept, ...replication, sweeps]),
    continuous: sum([...running, ...kept, ...replication, sweeps, merges]),
    stopped: sum([...kept, ...replication]),
    stopped_all: sum(kept),
    notes,
  };
}

function sum(items: CostItem[]): CostSum {
  const hourly = items.reduce((total, item) => total + item.hourly_usd, 0);
  return {
    hourly_usd: round(hourly, 4),
    daily_usd: round(hourly * 24, 2),
    monthly_usd: round(hourly * HOURS_A_MONTH, 2),
    items: items.map((item) => ({ ...item, hourly_usd: round(item.hourly_usd, 4) })),
  };
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
