import { describe, expect, it } from 'vitest';
import type { TableCheckpoint } from '../../../src/core/capture/checkpoint.ts';
import { applyStatement, type StatementRules } from '../../../src/core/capture/follow-statement.ts';
import { FollowedTable } from '../../../src/core/capture/followed-table.ts';
import { formatTableName } from '../../../src/core/change.ts';
import { defineTable } from '../../../src/core/table-definition.ts';

const position = { file: 'binlog.000001', offset: 4 };
const saved: TableCheckpoint = { run: 1, number: 0, definitionNumber: 0, loadedAt: position, loaded: true };

/** What a statement does to shop.persons, which is followed, and to names that the configuration asks for. */
function effects(sql: string, rules: Partial<StatementRules> & { names?: number } = {}): string[] {
  const { names, ...more } = rules;
  const columns = [
    { name: 'id', type: 'int', nullable: false, default: null },
    { name: 'city', type: 'varchar(20)', nullable: true, default: null, charset: 'utf8mb4', collation: 'utf8mb4_bin' },
  ];
  const name = { schema: 'shop', table: 'persons' };
  const shape = { number: 1n, key: ['id'], charset: 'utf8mb4', collation: 'utf8mb4_bin', zeroDates: 'null' } as const;
  const table = new FollowedTable(name, saved, defineTable(name, { ...shape, key: ['id'], columns }));
  const event = {
    kind: 'statement',
    schema: 'shop',
    sql,
    sqlMode: 0n,
    inTransaction: false,
    start: position,
    position,
    timestamp: 0,
    mark: { file: position.file, offset: 4, timestamp: 0, checksum: 0 },
  } as const;
  const server = { flavor: 'mysql', version: '8.0.31', serverId: 1, lowerCaseTableNames: names } as const;
  return applyStatement(event, [table], {
    server,
    truncate: 'apply',
    acceptCascades: false,
    matches: ({ schema }) => schema === 'shop',
    ...more,
  }).map((effect) =>
    effect.kind === 'stop'
      ? effect.reason.code
      : effect.kind === 'publish'
        ? 'publish'
        : `new ${formatTableName(effect.name)}`,
  );
}

describe('a statement in the binlog', () => {
  it('names another table in other case where case counts, and the same where it does not', () => {
    const add = 'ALTER TABLE shop.PERSONS ADD COLUMN age INT';
    expect(effects(add, { names: 0 })).toEqual([]);
    expect(effects(add, { names: 1 })).toEqual(['publish']);
    expect(effects(add, { names: 2 })).toEqual(['publish']);
    // A checkpoint of before: rather a table too many.
    expect(effects(add)).toEqual(['publish']);
  });

  it('makes a new table of another case beside the one that is followed, where case counts', () => {
    const create = 'CREATE TABLE Persons (id INT PRIMARY KEY)';
    expect(effects(create, { names: 0 })).toEqual(['new shop.Persons']);
    expect(effects(create, { names: 1 })).toEqual(['table.replaced']);
  });

  it('tells of a new table by the name that the server gives it', () => {
    expect(effects('CREATE TABLE Fresh (id INT PRIMARY KEY)', { names: 1 })).toEqual(['new shop.fresh']);
    expect(effects('CREATE TABLE Fresh (id INT PRIMARY KEY)', { names: 2 })).toEqual(['new shop.Fresh']);
  });

  it('stops at a foreign key that cascades, unless that is accepted', () => {
    const sql = 'ALTER TABLE persons ADD FOREIGN KEY (id) REFERENCES other (id) ON DELETE CASCADE';
    expect(effects(sql)).toEqual(['schema.changed']);
    expect(effects(sql, { acceptCascades: true })).toEqual([]);
  });

  it.each([
    ['TRUNCATE persons', ['publish']],
    ['DROP TABLE IF EXISTS other, persons', ['table.dropped']],
    ['DROP DATABASE shop', ['table.dropped']],
    ['RENAME TABLE persons TO old, fresh TO persons', ['table.renamed', 'new shop.old']],
    ['ALTER TABLE persons RENAME TO elsewhere.persons', ['schema.changed']],
    ['CREATE OR REPLACE TABLE persons (id INT)', ['table.replaced']],
    ['CREATE TABLE IF NOT EXISTS persons (id INT)', []],
    ['CREATE TEMPORARY TABLE persons (id INT)', []],
    ['DROP TEMPORARY TABLE persons', []],
    ['INSERT INTO persons VALUES (1)', ['statement.data-change']],
    ['INSERT INTO other SELECT * FROM persons', []],
    ['FROBNICATE persons', ['statement.unknown']],
    ['FROBNICATE other', []],
    ['ALTER TABLE persons EXCHANGE PARTITION p WITH TABLE other', ['schema.changed']],
    ['ALTER TABLE persons COMMENT = "x"', []],
    ['CREATE TABLE other2.t (id INT)', []],
  ])('%s: %j', (sql, expected) => {
    expect(effects(sql, { names: 0 })).toEqual(expected);
  });
});
