import fc from 'fast-check';
import type { Connection } from 'mysql2/promise';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { RowsBinlogEvent } from '../../../src/core/binlog/events.ts';
import { encodeRows, RowDecoder } from '../../../src/core/binlog/row-decoder.ts';
import { followBinlog } from '../../../src/core/binlog/stream.ts';
import { OutputBuffer } from '../../../src/core/change-file/encode.ts';
import { formatFloat } from '../../../src/core/change-file/number-text.ts';
import { parseColumnType, selectSql } from '../../../src/core/column-type.ts';
import { CdcError } from '../../../src/core/errors.ts';
import { describeOnServers, startTestServer, type TestServer } from '../../support/servers.ts';
import {
  addressOf,
  connectAdmin,
  definitionOf,
  endOfBinlog,
  linesOf,
  readBinlog,
  SEQ_PREFIX,
  selectText,
  TS,
} from './support.ts';

const quoted = (connection: Connection, value: string) => connection.escape(value);
const pad = (value: number, digits = 2) => String(value).padStart(digits, '0');

const text = (maxLength: number) =>
  fc.oneof(
    fc.string({ unit: 'grapheme', maxLength }),
    fc
      .array(fc.constantFrom('\\', 'N', '"', ',', '\n', '\r', 'é', '😀', ' ', 'x'), { maxLength })
      .map((all) => all.join('')),
  );
const latin1 = fc
  .array(fc.integer({ min: 32, max: 255 }), { maxLength: 20 })
  .map((bytes) => `_latin1 X'${Buffer.from(bytes).toString('hex')}'`);
const hex = (maxLength: number) =>
  fc.uint8Array({ maxLength }).map((bytes) => `X'${Buffer.from(bytes).toString('hex')}'`);
const decimal = (whole: number, scale: number) =>
  fc
    .tuple(
      fc.boolean(),
      fc.bigInt(0n, 10n ** BigInt(whole) - 1n),
      fc.bigInt(0n, 10n ** BigInt(scale) - 1n),
      fc.nat(whole),
    )
    .map(
      ([negative, all, fraction, cut]) =>
        `${negative ? '-' : ''}${all / 10n ** BigInt(cut)}.${fraction.toString().padStart(scale, '0')}`,
    );
const dateTime = fc
  .tuple(
    fc.integer({ min: 1000, max: 9999 }),
    fc.integer({ min: 1, max: 12 }),
    fc.integer({ min: 1, max: 28 }),
    fc.nat(86399),
    fc.nat(999_999),
  )
  .map(
    ([year, month, day, second, micro]) =>
      `'${year}-${pad(month)}-${pad(day)} ${pad(Math.floor(second / 3600))}:${pad(Math.floor(second / 60) % 60)}:${pad(second % 60)}.${pad(micro, 6)}'`,
  );
const instant = fc
  .tuple(fc.integer({ min: 1, max: 2_147_483_646 }), fc.nat(999_999))
  .map(
    ([second, micro]) => `'${new Date(second * 1000).toISOString().slice(0, 19).replace('T', ' ')}.${pad(micro, 6)}'`,
  );
const clock = fc
  .tuple(fc.boolean(), fc.nat(838 * 3600), fc.nat(999_999))
  .map(
    ([negative, second, micro]) =>
      `'${negative ? '-' : ''}${Math.floor(second / 3600)}:${pad(Math.floor(second / 60) % 60)}:${pad(second % 60)}.${pad(micro, 6)}'`,
  );

/** Random SQL literals per type. */
const COLUMNS: [type: string, values: fc.Arbitrary<string | { text: string }>][] = [
  ['tinyint', fc.integer({ min: -128, max: 127 }).map(String)],
  ['smallint unsigned', fc.integer({ min: 0, max: 65535 }).map(String)],
  ['mediumint', fc.integer({ min: -8388608, max: 8388607 }).map(String)],
  ['mediumint unsigned', fc.integer({ min: 0, max: 16777215 }).map(String)],
  ['int', fc.integer().map(String)],
  ['int unsigned', fc.integer({ min: 0, max: 4294967295 }).map(String)],
  ['bigint', fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n).map(String)],
  ['bigint unsigned', fc.bigInt(0n, 2n ** 64n - 1n).map(String)],
  ['bit(37)', fc.bigInt(0n, 2n ** 37n - 1n).map(String)],
  ['decimal(30,0)', decimal(30, 0).map((value) => value.replace(/\..*/, ''))],
  ['decimal(23,11)', decimal(12, 11)],
  ['decimal(65,30)', decimal(35, 30)],
  ['decimal(13,4)', decimal(9, 4)],
  ['float', fc.float({ noNaN: true, noDefaultInfinity: true }).map((value) => value.toExponential())],
  ['double', fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value.toExponential())],
  ['date', dateTime.map((value) => `${value.slice(0, 11)}'`)],
  ['datetime', dateTime],
  ['datetime(3)', dateTime],
  ['datetime(6)', dateTime],
  ['timestamp(1) null', instant],
  ['timestamp(6) null', instant],
  ['time', clock],
  ['time(2)', clock],
  ['time(5)', clock],
  ['time(6)', clock],
  ['varchar(40)', text(30).map((value) => ({ text: value }))],
  ['char(40)', text(30).map((value) => ({ text: value }))],
  ['text', text(400).map((value) => ({ text: value }))],
  ['varchar(60) character set latin1', latin1],
  ['binary(9)', hex(9)],
  ['varbinary(200)', hex(200)],
  ['blob', hex(600)],
  ["enum('a','b,\"','','é')", fc.integer({ min: 1, max: 4 }).map(String)],
  ["set('a','b','c','d','e','f','g','h','i')", fc.integer({ min: 0, max: 511 }).map(String)],
  ['json', fc.json({ maxDepth: 4 }).map((value) => ({ text: value }))],
];

describeOnServers('random rows', (flavor) => {
  let server: TestServer;
  let admin: Connection;

  beforeAll(async () => {
    server = await startTestServer(flavor);
    admin = await connectAdmin(server);
    await admin.query("CREATE DATABASE x DEFAULT CHARSET utf8mb4; USE x; SET sql_mode = ''");
    await admin.query(`CREATE TABLE r (id int primary key, ${COLUMNS.map(([type], i) => `c${i} ${type}`).join(', ')})`);
  });
  afterAll(async () => {
    await admin?.end();
    await server?.stop();
  });

  const literal = (value: string | { text: string }) => (typeof value === 'string' ? value : quoted(admin, value.text));
  const row = fc.tuple(...COLUMNS.map(([, values]) => fc.option(values, { freq: 6 })));

  it('come out as the server prints them, before and after', async () => {
    const definition = await definitionOf(admin, 'x', 'r');
    const types = definition.columns.map(({ type }) => parseColumnType(type)!);
    const select = `SELECT ${definition.columns.map(({ name }, i) => selectSql(types[i]!, name)).join(', ')} FROM r ORDER BY id`;
    const printed = async () =>
      (await selectText(admin, select)).map((fields) =>
        fields.map((field, i) =>
          field !== null && types[i]!.base === 'float' ? formatFloat(Math.fround(Number(field))) : field,
        ),
      );
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 100, maxLength: 100 }), async (rows) => {
        await admin.query('DELETE FROM r');
        const from = await endOfBinlog(admin);
        const values = rows.map(
          (fields, i) => `(${[i, ...fields.map((field) => (field === null ? 'NULL' : literal(field)))].join(',')})`,
        );
        await admin.query(`INSERT INTO r VALUES ${values.join(',')}`);
        const inserted = await printed();
        await admin.query('UPDATE r SET c0 = 1 - c0 WHERE c0 BETWEEN -100 AND 100');
        const updated = await printed();
        await admin.query('DELETE FROM r ORDER BY id');
        const lines = linesOf(
          await readBinlog({ server, from, until: await endOfBinlog(admin), definitions: [definition] }),
        );
        expect(lines.filter(({ op }) => op === 'I').map(({ fields }) => fields)).toEqual(inserted);
        expect(lines.filter(({ op }) => op === 'D').map(({ fields }) => fields)).toEqual(updated);
        const changed = updated.filter((fields, i) => fields[1] !== inserted[i]![1]);
        expect(lines.filter(({ op }) => op === 'U').map(({ fields }) => fields)).toEqual(changed);
      }),
      { numRuns: 8, endOnFailure: true },
    );
  });

  it('that are damaged end in an error of ours or in lines, never outside the event or in a loop', async () => {
    const definition = await definitionOf(admin, 'x', 'r');
    const from = await endOfBinlog(admin);
    const [fields] = fc.sample(fc.tuple(...COLUMNS.map(([, values]) => values)), { numRuns: 1, seed: 3 });
    await admin.query(`INSERT INTO r VALUES (1, ${fields!.map(literal).join(',')})`);
    let event: RowsBinlogEvent | undefined;
    const stop = new AbortController();
    await followBinlog({
      address: addressOf(server),
      from,
      serverId: 7,
      signal: stop.signal,
      wants: () => true,
      onEvent(next) {
        if (next.kind !== 'rows') return;
        event = { ...next, rows: { ...next.rows, bytes: Buffer.from(next.rows.bytes.subarray(0, next.rows.end)) } };
        stop.abort();
      },
    });
    const good = event!;
    const decoder = new RowDecoder(good.table, definition);
    const decode = (bytes: Buffer, end = good.rows.end) =>
      encodeRows({
        event: { ...good, rows: { ...good.rows, bytes, end } },
        decoder,
        out: new OutputBuffer(64),
        ts: TS,
        seqPrefix: SEQ_PREFIX,
        firstNumber: 1,
      });
    expect(decode(good.rows.bytes)).toEqual({ changes: 1, inserted: 1, updated: 0, deleted: 0 });
    fc.assert(
      fc.property(
        fc.integer({ min: good.rows.offset, max: good.rows.end - 1 }),
        fc.integer({ min: 1, max: 255 }),
        fc.option(fc.integer({ min: good.rows.offset + 60, max: good.rows.end }), { freq: 3 }),
        (at, flip, end) => {
          const bytes = Buffer.from(good.rows.bytes);
          bytes[at] = (bytes[at] ?? 0) ^ flip;
          try {
            decode(bytes, end ?? undefined);
          } catch (error) {
            expect(error).toBeInstanceOf(CdcError);
          }
        },
      ),
      { numRuns: 5000 },
    );
  });
});
