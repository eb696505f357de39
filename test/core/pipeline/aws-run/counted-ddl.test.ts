import { beforeEach, describe, expect, test } from 'vitest';
import { tableStatistics } from '../../../../src/core/aws/dms-task.ts';
import { COUNTED_DDL, countedDdlKey } from '../../../../src/core/change-file/layout.ts';
import { countedBy, findFollower, noteVerified } from '../../../../src/core/pipeline/aws-run/counted-ddl.ts';
import { reloadOnAws } from '../../../../src/core/pipeline/aws-run/reload.ts';
import { replicateOnAws } from '../../../../src/core/pipeline/aws-run/replicate.ts';
import { startOnAws } from '../../../../src/core/pipeline/aws-run/start.ts';
import { isUnwellOnAws, statusOnAws } from '../../../../src/core/pipeline/aws-run/status.ts';
import { stopOnAws } from '../../../../src/core/pipeline/aws-run/stop.ts';
import type { AwsEmulator } from '../../../support/aws/emulator.ts';
import type { TestServer } from '../../../support/servers.ts';
import { eachInItsWorld, hasWorld, type World } from './world.ts';

const ORDERS = { schema: 'shop', table: 'orders' };

describe.skipIf(!(await hasWorld()))('DDL that DMS counts and writes into no file', () => {
  let aws: AwsEmulator;
  let server: TestServer;
  let world: World;
  eachInItsWorld((place) => {
    ({ aws, server, world } = place);
  });
  beforeEach(async () => {
    await replicateOnAws({ ...world.run, request: { fullLoad: true, ongoing: true }, wait: true });
  });

  const counts = (ddls: number) => aws.control({ statistics: { 'shop.orders': { Ddls: ddls } } });
  const status = async () => {
    const report = await statusOnAws(world.run);
    const [orders, persons] = report.tables;
    expect(persons).toMatchObject({ state: 'following', error: null });
    expect(isUnwellOnAws(report)).toBe(orders?.state === 'unverified');
    return orders;
  };
  /** As an equal `verify` does. */
  const verified = async () => {
    const follower = await findFollower(world.run);
    const statistics = follower === undefined ? [] : await tableStatistics(world.run.session, follower);
    await noteVerified(world.run.staging, countedBy(follower, statistics), [ORDERS]);
  };
  const UNVERIFIED = { state: 'unverified', error: { code: 'table.unverified' } };

  test('makes a table unverified until it is found equal, and again when there is more of it', async () => {
    expect(await status()).toMatchObject({ state: 'following' });
    await verified();
    expect(await world.staging.list(COUNTED_DDL)).toEqual([]);
    await counts(1);
    expect(await status()).toMatchObject({
      ...UNVERIFIED,
      error: {
        message: expect.stringContaining('shop.orders: DMS counts 1 DDL statement on it; a TRUNCATE'),
        hint: 'cdc verify --table shop.orders   # equal clears it; else cdc reload shop.orders',
      },
    });
    await verified();
    expect(await status()).toMatchObject({ state: 'following', error: null });
    await counts(2);
    expect(await status()).toMatchObject({
      ...UNVERIFIED,
      error: { message: expect.stringContaining('DMS counts 2 DDL statements on it, and counted 1 when') },
    });
    // Should it count from 0 again, then none of that is known.
    await verified();
    await counts(1);
    expect(await status()).toMatchObject(UNVERIFIED);
    await counts(0);
    expect(await status()).toMatchObject({ state: 'following', error: null });
  });

  test('is cleared by a reload for what came before it, and by none of another table', async () => {
    await counts(1);
    world.staging.time += 60_000;
    await reloadOnAws({ ...world.run, tables: [{ schema: 'shop', table: 'persons' }] });
    expect(await status()).toMatchObject(UNVERIFIED);
    await reloadOnAws({ ...world.run, tables: [ORDERS] });
    expect(await status()).toMatchObject({ state: 'following', error: null });
    await counts(2);
    expect(await status()).toMatchObject(UNVERIFIED);
  });

  test('is not overlooked where what was written down of it cannot be read', async () => {
    await world.staging.put(countedDdlKey(ORDERS), '{"format": 2}');
    await expect(status()).rejects.toMatchObject({
      code: 'ddl.corrupt',
      message: expect.stringContaining(`/${countedDdlKey(ORDERS)}: it is no note of ours`),
    });
  });

  test('is not forgotten when the task that counted it is deleted', async () => {
    // Where the emulator's checkpoint is.
    await server.query('FLUSH BINARY LOGS');
    await counts(1);
    await stopOnAws({ ...world.run, all: true });
    await counts(0);
    await startOnAws({ ...world.run, wait: true, makeInstance: world.makeInstance });
    expect(await status()).toMatchObject({
      ...UNVERIFIED,
      error: { message: expect.stringContaining('that nobody has looked at') },
    });
    await verified();
    expect(await status()).toMatchObject({ state: 'following', error: null });
    await counts(1);
    expect(await status()).toMatchObject(UNVERIFIED);
  });
});
