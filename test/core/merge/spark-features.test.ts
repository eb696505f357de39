/** A batch into each kind of table that Delta 3.3.2 can make: merged rightly, or refused by the name of what keeps us from it. */

import { readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { changeNumber } from '../../../src/core/change-number.ts';
import { mergeTable } from '../../../src/core/merge/merge-table.ts';
import { createView, readLakeTables } from '../../../src/core/query/lake-views.ts';
import { recordResult } from '../../support/proof-result.ts';
import { hasDeltaReader, queryDeltaTable } from '../../support/python.ts';
import { compileNothing, coordinateCommits, createTable, knownToDelta, runSparkSql } from '../../support/spark.ts';
import { type SparkKind, updateAndDelete, WITHOUT_EFFECT } from '../../support/spark-kinds.ts';
import { MERGED_KINDS } from '../../support/spark-kinds-merged.ts';
import { REFUSED_KINDS } from '../../support/spark-kinds-refused.ts';
import { hasSpark } from '../../support/spark-parts.ts';
import { stagedOrders } from '../../support/staged-orders.ts';
import { TABLE } from '../../support/staged-table.ts';

/** `npm run proof -- engines` sets it. */
const isFull = process.env.CDC_PROOF_SEEDS !== undefined;
const isThere = (await hasSpark()) && (await hasDeltaReader());

const SPARK_KINDS = [...MERGED_KINDS, ...REFUSED_KINDS];

type Row = Record<string, unknown>;
const rowText = ({ id, name, qty }: Row) => `${id} ${name} ${qty}`;
const texts = (rows: readonly Row[]) => rows.map(rowText).sort();

/** A table that a load of ours begins; everything of it but our ledger is Spark's: four rows, of which it has changed some. */
async function tableOf(kind: SparkKind) {
  const { table, definition, engine, options, path, load } = await stagedOrders();
  await load(['1', 'ours', '1']);
  await mergeTable(options);
  // Spark makes a table with properties in an empty folder only.
  const ledger = join(table.root, 'ledger');
  await rename(join(path, '_cdc'), ledger);
  await rm(path, { recursive: true });
  const name = `delta.\`file://${path}\``;
  await makeBySpark(kind, { path, name, appId: options.appId });
  await rename(ledger, join(path, '_cdc'));
  const [number, values] = [(at: number) => changeNumber(1, at), (...all: string[]) => all];
  await table.putChanges(definition, [
    { number: number(1), op: 'U', values: values('1', 'changed', '1') },
    { number: number(2), op: 'D', values: values('2', 'b', '6') },
    { number: number(3), op: 'I', values: values('5', 'new', '9') },
  ]);
  const bySpark = async () => texts(await runSparkSql(`SELECT id, name, qty FROM ${name}`));
  /** What `query` reads. */
  const byQuery = async () =>
    await engine.withConnection(async (connection) => {
      for (const found of await readLakeTables(table.lake, engine, [TABLE]))
        await createView(connection, table.lake, found);
      return texts(await connection.rows('SELECT id, name, qty FROM shop.orders'));
    });
  return { path, options, bySpark, byQuery };
}

async function makeBySpark(
  { properties: ofKind, session = {}, built, columns, clause = '', change }: SparkKind,
  { path, name, appId }: { path: string; name: string; appId: string },
): Promise<void> {
  const properties = { 'cdc.appId': appId, 'cdc.key': '["id"]', ...ofKind };
  const ledger = {
    'spark.databricks.delta.write.txnAppId': appId,
    'spark.databricks.delta.write.txnVersion': '1',
  };
  const set = (settings: Record<string, string>) =>
    Object.entries(settings).map(([key, value]) => `SET ${key} = ${value}`);
  const reset = (settings: Record<string, string>) => Object.keys(settings).map((key) => `RESET ${key}`);
  try {
    await runSparkSql(...set(session));
    if (built !== undefined) await createTable({ path, columns: built, properties });
    else {
      const pairs = Object.entries(properties).map(([key, value]) => `'${key}' = '${value}'`);
      await runSparkSql(
        `CREATE TABLE ${name} (${columns ?? 'id INT, name STRING, qty INT'}) USING delta ${clause} TBLPROPERTIES (${pairs.join(', ')})`,
      );
    }
    await runSparkSql(
      ...set(ledger),
      `INSERT INTO ${name} (id, name, qty) VALUES (1, 'a', 5), (2, 'b', 6), (3, 'c', 7), (4, 'd', 8)`,
    );
    await runSparkSql(...reset(ledger), ...(change ?? updateAndDelete)(name));
  } finally {
    await runSparkSql(...reset({ ...session, ...ledger }));
  }
}

/** Every file of the table with its size; the ledger and the lease beside them are ours. */
async function filesOf(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const ofTable = files.filter((file) => !file.includes('/_cdc/'));
  return (await Promise.all(ofTable.map(async (file) => `${file} ${(await stat(file)).size}`))).sort();
}

async function prove(kind: SparkKind): Promise<Record<string, unknown>> {
  const { path, options, bySpark, byQuery } = await tableOf(kind);
  if (kind.refused === undefined) {
    expect(await byQuery()).toEqual(['1 a 15', '2 b 6', '3 c 7']);
    expect(await mergeTable(options)).toMatchObject({ inserted: 1, updated: 1, deleted: 1 });
    const after = ['1 changed 1', '3 c 7', '5 new 9'];
    expect(await bySpark()).toEqual(after);
    expect(texts(await queryDeltaTable(path, 'SELECT id, name, qty FROM t'))).toEqual(after);
    expect(await byQuery()).toEqual(after);
    return { outcome: 'merged' };
  }
  const files = await filesOf(path);
  const refused = (name: string) => ({ code: 'lake.unsupported', message: expect.stringContaining(name) });
  await expect(mergeTable(options)).rejects.toMatchObject(refused(kind.refused));
  expect(await filesOf(path)).toEqual(files);
  // What is read all the same is what Spark reads.
  const rows = await bySpark();
  expect(rows.length).toBeGreaterThan(2);
  if (kind.unreadable === undefined) expect(await byQuery()).toEqual(rows);
  else await expect(byQuery()).rejects.toMatchObject(refused(kind.unreadable));
  return { outcome: 'refused' };
}

describe.runIf(isThere)('a table of Delta 3.3.2', () => {
  compileNothing();
  beforeAll(async () => {
    if (isFull) await coordinateCommits();
  }, 300_000);

  it.each(SPARK_KINDS.filter(({ sample }) => isFull || sample).map((kind) => [kind.name, kind] as const))(
    '%s',
    async (name, kind) => {
      await recordResult({ feature: name }, () => prove(kind));
    },
    600_000,
  );

  it('has no feature and no property that is not looked at here', async () => {
    const known = await knownToDelta();
    const looked = new Set(SPARK_KINDS.flatMap(({ features = [] }) => features));
    expect(known.features.filter((feature) => !looked.has(feature))).toEqual([]);
    const properties = new Set(SPARK_KINDS.flatMap((kind) => Object.keys(kind.properties ?? {})));
    expect(known.properties.filter((one) => !properties.has(one) && WITHOUT_EFFECT[one] === undefined)).toEqual([]);
  }, 120_000);
});
