/** What a pipeline costs as it stands: the prices of `plan`, for what runs and what is there now. Pure. */

import type { Config } from '../../config.ts';
import { type Cost, type CostItem, costOf, INTERFACE_ENDPOINT, SECRET_FOR_DMS, SWEEPS } from '../aws/prices.ts';

/** What of it is there: a database that is stopped still has its storage. */
export interface Standing {
  database: 'running' | 'stopped' | 'absent';
  replicationInstance: 'there' | 'absent';
  /** The hourly run of the merge. */
  sweep: 'on' | 'off';
  /** The one that DMS reads the source's password from. */
  secret: 'there' | 'absent';
}

export interface RunningCost {
  daily_usd: number;
  /** What is paid for, dearest first. */
  items: CostItem[];
  prices_of: string;
  as_of: string;
}

export function runningCost(config: Config, standing: Standing): RunningCost {
  const cost = costOf(config);
  const items = itemsOf(cost, standing).sort((a, b) => b.hourly_usd - a.hourly_usd);
  const hourly = items.reduce((sum, item) => sum + item.hourly_usd, 0);
  return {
    daily_usd: Number((hourly * 24).toFixed(2)),
    items,
    prices_of: cost.prices_of,
    as_of: cost.as_of,
  };
}

/** `plan` knows three states of a pipeline; what one has and the next has not is what the difference is made of. */
function itemsOf(cost: Cost, { database, replicationInstance, sweep, secret }: Standing): CostItem[] {
  const kept = cost.stopped_all.items.filter(({ resource }) =>
    // The way to it is there as long as it is.
    [SECRET_FOR_DMS, INTERFACE_ENDPOINT].includes(resource)
      ? secret === 'there'
      : database !== 'absent' || !/\bdatabase\b/.test(resource),
  );
  return [
    ...kept,
    ...without(cost.idle.items, cost.stopped.items).filter(({ resource }) =>
      resource === SWEEPS ? sweep === 'on' : database === 'running',
    ),
    ...(replicationInstance === 'there' ? without(cost.stopped.items, cost.stopped_all.items) : []),
  ];
}

function without(items: readonly CostItem[], others: readonly CostItem[]): CostItem[] {
  const known = new Set(others.map(({ resource }) => resource));
  return items.filter(({ resource }) => !known.has(resource));
}

/** Nobody pays for an instance that is being made or deleted; one that stops is paid for by its storage alone. */
export function standingOf(states: {
  database: string | undefined;
  instance: string | undefined;
  isSweeping: boolean;
  hasSecret?: boolean;
}): Standing {
  const { database, instance, isSweeping, hasSecret = true } = states;
  return {
    database:
      database === undefined || database === 'creating' || database === 'deleting'
        ? 'absent'
        : /^(stopped|stopping|starting)$/.test(database)
          ? 'stopped'
          : 'running',
    replicationInstance: instance === undefined || instance === 'deleting' ? 'absent' : 'there',
    sweep: isSweeping ? 'on' : 'off',
    secret: hasSecret ? 'there' : 'absent',
  };
}

/** `now $0.10/day, was $1.19` */
export function costChange(before: RunningCost, now: RunningCost): string {
  return `now ${usd(now)}/day, was ${usd(before)}`;
}

function usd({ daily_usd }: RunningCost): string {
  return `$${daily_usd.toFixed(2)}`;
}
