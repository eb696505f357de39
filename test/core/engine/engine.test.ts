import { existsSync } from 'node:fs';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Engine, type EngineOptions, openEngine, withEngine } from '../../../src/core/engine/engine.ts';
import { EngineFailure, engineError } from '../../../src/core/engine/engine-error.ts';
import { quoteName, quotePaths, quoteText } from '../../../src/core/engine/quote.ts';
import { CancelledError } from '../../../src/core/errors.ts';
import { temporaryFolder } from '../../support/temp-folder.ts';

async function open(options: Partial<EngineOptions> = {}): Promise<Engine> {
  const engine = await openEngine({ tempDirectory: await temporaryFolder(), threads: 1, ...options });
  onTestFinished(() => engine.close());
  return engine;
}

describe('the engine', () => {
  it('gives rows without rounding an integer or a decimal, and times in UTC', async () => {
    const engine = await open();
    const rows = await engine.withConnection((connection) =>
      connection.rows(`SELECT 9007199254740993::BIGINT AS a, 18446744073709551615::DECIMAL(20,0) AS b, 1::INTEGER AS c,
        '2024-01-01 12:00:00+02'::TIMESTAMPTZ AS d, NULL AS e, current_setting('TimeZone') AS zone`),
    );
    expect(rows).toEqual([
      { a: '9007199254740993', b: '18446744073709551615', c: 1, d: '2024-01-01 10:00:00+00', e: null, zone: 'UTC' },
    ]);
  });

  it('gives a large result chunk by chunk, and says how many rows a statement changed', async () => {
    const engine = await open();
    await engine.withConnection(async (connection) => {
      await connection.run('CREATE TABLE t (i INTEGER)');
      expect(await connection.run('INSERT INTO t SELECT range FROM range(10000)')).toBe(10000);
      let sum = 0;
      let chunks = 0;
      for await (const chunk of connection.chunks('SELECT i FROM t')) {
        chunks++;
        for (const value of chunk.getColumnValues(0)) sum += Number(value);
      }
      expect(sum).toBe(49_995_000);
      expect(chunks).toBeGreaterThan(1);
      expect(await connection.run('DELETE FROM t WHERE i < 10')).toBe(10);
    });
  });

  it('shares its tables between connections and gives each its own temporary ones', async () => {
    const engine = await open();
    const [first, second] = [await engine.connect(), await engine.connect()];
    await first.run('CREATE TABLE shared AS SELECT 1 AS x; CREATE TEMP TABLE own AS SELECT 2 AS x');
    expect(await second.rows('SELECT x FROM shared')).toEqual([{ x: 1 }]);
    await expect(second.rows('SELECT x FROM own')).rejects.toThrow(/own/);
  });

  it('keeps to the memory it was given, spilling to its folder, and says how to give it more', async () => {
    const engine = await open({ memoryLimit: '64MB' });
    await engine.withConnection(async (connection) => {
      const [settings] = await connection.rows(`SELECT current_setting('memory_limit') AS memory`);
      expect(settings).toEqual({ memory: '61.0 MiB' });
      await connection.run('CREATE TABLE t AS SELECT range AS i, md5(range::VARCHAR) AS s FROM range(3000000)');
      await expect(connection.rows("SELECT length(string_agg(s, ',')) FROM t GROUP BY i % 2")).rejects.toMatchObject({
        code: 'engine.out-of-memory',
        hint: expect.stringContaining('merge.memory'),
      });
    });
  });

  it('loads and fetches no extension', async () => {
    const engine = await open();
    await engine.withConnection(async (connection) => {
      await expect(connection.rows("SELECT * FROM read_xlsx('x.xlsx')")).rejects.toThrow();
      expect(
        await connection.rows(
          `SELECT name, value FROM duckdb_settings() WHERE name LIKE 'auto%_known_extensions' ORDER BY name`,
        ),
      ).toEqual([
        { name: 'autoinstall_known_extensions', value: 'false' },
        { name: 'autoload_known_extensions', value: 'false' },
      ]);
    });
  });

  it('stops a statement under way when it is cancelled, and takes none after', async () => {
    const controller = new AbortController();
    const engine = await open({ signal: controller.signal });
    const connection = await engine.connect();
    const endless = connection.rows('SELECT count(*) FROM range(1000000000) a, range(1000000000) b');
    setTimeout(() => controller.abort(), 50);
    await expect(endless).rejects.toBeInstanceOf(CancelledError);
    await expect(connection.rows('SELECT 1')).rejects.toBeInstanceOf(CancelledError);
    await expect(openEngine({ tempDirectory: '/nowhere', signal: controller.signal })).rejects.toBeInstanceOf(
      CancelledError,
    );
  });

  it('is closed when its work fails', async () => {
    const tempDirectory = await temporaryFolder();
    let kept: Engine | undefined;
    const work = withEngine({ tempDirectory }, async (engine) => {
      kept = engine;
      throw new Error('work');
    });
    await expect(work).rejects.toThrow('work');
    await expect(kept?.connect()).rejects.toThrow();
  });

  it('takes nothing before its first connection', async () => {
    const tempDirectory = join(await temporaryFolder(), 'spill');
    const engine = await open({ tempDirectory });
    expect(existsSync(tempDirectory)).toBe(false);
    await engine.withConnection((connection) => connection.rows('SELECT 1 AS x'));
    expect(await readdir(tempDirectory)).toHaveLength(1);
    engine.close();
    expect(await readdir(tempDirectory)).toEqual([]);
  });

  it('closed while it opens its database, leaves nothing behind', async () => {
    const tempDirectory = await temporaryFolder();
    const engine = await openEngine({ tempDirectory, threads: 1 });
    const connecting = engine.connect();
    engine.close();
    await expect(connecting).rejects.toThrow('the engine is closed');
    expect(await readdir(tempDirectory)).toEqual([]);
  });

  it('opens its database anew after a failure', async () => {
    const tempDirectory = join(await temporaryFolder(), 'spill');
    await writeFile(tempDirectory, 'not a folder');
    const engine = await open({ tempDirectory });
    await expect(engine.connect()).rejects.toMatchObject({ code: 'EEXIST' });
    await rm(tempDirectory);
    expect(await engine.withConnection((connection) => connection.rows('SELECT 1 AS x'))).toEqual([{ x: 1 }]);
  });

  it.each([
    ['IO Error: Could not write file "x": No space left on device', 'engine.disk-full'],
    [
      "Out of Memory Error: failed to offload data block of size 256.0 KiB (10 MiB/10 MiB used).\nThis limit was set by the 'max_temp_directory_size' setting.",
      'engine.disk-full',
    ],
    ['Out of Memory Error: could not allocate block', 'engine.out-of-memory'],
    ['IO Error: Cannot open file "x": Permission denied', 'engine.not-permitted'],
  ])('says "%s" as %s', (message, code) => {
    expect(engineError(new Error(message), 'SELECT 1')).toMatchObject({ code });
  });

  it('hands any other failure to its caller with the statement', () => {
    const failure = engineError(new Error('Binder Error: no column x\n\nLINE 1: …'), 'SELECT x');
    expect(failure).toBeInstanceOf(EngineFailure);
    expect(failure).toMatchObject({ message: 'Binder Error: no column x', sql: 'SELECT x' });
  });
});

describe('quoting', () => {
  it.each(['plain', "it's", 'say "hi"', "'; DROP TABLE t; --", 'a\0b\0', '\0', '\\', 'emoji 😀\n', ''])(
    'brings %j through as a text and as a name',
    async (text) => {
      const engine = await open();
      await engine.withConnection(async (connection) => {
        expect(await connection.rows(`SELECT ${quoteText(text)} AS x`)).toEqual([{ x: text }]);
        if (text !== '' && !text.includes('\0'))
          expect(await connection.rows(`SELECT 1 AS ${quoteName(text)}`)).toEqual([{ [text]: 1 }]);
      });
    },
  );

  it('reads the file that a path names and no other', async () => {
    const folder = await temporaryFolder();
    const engine = await open();
    const names = ['a*.parquet', 'ab.parquet', '[x].parquet', 'x.parquet', 'q?.parquet', "it's.parquet"];
    await engine.withConnection(async (connection) => {
      for (const name of names)
        await connection.run(
          `COPY (SELECT ${quoteText(name)} AS name) TO ${quoteText(join(folder, name))} (FORMAT parquet)`,
        );
      for (const name of names)
        expect(await connection.rows(`SELECT name FROM read_parquet(${quotePaths([join(folder, name)])})`)).toEqual([
          { name },
        ]);
    });
  });
});
