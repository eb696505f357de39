/** Reads the lake tables with SQL. */

import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Context, defineCommand } from '../cli/command.ts';
import { openNamedLake } from '../cli/named-lake.ts';
import { count, textTable } from '../cli/table.ts';
import { formatTableName } from '../core/change.ts';
import { UsageError } from '../core/errors.ts';
import { openStores } from '../core/pipeline/pipeline.ts';
import { formatBytes } from '../core/quantity.ts';
import {
  CATALOG_ENGINES,
  type CatalogEngine,
  type CatalogStatement,
  catalogStatements,
} from '../core/query/catalog-ddl.ts';
import { describeLake, type LakeTableSummary, type QueryResult, queryLake } from '../core/query/query.ts';

export interface QueryOptions {
  /** Absent: list the tables. */
  sql: string | undefined;
  /** A lake without a pipeline. */
  lake: string | undefined;
  /** Print the statements that show the tables to this engine. */
  ddl: CatalogEngine | undefined;
}

export type QueryReport =
  | { kind: 'tables'; tables: LakeTableSummary[] }
  | { kind: 'ddl'; statements: CatalogStatement[] }
  | ({ kind: 'rows' } & QueryResult);

const DEFAULT_MEMORY_BYTES = 768e6;

export const command = defineCommand({
  arguments: { sql: { help: 'a SELECT; without it the tables are listed' } },
  options: {
    lake: {
      value: 'DIR',
      help: 'the folder of a lake, or s3://bucket/prefix; needs no cdc.yaml',
      default: 'lake: of cdc.yaml',
    },
    ddl: {
      value: 'ENGINE',
      help: 'print the statements that make the tables visible to this engine',
      choices: CATALOG_ENGINES,
    },
  },
  description: `
    Runs a SELECT (DuckDB's SQL) over the lake tables, each visible as schema.table at its newest version. It only
    reads: neither the lake nor the source can be changed by it. Without SQL it lists the tables with their rows and
    versions. With --json the answer is an array of row objects.

    --ddl prints what to run in another engine, once, so that it sees the tables where they lie, also in versions to
    come: CREATE DATABASE and CREATE EXTERNAL TABLE for Athena (that is, for the Glue Data Catalog), CREATE TABLE for
    Spark, register_table for Trino, views for DuckDB with its delta extension. Their catalogs, but for DuckDB's, take
    lower case, digits and _ only: names are reduced to these.
  `,
  examples: [
    { line: 'cdc query', does: 'the tables there are' },
    { line: "cdc query 'SELECT City, count(*) FROM ahmad_schema.Persons GROUP BY City'", does: 'a question' },
    { line: "cdc query --json 'SELECT * FROM shop.orders LIMIT 3'", does: 'rows for a script' },
    { line: 'cdc query --ddl athena', does: 'show the tables to Athena' },
  ],

  parse(input): QueryOptions {
    const sql = input.argument('sql');
    const ddl = CATALOG_ENGINES.find((engine) => engine === input.text('ddl'));
    if (sql !== undefined && ddl !== undefined)
      throw new UsageError('query: --ddl prints statements and runs none', 'leave out the SQL, or --ddl');
    return { sql, lake: input.text('lake'), ddl };
  },

  async run({ sql, lake, ddl }: QueryOptions, context: Context): Promise<QueryReport> {
    const place = await placeOf(lake, context);
    if (ddl !== undefined) return { kind: 'ddl', statements: await catalogStatements(place.lake, ddl) };
    const engine = {
      lake: place.lake,
      memoryLimit: formatBytes(place.memoryBytes),
      tempDirectory: place.spill,
      signal: context.signal,
    };
    if (sql === undefined) return { kind: 'tables', tables: await describeLake(engine) };
    return { kind: 'rows', ...(await queryLake({ ...engine, sql })) };
  },

  json(report) {
    if (report.kind === 'tables') return report.tables;
    if (report.kind === 'ddl') return report.statements;
    const names = report.columns.map((column) => column.name);
    return report.rows.map((row) => Object.fromEntries(row.map((value, index) => [names[index] ?? '', value])));
  },

  render(report, { verbose }) {
    if (report.kind === 'tables')
      return report.tables.length === 0
        ? 'the lake is empty'
        : textTable(report.tables, [
            { title: 'table', value: ({ schema, table }) => `${schema}.${table}` },
            { title: 'rows', value: ({ rows }) => rows, right: true },
            { title: 'version', value: ({ version }) => version, right: true },
            { title: 'files', value: ({ files }) => files, right: true },
            { title: 'size', value: ({ bytes }) => formatBytes(bytes), right: true },
          ]);
    if (report.kind === 'ddl')
      return report.statements.length === 0 ? '-- the lake is empty' : report.statements.map(statementText).join('\n');
    const table = textTable(
      report.rows,
      report.columns.map(({ name, type }, index) => ({
        title: verbose ? `${name} ${type}` : name,
        value: (row) => cell(row[index]),
        right: /^(TINY|SMALL|BIG|HUGE|U)?(INT|INTEGER)|^(DECIMAL|DOUBLE|FLOAT)/.test(type),
      })),
      { keepCase: true },
    );
    return [table, `(${count(report.rows.length, 'row')})`].filter((text) => text !== '').join('\n');
  },
});

/** With the table's own name above it, where the engine will call it otherwise. */
function statementText({ schema, table, name, sql }: CatalogStatement): string {
  const own = table === null ? schema : formatTableName({ schema, table });
  // A line break in a name must not end the comment.
  return own.toLowerCase() === name ? sql : `-- ${own.replace(/[\r\n]+/g, ' ')} is called ${name} there\n${sql}`;
}

async function placeOf(lake: string | undefined, context: Context) {
  if (lake !== undefined)
    return {
      lake: openNamedLake(lake, context),
      spill: join(tmpdir(), 'cdc'),
      memoryBytes: DEFAULT_MEMORY_BYTES,
    };
  const config = await context.config();
  return {
    lake: openStores(config, context.env.variables).lake,
    spill: join(config.stateFolder, 'spill'),
    memoryBytes: config.merge.memoryLimitBytes,
  };
}

function cell(value: QueryResult['rows'][number][number] | undefined): string {
  if (value === null || value === undefined) return 'NULL';
  if (typeof value === 'object')
    return JSON.stringify(value, (_key, inner: unknown) => (typeof inner === 'bigint' ? inner.toString() : inner));
  // A line break or a control character would tear the table apart, or write to the terminal.
  return String(value).replace(/\p{Cc}/gu, (char) => JSON.stringify(char).slice(1, -1));
}
