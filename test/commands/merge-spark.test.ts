import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { shellWords } from '../../src/core/pipeline/spark-merge.ts';
import { runCli } from '../support/command-line.ts';
import { hasSpark, sparkSubmit } from '../support/spark-parts.ts';
import { StagedTable } from '../support/staged-table.ts';
import { temporaryFolder } from '../support/temp-folder.ts';

const isThere = await hasSpark();

/** A pipeline with a load of two rows, and the means to add changes; `submit`: a command, or the text of a shell script. */
async function pipeline(submit: string) {
  const cwd = await temporaryFolder();
  await writeFile(join(cwd, 'cdc.yaml'), 'name: shop\nmerge: { engine: spark }\n');
  const staged = new StagedTable(cwd);
  const number = (n: number) => 1_000_000_000_000_000n + BigInt(n);
  const definition = staged.define(number(0));
  await staged.putDefinition(definition);
  const rows = [
    ['1', 'ann', '5'],
    ['2', 'bob', null],
  ];
  await staged.putLoad(definition, rows, { number: number(0) });
  const change = (n: number, op: 'I' | 'U' | 'D', ...values: (string | null)[]) =>
    staged.putChanges(definition, [{ number: number(n), op, values }]);
  const cdc = (...words: string[]) => runCli(words, { cwd, variables: { CDC_SPARK_SUBMIT: submit } });
  const lake = async () => JSON.parse((await cdc('query', '--json', 'SELECT * FROM shop.orders ORDER BY id')).stdout);
  return { cwd, change, cdc, lake };
}

/** A Spark that only says these things. */
async function fakeSpark(script: string): Promise<string> {
  const path = join(await temporaryFolder(), 'fake spark.sh');
  await writeFile(path, script);
  return `sh '${path}'`;
}

describe.runIf(isThere)('cdc merge --engine spark', () => {
  it('merges what is pending with Spark, says the same as the local engine, and the two alternate on one table', async () => {
    const { change, cdc, lake } = await pipeline(await sparkSubmit());
    const first = await cdc('merge', '--json', '--quiet');
    expect(first).toMatchObject({ code: 0 });
    expect(JSON.parse(first.stdout)).toEqual({
      tables: [
        {
          ...{ schema: 'shop', table: 'orders', files: 1, changes: 2, inserted: 2, updated: 0, deleted: 0 },
          ...{ quarantined: 0, version: 1, seconds: expect.any(Number) },
        },
      ],
      engine: 'spark',
    });
    await change(1, 'U', '1', 'Ann', '6');
    const second = await cdc('merge', '--engine', 'local', '--json');
    expect(JSON.parse(second.stdout)).toMatchObject({ tables: [{ updated: 1, version: 2 }], engine: 'local' });
    await change(2, 'D', '2', 'bob', null);
    await change(3, 'I', '3', 'cid', 'many');
    const third = await cdc('merge');
    expect(third).toMatchObject({ code: 1, stdout: '' });
    expect(third.stderr).toContain('column qty: "many" is no int');
    expect(await lake()).toEqual([
      { id: 1, name: 'Ann', qty: 6 },
      { id: 2, name: 'bob', qty: null },
    ]);
  }, 240_000);
});

describe('cdc merge --engine spark without a working Spark', () => {
  it('says what is missing where there is no Spark', async () => {
    const { cdc } = await pipeline('no-such-spark-submit --master local');
    const { code, stderr } = await cdc('merge', '--json', '--quiet');
    expect(code).toBe(1);
    expect(JSON.parse(stderr)).toMatchObject({
      error: { code: 'spark.absent', message: expect.stringContaining('no-such-spark-submit cannot be run') },
    });
  });

  it.each([
    ['no Java', 'echo "JAVA_HOME is not set" >&2; exit 1', 'spark.absent', 'it finds no Java'],
    [
      'no Delta',
      'echo "Caused by: java.lang.ClassNotFoundException: io.delta.sql.DeltaSparkSessionExtension" >&2; exit 1',
      'spark.no-delta',
      'it does not know Delta',
    ],
    [
      'anything else',
      'echo "26/11/24 17:50:44 INFO x" >&2; echo "java.io.IOException: disk full" >&2; echo "  at a.b" >&2; exit 3',
      'spark.failed',
      'ended with 3: java.io.IOException: disk full',
    ],
  ])('%s is an error of its own', async (_name, script, code, message) => {
    const { cdc } = await pipeline(await fakeSpark(script));
    const { stderr } = await cdc('merge', '--json', '--quiet');
    expect(JSON.parse(stderr)).toMatchObject({ error: { code, message: expect.stringContaining(message) } });
  });

  it('passes on an error of the whole run, with its hint', async () => {
    const report = '{"tables": [], "engine": "spark", "error": {"code": "table.unknown", "message": "m", "hint": "h"}}';
    const { cdc } = await pipeline(await fakeSpark(`echo starting; echo '${report}'; exit 1`));
    expect(JSON.parse((await cdc('merge', '--json', '--quiet')).stderr)).toMatchObject({
      error: { code: 'table.unknown', message: 'm', hint: 'h' },
    });
  });

  it('--watch starts it for what is there and again for what arrives, and stops it when it is interrupted', async () => {
    const report = (files: number) =>
      `{"tables":[{"schema":"shop","table":"orders","files":${files},"changes":1,"inserted":1,"updated":0,"deleted":0,"quarantined":0,"version":1,"seconds":1}],"engine":"spark"}`;
    // The second run does not end by itself.
    const script = `cd "$(dirname "$0")"; trap 'echo stopped >> runs; exit 1' TERM; echo run >> runs
      if [ "$(wc -l < runs)" -gt 1 ]; then while :; do sleep 0.05; done; fi
      echo '${report(1)}'`;
    const submit = await fakeSpark(script);
    const { cwd, change } = await pipeline(submit);
    const interrupt = new AbortController();
    let printed = '';
    const onStdout = (text: string) => {
      printed += text;
    };
    const variables = { CDC_SPARK_SUBMIT: submit };
    const watching = runCli(['merge', '--watch'], { cwd, variables, signal: interrupt.signal, onStdout });
    await vi.waitUntil(() => printed !== '', { timeout: 30_000 });
    expect(printed).toBe('shop.orders: 1 change of 1 file in version 1 (1.00 s)\n');
    await change(1, 'U', '1', 'Ann', '6');
    const runs = async () => readFile(join(dirname(/'(.*)'/.exec(submit)?.[1] ?? ''), 'runs'), 'utf8');
    await vi.waitUntil(async () => (await runs()) === 'run\nrun\n', { timeout: 30_000 });
    interrupt.abort();
    expect((await watching).code).toBe(130);
    expect(await runs()).toBe('run\nrun\nstopped\n');
  });

  it('parts a command as a shell does', () => {
    expect(shellWords(`env A='b c' spark-submit --conf "x=y z"  --master local[2]`)).toEqual([
      ...['env', 'A=b c', 'spark-submit', '--conf', 'x=y z', '--master', 'local[2]'],
    ]);
  });
});
