/** Merges of 10,000 changes on S3 (moto) by `cdc merge --engine local`: whole processes, one after another, on one table. */

import { appendFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, it } from 'vitest';
import { tableFolder } from '../src/core/change-file/layout.ts';
import { publishLoadRecord } from '../src/core/change-file/load-record.ts';
import { loadFileName } from '../src/core/change-file/name.ts';
import { changeHeader } from '../src/core/change-file/read.ts';
import { changeNumber, formatChangeNumber } from '../src/core/change-number.ts';
import { openS3Store } from '../src/core/store/s3.ts';
import { TestBucket } from '../test/support/aws/bucket.ts';
import { type AwsEmulator, startAwsEmulator } from '../test/support/aws/emulator.ts';
import { PipelineFolder } from '../test/support/pipeline-folder.ts';
import { askOnly } from '../test/support/s3-environment.ts';
import { StagedTable, TABLE } from '../test/support/staged-table.ts';
import { temporaryFolder } from '../test/support/temp-folder.ts';
import { type ByteMeter, startByteMeter } from './byte-meter.ts';

const { CDC_BENCH_RESULTS: RESULTS = '', CDC_BENCH_QUICK: QUICK } = process.env;
const ROWS = QUICK === '1' ? 200_000 : 2_000_000;
const CHANGES = 10_000;
const ROUNDS = QUICK === '1' ? 3 : 5;

let aws: AwsEmulator;
let meter: ByteMeter;
beforeAll(async () => {
  aws = await startAwsEmulator();
  meter = await startByteMeter(aws.url);
  askOnly(aws.url);
});
afterAll(async () => {
  await meter?.stop();
  await aws?.stop();
});

it('merges on S3', async () => {
  await TestBucket.make(aws, 'bench');
  const root = await temporaryFolder();
  const open = (prefix: string) => openS3Store({ bucket: 'bench', prefix }, { cacheFolder: join(root, 'writer') });
  const table = new StagedTable(root, { staging: open('staging'), lake: open('lake') });
  const definition = table.define(
    changeNumber(1, 0),
    'id bigint not null, name varchar(50), note varchar(200), qty int',
  );
  await table.putDefinition(definition);
  const row = (id: number, round: number) =>
    `name ${id},note ${(id * 2_654_435_761) % 4_294_967_296} of ${round},${id % 1000}`;

  const scratch = await table.staging.scratchPath('load.csv');
  const lines = [changeHeader(definition)];
  for (let id = 1; id <= ROWS; id++) lines.push(`I,2026-11-22 10:15:30.120000,${id},${row(id, 0)},\n`);
  await writeFile(scratch, lines.join(''));
  const size = lines.reduce((sum, line) => sum + line.length, 0);
  const key = `${tableFolder(TABLE)}${loadFileName(1)}`;
  await table.staging.publish(scratch, key);
  await publishLoadRecord(table.staging, {
    format: 1,
    ...TABLE,
    kind: 'load',
    number: changeNumber(1, 0),
    position: 'binlog.000001:4',
    definition,
    files: [{ key, size, rows: ROWS }],
  });

  const machine = async () => {
    const folder = await PipelineFolder.make({
      env: { ...aws.env, AWS_ENDPOINT_URL: meter.url, CDC_SOURCE_PASSWORD: 'none' },
    });
    await folder.configure(
      'name: bench\nsource: mysql://cdc@127.0.0.1:1\nstaging: s3://bench/staging\nlake: s3://bench/lake\n',
    );
    return folder;
  };
  let number = 0;
  let round = 0;
  const putChanges = async (pick: (index: number) => number) => {
    round++;
    const seq = () => `2026112210153012${formatChangeNumber(changeNumber(1, ++number))}`;
    const changes = Array.from({ length: CHANGES }, (_, index) => pick(index)).map(
      (id) => `U,2026-11-22 10:15:30.120000,${id},${row(id, round)},${seq()}\n`,
    );
    await table.staging.putIfAbsent(
      `${tableFolder(TABLE)}20261122-${String(100_000_000 + round)}.csv`,
      changeHeader(definition) + changes.join(''),
    );
  };
  const recent = (index: number) => ROWS - index;
  const random = (index: number) => 1 + ((index * 7919 + round * 104_729) % ROWS);

  const mine = await machine();
  await measure('load', 1, mine);
  await measure('nothing pending', ROUNDS, mine);
  await measure('recent keys', ROUNDS, mine, () => putChanges(recent));
  await measure('random keys', ROUNDS, mine, () => putChanges(random));
  const other = await machine();
  await measure('random keys, first on another machine', 1, other, () => putChanges(random));
  await measure('random keys, second on another machine', 1, other, () => putChanges(random));
});

async function measure(
  what: string,
  rounds: number,
  folder: PipelineFolder,
  prepare?: () => Promise<void>,
): Promise<void> {
  const seconds: number[] = [];
  const sum = { requests: 0, dataReads: 0, up: 0, down: 0 };
  for (let round = 0; round < rounds; round++) {
    await prepare?.();
    meter.take();
    const began = performance.now();
    await folder.ok('merge');
    seconds.push((performance.now() - began) / 1000);
    const { requests, dataReads, up, down } = meter.take();
    sum.requests += requests;
    sum.dataReads += dataReads;
    sum.up += up;
    sum.down += down;
  }
  seconds.sort((a, b) => a - b);
  const rounded = (value: number) => Math.round(value * 100) / 100;
  const middle = seconds[Math.floor(seconds.length / 2)] ?? 0;
  const result = {
    peer: 'cdc',
    case: `S3 ${ROWS >= 1e6 ? `${ROWS / 1e6}M` : `${ROWS / 1e3}k`} ${what}`,
    median_seconds: rounded(middle),
    min_seconds: rounded(seconds[0] ?? 0),
    max_seconds: rounded(seconds.at(-1) ?? 0),
    rows_per_second: prepare === undefined ? null : Math.round(CHANGES / middle),
    bytes_written: Math.round(sum.up / rounds),
    bytes_read: Math.round(sum.down / rounds),
    requests: Math.round(sum.requests / rounds),
    data_files_read: rounded(sum.dataReads / rounds),
  };
  appendFileSync(RESULTS, `${JSON.stringify(result)}\n`);
}
