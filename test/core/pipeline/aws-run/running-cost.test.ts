import { expect, test } from 'vitest';
import { costChange, runningCost, standingOf } from '../../../../src/core/pipeline/aws-run/running-cost.ts';
import { testConfig } from './world.ts';

const config = testConfig();
const cost = (database: string | undefined, instance: string | undefined, isSweeping = false) =>
  runningCost(config, standingOf({ database, instance, isSweeping }));

test('what runs is paid for, and a stopped database by its storage', () => {
  const all = cost('available', 'available');
  const stopped = cost('stopped', 'available');
  const least = cost('stopped', undefined);
  expect(all.daily_usd).toBeGreaterThan(stopped.daily_usd);
  expect(stopped.daily_usd).toBeGreaterThan(least.daily_usd);
  expect(costChange(all, least)).toBe('now $0.10/day, was $1.18');
  expect(least.items.map(({ resource }) => resource)).toEqual([
    '20 GiB of the database',
    "secret of the database's own user",
    'secret for DMS',
  ]);
});

test('the merge that looks every hour is paid for as long as it does', () => {
  expect(cost('available', 'available', true).daily_usd).toBe(1.53);
  expect(cost('stopped', undefined, true).items).toContainEqual({
    resource: expect.stringContaining('every hour'),
    hourly_usd: 0.0147,
  });
});

test.each(['stopping', 'starting'])('a database that is %s is paid for as one that is stopped', (state) => {
  expect(cost(state, undefined).daily_usd).toBe(cost('stopped', undefined).daily_usd);
});

test('what is being made or deleted is not paid for', () => {
  expect(cost('creating', undefined).items.map(({ resource }) => resource)).toEqual(['secret for DMS']);
  expect(cost('stopped', 'deleting').daily_usd).toBe(cost('stopped', undefined).daily_usd);
});

test('nothing is paid for when all has gone', () => {
  const none = runningCost(
    config,
    standingOf({ database: undefined, instance: undefined, isSweeping: false, hasSecret: false }),
  );
  expect(none).toMatchObject({ daily_usd: 0, items: [] });
});

test('the sum is the sum of its items, dearest first, and names its price list', () => {
  const { daily_usd, items, prices_of, as_of } = cost('available', 'available');
  expect(items.reduce((sum, item) => sum + item.hourly_usd, 0) * 24).toBeCloseTo(daily_usd, 2);
  expect(items.map((item) => item.hourly_usd)).toEqual(items.map((item) => item.hourly_usd).sort((a, b) => b - a));
  expect([prices_of, as_of]).toEqual(['us-east-1', expect.stringMatching(/^\d{4}-\d{2}$/)]);
});
