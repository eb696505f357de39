import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { StatementSplitter, splitStatements } from '../../../src/core/source/statement-splitter.ts';

async function split(text: string | Buffer, chunkSize = 1 << 16, maxBytes = 1e6) {
  const bytes = Buffer.from(text as string);
  async function* chunks() {
    for (let at = 0; at < bytes.length; at += chunkSize) yield bytes.subarray(at, at + chunkSize);
  }
  const found: { sql: string; line: number }[] = [];
  for await (const { sql, line } of splitStatements(chunks(), new StatementSplitter({ maxBytes })))
    found.push({ sql: sql.toString(), line });
  return found;
}

const texts = async (text: string, chunkSize?: number) => (await split(text, chunkSize)).map(({ sql }) => sql);

describe('splitting SQL into statements', () => {
  test.each<[string, string, string[]]>([
    ['an unfinished last statement counts', 'SELECT 1; SELECT 2', ['SELECT 1', 'SELECT 2']],
    ['empty statements are none', ';;\n ; SELECT 1;;', ['SELECT 1']],
    [
      'semicolons in strings stay',
      `SELECT 'a;b', "c;d", \`e;f\`;SELECT 2;`,
      [`SELECT 'a;b', "c;d", \`e;f\``, 'SELECT 2'],
    ],
    ['doubled quotes stay inside', "SELECT 'it''s;';SELECT 2;", ["SELECT 'it''s;'", 'SELECT 2']],
    [
      'a backslash escapes a quote',
      String.raw`SELECT 'a\';b', "\\";SELECT 2;`,
      [String.raw`SELECT 'a\';b', "\\"`, 'SELECT 2'],
    ],
    ['a backslash is nothing in a name', 'SELECT `a\\`;SELECT 2;', ['SELECT `a\\`', 'SELECT 2']],
    ['comments before a statement go', '-- a;\n# b;\n/* c; */ SELECT 1;', ['SELECT 1']],
    [
      'comments inside a statement stay',
      'SELECT 1 -- a;\n + 2 /* b; */ + 3 # c;\n;',
      ['SELECT 1 -- a;\n + 2 /* b; */ + 3 # c;'],
    ],
    ['two dashes without a blank are minus minus', 'SELECT 5--3;SELECT 2;', ['SELECT 5--3', 'SELECT 2']],
    ['a comment with a quote in it opens none', "-- it's\nSELECT 1; /* don't */ SELECT 2;", ['SELECT 1', 'SELECT 2']],
    [
      'executable comments are statements',
      '/*!40101 SET NAMES utf8 */;SELECT 1;',
      ['/*!40101 SET NAMES utf8 */', 'SELECT 1'],
    ],
    ['MariaDB’s too', '/*M!100616 SET a=1; */;SELECT 1;', ['/*M!100616 SET a=1; */', 'SELECT 1']],
    [
      'a quoted end mark does not end one',
      "/*!40000 SELECT '*/;' */;SELECT 2;",
      ["/*!40000 SELECT '*/;' */", 'SELECT 2'],
    ],
    [
      'the sandbox line of mariadb-dump is none',
      '/*M!999999\\- enable the sandbox mode */ \n-- MariaDB dump\nSELECT 1;',
      ['SELECT 1'],
    ],
    [
      'DELIMITER changes what ends a statement',
      'DELIMITER ;;\nCREATE TRIGGER a BEGIN x; y; END ;;\nDELIMITER ;\nSELECT 1;',
      ['CREATE TRIGGER a BEGIN x; y; END', 'SELECT 1'],
    ],
    [
      'DELIMITER in lower case, with carriage returns',
      'delimiter //\r\nSELECT 1;\r\nSELECT 2//\r\ndelimiter ;\r\nSELECT 3;',
      ['SELECT 1;\r\nSELECT 2', 'SELECT 3'],
    ],
    [
      'a column called delimiter is none',
      'SELECT delimiter FROM t;DELETE FROM t;',
      ['SELECT delimiter FROM t', 'DELETE FROM t'],
    ],
    [
      'USE without a delimiter ends with its line',
      'USE shop\nSELECT 1;use `a b`;\nSELECT 2;',
      ['USE shop', 'SELECT 1', 'use `a b`', 'SELECT 2'],
    ],
    ['a byte order mark is no part of it', '\ufeffSELECT 1;', ['SELECT 1']],
    [
      'characters of several bytes pass',
      "INSERT INTO t VALUES ('ñ;語😀');SELECT 2;",
      ["INSERT INTO t VALUES ('ñ;語😀')", 'SELECT 2'],
    ],
  ])('%s', async (_, text, expected) => {
    for (const size of [1, 2, 3, 7, 1 << 16]) expect(await texts(text, size)).toEqual(expected);
  });

  test('names the line a statement begins in', async () => {
    const found = await split("-- a\n\nSELECT 1;\n/* b\n c */ SELECT\n 'x\ny';\n\n\nSELECT 3;", 5);
    expect(found.map(({ line }) => line)).toEqual([3, 5, 10]);
  });

  test('bytes that are no UTF-8 pass unchanged', async () => {
    const bytes = Buffer.concat([
      Buffer.from("INSERT INTO t VALUES (_binary '"),
      Buffer.from([0xff, 0x00, 0xfe]),
      Buffer.from("');"),
    ]);
    const splitter = new StatementSplitter({ maxBytes: 1000 });
    splitter.push(bytes);
    splitter.end();
    expect(splitter.next()?.sql).toEqual(bytes.subarray(0, -1));
  });

  test('obeys a session that reads a backslash as itself', () => {
    const splitter = new StatementSplitter({ maxBytes: 1000 });
    splitter.noBackslashEscapes = true;
    splitter.push(Buffer.from("SELECT 'a\\';SELECT 2;"));
    splitter.end();
    expect([splitter.next()?.sql.toString(), splitter.next()?.sql.toString()]).toEqual(["SELECT 'a\\'", 'SELECT 2']);
  });

  test.each([
    ["SELECT 1;\nSELECT 'abc", 'line 2: a quote'],
    ['SELECT 1;\n\n/* abc', 'line 3: a comment'],
    ['/*!40101 SET a=1;', 'line 1: a comment'],
  ])('refuses %j, which is cut', async (text, message) => {
    await expect(split(text)).rejects.toThrow(message);
  });

  test('refuses a statement that is too large before holding all of it', async () => {
    let sent = 0;
    async function* endless() {
      yield Buffer.from('SELECT 1;\nSELECT "');
      for (; sent < 1000; sent++) yield Buffer.alloc(1000, 'x');
    }
    const consume = async () => {
      for await (const _ of splitStatements(endless(), new StatementSplitter({ maxBytes: 5000 })));
    };
    await expect(consume()).rejects.toMatchObject({
      code: 'sql.too-large',
      message: expect.stringContaining('line 2'),
    });
    expect(sent).toBeLessThan(10);
  });

  const string = fc.string({
    unit: fc.constantFrom('a', ';', '\\', "'", '"', '`', '\n', '-- ', '/*', '*/', '#', 'é', '//'),
  });
  const literal = string.map((text) => `'${text.replace(/\\/g, '\\\\').replace(/'/g, "''")}'`);
  const name = string.map((text) => `\`${text.replace(/`/g, '``')}\``);
  const comment = string.map((text) => `/*${text.replaceAll('*', '')}*/`);
  const lineComment = string.map((text) => `-- ${text.replaceAll('\n', '')}\n`);
  const piece = fc.oneof(literal, name, comment, lineComment, fc.constantFrom('SELECT', '+', '1', '(', ' '));
  const statement = fc.array(piece, { maxLength: 8 }).map((pieces) => `X ${pieces.join(' ')} Y`);

  test('random statements, joined, come back as they were, however the bytes are cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(statement, { maxLength: 6 }),
        fc.integer({ min: 1, max: 50 }),
        async (statements, size) => {
          expect(await texts(statements.map((sql) => `${sql};\n`).join(''), size)).toEqual(statements);
        },
      ),
      { numRuns: 400 },
    );
  });
});
