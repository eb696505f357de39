import type { Connection } from 'mysql2/promise';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { formatFloat } from '../../../src/core/change-file/number-text.ts';
import { parseColumnType, selectSql } from '../../../src/core/column-type.ts';
import { describeOnServers, startTestServer, type TestServer } from '../../support/servers.ts';
import { connectAdmin, definitionOf, endOfBinlog, linesOf, readBinlog, SEQ_PREFIX, selectText, TS } from './support.ts';

interface TypeCase {
  /** The column as declared. */
  type: string;
  /** SQL literals to insert. */
  values: string[];
  only?: 'mysql' | 'mariadb';
}

const NASTY_TEXT = [
  "''",
  "'\\\\N'",
  "'\\\\\\\\N'",
  "'\\\\\\\\\\\\NN'",
  "'N'",
  "'\\\\'",
  "'\"'",
  '\'"","\'',
  "',' ",
  "'a\\nb'",
  "'a\\rb'",
  "'a\\r\\nb'",
  "'a\\0b'",
  "'NULL'",
  "' lead'",
  "'\\t'",
  "_utf8mb4 X'EFBBBF61'",
  "'\\Z'",
];

const integers = (bits: number): string[] => {
  const half = 2n ** BigInt(bits - 1);
  return ['0', '1', '-1', '7', '-7', '10', '99', '-100', `${half - 1n}`, `${-half}`, `${half - 2n}`];
};
const unsigned = (bits: number): string[] => {
  const all = 2n ** BigInt(bits);
  return ['0', '1', '9', '10', `${all / 2n - 1n}`, `${all / 2n}`, `${all - 1n}`];
};

const CASES: TypeCase[] = [
  { type: 'tinyint', values: integers(8) },
  { type: 'tinyint unsigned', values: unsigned(8) },
  { type: 'tinyint(1)', values: ['0', '1', '127', '-128'] },
  { type: 'smallint', values: integers(16) },
  { type: 'smallint unsigned', values: unsigned(16) },
  { type: 'mediumint', values: integers(24) },
  { type: 'mediumint unsigned', values: unsigned(24) },
  { type: 'int', values: integers(32) },
  { type: 'int unsigned', values: unsigned(32) },
  {
    type: 'bigint',
    values: [
      ...integers(64),
      '9007199254740991',
      '9007199254740992',
      '9007199254740993',
      '-9007199254740991',
      '-9007199254740992',
      '-9007199254740993',
      '4294967295',
      '4294967296',
      '-4294967296',
      '1000000000000000',
    ],
  },
  {
    type: 'bigint unsigned',
    values: [...unsigned(64), '9007199254740991', '9007199254740992', '9007199254740993', '10000000000000000000'],
  },
  { type: 'int(8) zerofill', values: ['0', '42', '4294967295'] },
  { type: 'year', values: ['0', '1901', '2024', '2155'] },
  { type: 'bit(1)', values: ["b'0'", "b'1'"] },
  { type: 'bit(7)', values: ["b'0'", "b'1010101'", "b'1111111'"] },
  { type: 'bit(9)', values: ["b'0'", "b'100000001'"] },
  { type: 'bit(53)', values: ['9007199254740991', '4503599627370496'] },
  { type: 'bit(64)', values: ['0', '1', '18446744073709551615', '9223372036854775808', '9007199254740993'] },
  { type: 'decimal(5,2)', values: ['0', '0.01', '-0.01', '999.99', '-999.99', '12.3', '-0.001'] },
  { type: 'decimal(10,0)', values: ['0', '1', '-1', '9999999999', '-9999999999'] },
  { type: 'decimal(9,9)', values: ['0', '0.000000001', '-0.999999999', '0.5'] },
  { type: 'decimal(18,9)', values: ['0', '123456789.987654321', '-1.000000001', '100000000'] },
  { type: 'decimal(20,10)', values: ['1234567890.0123456789', '-0.0000000001'] },
  {
    type: 'decimal(65,30)',
    values: [`${'9'.repeat(35)}.${'9'.repeat(30)}`, `-${'1'.repeat(35)}.${'0'.repeat(29)}1`, '0', '-0.5', '1000000000'],
  },
  { type: 'decimal(65,0)', values: ['9'.repeat(65), `-1${'0'.repeat(64)}`, '42'] },
  { type: 'decimal(38,20) unsigned', values: ['0', '1.00000000000000000001'] },
  {
    type: 'float',
    values: [
      '0',
      '-0e0',
      '1',
      '-1.5',
      '0.1',
      '16777216',
      '3.4028235e38',
      '1.17549435e-38',
      '1e-45',
      '123456.789',
      '1e6',
      '1e20',
    ],
  },
  { type: 'float unsigned', values: ['0', '0.3'] },
  { type: 'float(7,2)', values: ['1.1', '99999.99', '0.33'] },
  {
    type: 'double',
    values: [
      '0',
      '-0e0',
      '1',
      '-1',
      '0.1',
      '1e15',
      '123456789012345',
      '1234567890123456',
      '1435343423402452.5',
      '-4503599627370495.5',
      '1e16',
      '1e-4',
      '1e-5',
      '1e-14',
      '1e-15',
      '1.5e-15',
      '1e-16',
      '1.7976931348623157e308',
      '2.2250738585072014e-308',
      '5e-324',
      '0.30000000000000004',
      '100000000000000000000',
      '1.5e300',
      '-123.456',
    ],
  },
  {
    type: 'date',
    values: ["'2024-02-29'", "'0000-00-00'", "'2024-00-00'", "'1000-01-01'", "'9999-12-31'", "'0001-01-01'"],
  },
  {
    type: 'datetime',
    values: ["'2024-02-29 23:59:59'", "'0000-00-00'", "'2024-01-00'", "'9999-12-31 23:59:59'", "'1000-01-01'"],
  },
  ...[1, 2, 3, 4, 5, 6].map((digits) => ({
    type: `datetime(${digits})`,
    values: [
      "'2024-02-29 23:59:59.123456'",
      "'2024-02-29 00:00:00.000001'",
      "'0000-00-00'",
      "'1969-12-31 23:59:59.999'",
    ],
  })),
  {
    type: 'timestamp null',
    values: [
      "'1970-01-01 00:00:01'",
      "'2038-01-19 03:14:07'",
      "'0000-00-00'",
      "'2024-02-29 12:00:00'",
      "'2000-03-01'",
      "'1999-12-31 23:59:59'",
    ],
  },
  ...[1, 2, 3, 4, 5, 6].map((digits) => ({
    type: `timestamp(${digits}) null`,
    values: ["'2024-02-29 23:59:58.123456'", "'1970-01-01 00:00:01'", "'0000-00-00'", "'2004-12-31 00:00:00.050'"],
  })),
  {
    type: 'time',
    values: ["'00:00:00'", "'-00:00:01'", "'838:59:59'", "'-838:59:59'", "'100:00:00'", "'23:59:59'", "'-23:00:59'"],
  },
  ...[1, 2, 3, 4, 5, 6].map((digits) => ({
    type: `time(${digits})`,
    values: [
      "'00:00:00.5'",
      "'-00:00:00.5'",
      "'-00:00:01.123456'",
      "'838:59:58.999999'",
      "'-838:59:58.999999'",
      "'-00:00:01'",
      "'12:34:56.000001'",
      "'-00:00:00.000001'",
      "'-01:00:00.01'",
    ],
  })),
  { type: 'char(10)', values: [...NASTY_TEXT.filter((value) => value.length < 30), "'trail   '", "'ñandú'", "'😀'"] },
  { type: 'char(255)', values: ["repeat('ü',255)", "''", "'x'"] },
  { type: 'varchar(50)', values: [...NASTY_TEXT, "'trail   '", "'ñ'", "'日本語'", "'😀'"] },
  { type: 'varchar(63)', values: ["repeat('x',63)", "repeat('😀',63)"] },
  { type: 'varchar(64)', values: ["repeat('x',64)", "repeat('😀',64)", "''"] },
  { type: 'varchar(300)', values: ["repeat('ab\"',100)", "''"] },
  { type: 'tinytext', values: [...NASTY_TEXT, "repeat('a',255)"] },
  { type: 'text', values: [...NASTY_TEXT, "repeat('a\"',20000)", "repeat('\\n',70)"] },
  { type: 'mediumtext', values: [...NASTY_TEXT, "repeat(',',100000)"] },
  { type: 'longtext', values: [...NASTY_TEXT, "repeat('é',100000)"] },
  { type: 'varchar(20) character set utf8mb3', values: ["'ñ'", "'日本語'", "''"] },
  { type: 'varchar(20) character set ascii', values: ["'plain'", "''", "'\\\\N'"] },
  { type: 'char(20) character set latin1', values: ["'ñandú'", "'€uro'", "'plain'"] },
  {
    type: 'varchar(300) character set latin1',
    values: [
      "'plain'",
      "'a,b'",
      '\'é,"ñ"\'',
      `CONVERT(UNHEX('${Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0')).join('')}') USING latin1)`,
      "'\\\\N'",
    ],
  },
  { type: 'text character set latin1', values: ["repeat('ÿ€',5000)", "''"] },
  { type: 'binary(1)', values: ["X'00'", "X'FF'"] },
  { type: 'binary(8)', values: ["X'0000000000000000'", "X'0102030405060708'", "X'01'", "'N'", "X'0100000000000000'"] },
  { type: 'binary(255)', values: ["X'01'", "repeat('z',255)"] },
  { type: 'varbinary(20)', values: ["''", "X'00'", "X'0001FF00'", "'\\\\N'"] },
  { type: 'varbinary(300)', values: ["''", "repeat(X'AB',300)"] },
  { type: 'tinyblob', values: ["''", "X'00FF'", "repeat(X'EE',255)"] },
  { type: 'blob', values: ["''", "X'22'", "repeat(X'0A',1000)"] },
  { type: 'mediumblob', values: ["''", "repeat(X'C3',70000)"] },
  { type: 'longblob', values: ["''", "repeat(X'C328',70000)"] },
  {
    type: "enum('a','b,c','','d''e','ñ','\\\\N','N')",
    values: ['1', '2', '3', '4', '5', '6', '7', "''"],
  },
  {
    type: `enum(${Array.from({ length: 300 }, (_, i) => `'label ${i}'`).join(',')})`,
    values: ['1', '255', '256', '300'],
  },
  { type: "enum('caf\u00e9','x') character set latin1", values: ['1', '2'] },
  { type: "set('a','b','d''e','ñ','\"')", values: ["''", "'a'", "'a,b'", "'ñ'", '31', '16'] },
  {
    type: `set(${Array.from({ length: 64 }, (_, i) => `'bit${i}'`).join(',')})`,
    values: ["''", '1', '9223372036854775808', '18446744073709551615', '4294967296'],
  },
  {
    type: 'json',
    values: ["'{}'", "'[]'", '\'{"b": 1, "a": [1, 2.5, "x"]}\'', "'null'", '\'"text"\'', "'1'"],
  },
  {
    type: 'json',
    only: 'mysql',
    values: [
      '\'{"b":1,"a":[1,2],"aa":{"c":null}}\'',
      "'[true,false,null]'",
      "'[0,-1,32767,-32768,65535,65536,2147483647,-2147483648,4294967295,4294967296,9223372036854775807,-9223372036854775808,18446744073709551615]'",
      "'[1.0,1.5,-0.0,1e20,1e15,123456789012345.0,1e-15,1e-16,1.7976931348623157e308,5e-324,0.1,100.0,12345678901234567890123]'",
      '\'"\\\\"\\\\\\\\\\\\/\\\\b\\\\f\\\\n\\\\r\\\\t\\\\u0001\\\\u001f\\\\u007f\\\\u00e9\\\\ud83d\\\\ude00"\'',
      '\'"<é日😀>"\'',
      '\'{"":1,"k\\\\"ey":2,"ключ":3}\'',
      "JSON_ARRAY(CAST('1.50' AS DECIMAL(10,2)), CAST('-123456789012345678901234567890.123' AS DECIMAL(40,3)), CAST(0 AS DECIMAL(5,0)))",
      "JSON_ARRAY(CAST('2024-02-29' AS DATE), CAST('2024-02-29 12:34:56.789' AS DATETIME(3)), CAST('12:34:56.5' AS TIME(1)), CAST('-100:00:01' AS TIME), TIMESTAMP'2020-01-01 00:00:00')",
      "JSON_ARRAY(X'00FF10', CAST(repeat('x',300) AS BINARY), b'101', CAST('' AS BINARY))",
      "JSON_OBJECT('t', TIME'-00:00:00.000001', 'y', CAST(2024 AS YEAR))",
      "JSON_OBJECT('long', repeat('y',70000), 'n', 1, 'm', 70000, 'big', JSON_ARRAY(1,2,3,4294967296))",
      "JSON_ARRAY(repeat('q',200), repeat('\"',20000))",
      `'${'['.repeat(100)}${']'.repeat(100)}'`,
      "JSON_OBJECT('geo', ST_GeomFromText('POINT(1 2)'))",
    ],
  },
];

describeOnServers('decoding of every type', (flavor) => {
  let server: TestServer;
  let admin: Connection;

  beforeAll(async () => {
    server = await startTestServer(flavor);
    admin = await connectAdmin(server);
    await admin.query("CREATE DATABASE t; SET sql_mode = 'NO_ENGINE_SUBSTITUTION'");
    await admin.query('USE t');
  });
  afterAll(async () => {
    await admin?.end();
    await server?.stop();
  });

  for (const [index, { type, values }] of CASES.filter(({ only = flavor }) => only === flavor).entries()) {
    it(`prints ${type.slice(0, 60)} as the server and the snapshot do`, async () => {
      const name = `v${index}`;
      await admin.query(`CREATE TABLE ${name} (id int primary key, v ${type}, last int)`);
      const from = await endOfBinlog(admin);
      await admin.query(`INSERT INTO ${name} VALUES (0, NULL, 0)`);
      for (const [i, value] of values.entries())
        await admin.query(`INSERT INTO ${name} VALUES (${i + 1}, ${value}, ${i})`);
      const definition = await definitionOf(admin, 't', name);
      const column = parseColumnType(definition.columns[1]!.type)!;
      const select = `SELECT id, ${selectSql(column, 'v')}, last FROM ${name} ORDER BY id`;
      const inserted = await selectText(admin, select);
      expect(inserted).toHaveLength(values.length + 1);
      // All rows at once, before and after image, and then as deleted ones.
      await admin.query(`UPDATE ${name} SET last = last + 1000`);
      const updated = await selectText(admin, select);
      await admin.query(`DELETE FROM ${name} ORDER BY id`);

      const events = await readBinlog({ server, from, until: await endOfBinlog(admin), definitions: [definition] });
      const lines = linesOf(events);
      const printed = (rows: (string | null)[][]) =>
        rows.map(([id, v, last]) => [
          id,
          v !== null && column.base === 'float' ? formatFloat(Math.fround(Number(v))) : v,
          last,
        ]);
      expect(lines.filter(({ op }) => op === 'I').map(({ fields }) => fields)).toEqual(printed(inserted));
      expect(lines.filter(({ op }) => op === 'U').map(({ fields }) => fields)).toEqual(printed(updated));
      expect(lines.filter(({ op }) => op === 'D').map(({ fields }) => fields)).toEqual(printed(updated));
      expect(lines.map(({ ts, seq }) => [ts, seq])).toEqual(
        lines.map((_, i) => [TS, SEQ_PREFIX + String(i + 1).padStart(15, '0')]),
      );
    });
  }
});
