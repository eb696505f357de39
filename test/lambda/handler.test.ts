import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeKey, readArrivals } from '../../src/lambda/arrivals.ts';
import { handle } from '../../src/lambda/handler.ts';
import type { GlueCalls } from '../../src/lambda/wake-job.ts';

const settings = { job: 'shop-merge', bucket: 'shop-staging', prefix: '' };

function event(...keys: string[]) {
  return { Records: keys.map((key) => record(key)) };
}

function record(key: string, bucket = 'shop-staging', eventName = 'ObjectCreated:Put') {
  return {
    eventVersion: '2.1',
    eventSource: 'aws:s3',
    eventName,
    s3: {
      bucket: { name: bucket, arn: `arn:aws:s3:::${bucket}` },
      object: { key, size: 12, eTag: 'x', sequencer: '0A' },
    },
  };
}

/** Glue with the answers given, one for each call of a name. */
function glue(answers: { start: (string | Error)[]; runs?: { Id: string; JobRunState: string }[] | Error }) {
  const calls: { name: string; input: unknown }[] = [];
  const start = [...answers.start];
  const send = async (command: { constructor: { name: string }; input: unknown }) => {
    calls.push({ name: command.constructor.name, input: command.input });
    if (command.constructor.name === 'GetJobRunsCommand') {
      if (answers.runs instanceof Error) throw answers.runs;
      return { JobRuns: answers.runs ?? [] };
    }
    const answer = start.shift();
    if (answer instanceof Error) throw answer;
    return { JobRunId: answer };
  };
  return { calls, client: { send } as unknown as GlueCalls };
}

function awsError(name: string) {
  return Object.assign(new Error(`${name} happened`), { name });
}

async function run(input: unknown, answers: Parameters<typeof glue>[0], prefix = '') {
  const { calls, client } = glue(answers);
  const logs: { level: string; message: string; details: Record<string, unknown> }[] = [];
  const answer = handle({
    event: input,
    settings: { ...settings, prefix },
    glue: client,
    log: (level, message, details) => logs.push({ level, message, details }),
  });
  return { answer: await answer.catch((error: unknown) => error), calls, logs };
}

test('one run is started for all records of an event', async () => {
  const { answer, calls } = await run(event('shop/orders/20261122-101530123.csv', 'shop/persons/LOAD00000001.csv'), {
    start: ['jr_1'],
  });
  expect(answer).toEqual({
    files: ['shop/orders/20261122-101530123.csv', 'shop/persons/LOAD00000001.csv'],
    ignored: [],
    run: 'jr_1',
    reason: null,
  });
  expect(calls).toEqual([{ name: 'StartJobRunCommand', input: { JobName: 'shop-merge' } }]);
});

test.each([
  ['our own state', '_cdc/checkpoint.json', 'it is state of ours'],
  ['a stray note', 'shop/orders/notes.txt', 'its name is no change file'],
  ['a file of no table', 'LOAD00000001.csv', 'it lies in no folder of a table'],
  ['a folder marker', 'shop/orders/', 'its name is no change file'],
])('%s starts nothing', async (_, key, reason) => {
  const { answer, calls } = await run(event(key), { start: [] });
  expect(answer).toMatchObject({ files: [], ignored: [{ key, reason }], run: null });
  expect(calls).toEqual([]);
});

test('what was removed, what lies in another bucket and what lies beside the prefix start nothing', async () => {
  const key = 'p/shop/orders/LOAD00000001.csv';
  const others = [record(key, 'else'), record(key, 'shop-staging', 'ObjectRemoved:Delete'), record(key.slice(2))];
  const { answer, calls } = await run({ Records: others }, { start: [] }, 'p');
  expect(answer).toMatchObject({ files: [], ignored: [{}, {}, {}], run: null });
  expect(calls).toEqual([]);
});

test('a change file among others starts the job, and what was ignored is said', async () => {
  const { answer, logs } = await run(
    event('p/shop/orders/x', 'p/shop/orders/2026/11/22/20261122-101530123.csv.gz'),
    {
      start: ['jr_1'],
    },
    'p',
  );
  expect(answer).toMatchObject({ files: ['p/shop/orders/2026/11/22/20261122-101530123.csv.gz'], run: 'jr_1' });
  expect(logs.map(({ message }) => message)).toEqual(['ignored what is no change file', 'started the job']);
});

test('the files of DMS that keep transactions together start the job', () => {
  const [arrival] = readArrivals(event('cdc/CDC_TXN-20201117153046033.csv'), settings);
  expect(arrival).toEqual({ key: 'cdc/CDC_TXN-20201117153046033.csv' });
});

test('a run that works already may not see the file: the event is thrown back, for S3 to bring it again', async () => {
  const busy = awsError('ConcurrentRunsExceededException');
  const { answer, logs } = await run(event('shop/orders/LOAD00000001.csv'), {
    start: [busy],
    runs: [
      { Id: 'jr_2', JobRunState: 'RUNNING' },
      { Id: 'jr_1', JobRunState: 'SUCCEEDED' },
    ],
  });
  expect(answer).toBe(busy);
  expect(logs.at(-1)).toMatchObject({ level: 'info', details: { error: 'ConcurrentRunsExceededException' } });
});

test.each(['STARTING', 'WAITING'])('a run that is %s will list the file: no other is needed', async (JobRunState) => {
  const { answer } = await run(event('shop/orders/LOAD00000001.csv'), {
    start: [awsError('ConcurrentRunsExceededException')],
    runs: [{ Id: 'jr_2', JobRunState }],
  });
  expect(answer).toMatchObject({ run: null, reason: 'run jr_2 has not begun yet and will see the file' });
});

test('where runs may not be listed, the event is thrown back', async () => {
  const busy = awsError('ConcurrentRunsExceededException');
  const { answer } = await run(event('shop/orders/LOAD00000001.csv'), {
    start: [busy],
    runs: awsError('AccessDeniedException'),
  });
  expect(answer).toBe(busy);
});

test('any other error is thrown, whatever it is', async () => {
  for (const name of ['ThrottlingException', 'EntityNotFoundException', 'InvalidInputException']) {
    const { answer, calls } = await run(event('shop/orders/LOAD00000001.csv'), { start: [awsError(name)] });
    expect(answer).toMatchObject({ name });
    expect(calls).toHaveLength(1);
  }
});

test('an event that is none of S3 is an error, not a success', async () => {
  const { answer } = await run({ detail: {} }, { start: [] });
  expect(answer).toMatchObject({ message: expect.stringContaining('no event of S3') });
});

test("S3's own test event is answered", async () => {
  const { answer } = await run({ Service: 'Amazon S3', Event: 's3:TestEvent', Bucket: 'shop-staging' }, { start: [] });
  expect(answer).toMatchObject({ files: [], run: null });
});

test('a key is read back as it was before S3 encoded it, whatever is in it', () => {
  expect(decodeKey('shop/my+table/a%2Bb%20c.csv')).toBe('shop/my table/a+b c.csv');
  expect(decodeKey('shop/100%/x')).toBe('shop/100%/x');
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (key) => {
      const encoded = key
        .split('/')
        .map((part) => encodeURIComponent(part).replaceAll('%20', '+'))
        .join('/');
      expect(decodeKey(encoded)).toBe(key);
    }),
  );
});
