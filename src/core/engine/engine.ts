/** DuckDB: its settings, connections and results. No extension is loaded; what the npm binary holds is all we use. */

import { rmSync } from 'node:fs';
import type { DuckDBConnection, DuckDBDataChunk, DuckDBInstance, Json } from '@duckdb/node-api';
import { CancelledError } from '../errors.ts';
import { engineError } from './engine-error.ts';
import { type SelectResult, select } from './select.ts';
import { makeSpillFolder } from './spill-folder.ts';

export type { DuckDBDataChunk as DataChunk, Json } from '@duckdb/node-api';

export interface EngineOptions {
  /** As DuckDB writes it: `768MB`. What does not fit is spilled to a folder below `tempDirectory`. */
  memoryLimit?: string;
  threads?: number;
  tempDirectory: string;
  /** Stops the statements under way; they throw CancelledError. */
  signal?: AbortSignal | undefined;
}

/** An in-memory database; tables without TEMP are seen by all its connections. */
export interface Engine {
  connect(): Promise<EngineConnection>;
  /** Runs with a connection of its own. */
  withConnection<T>(work: (connection: EngineConnection) => Promise<T>): Promise<T>;
  close(): void;
}

export interface EngineConnection {
  /** Runs one or several statements; says how many rows the last one, an INSERT, UPDATE or DELETE, changed. */
  run(sql: string): Promise<number>;
  /** The rows of a small result. Integers of 64 bits and more, decimals, dates and times are strings; binary is DuckDB's escaped text. */
  rows(sql: string): Promise<Record<string, Json>[]>;
  /** A large result chunk by chunk (2,048 rows): `chunk.getColumnVector(i)`, `chunk.getColumnValues(i)`. */
  chunks(sql: string): AsyncIterable<DuckDBDataChunk>;
  /** One SELECT that a person typed; anything else is refused before it runs. */
  select(sql: string): Promise<SelectResult>;
  close(): void;
}

interface Database {
  instance: DuckDBInstance;
  close(): void;
}

/** Loading DuckDB takes a third of a second: a command that opens an engine and finds nothing to do with it is spared that. */
async function openDatabase({ memoryLimit = '768MB', threads, tempDirectory }: EngineOptions): Promise<Database> {
  const { DuckDBInstance } = await import('@duckdb/node-api');
  const spillFolder = await makeSpillFolder(tempDirectory);
  const settings: Record<string, string> = {
    memory_limit: memoryLimit,
    temp_directory: spillFolder,
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    ...(threads === undefined ? {} : { threads: String(threads) }),
  };
  const instance = await DuckDBInstance.create(':memory:', settings);
  const close = () => {
    instance.closeSync();
    rmSync(spillFolder, { recursive: true, force: true });
  };
  return { instance, close };
}

export async function openEngine(options: EngineOptions): Promise<Engine> {
  const { signal } = options;
  if (signal?.aborted) throw new CancelledError();
  let opening: Promise<Database> | undefined;
  let database: Database | undefined;
  let isClosed = false;
  const open = new Set<DuckDBConnection>();
  const interrupt = () => {
    for (const connection of open) connection.interrupt();
  };
  signal?.addEventListener('abort', interrupt);

  const openOnce = async (): Promise<Database> => {
    try {
      const opened = await openDatabase(options);
      // `close` came meanwhile and found nothing to close.
      if (isClosed) opened.close();
      else database = opened;
      return opened;
    } catch (error) {
      // The next connection tries anew: a worker keeps its engine for days.
      opening = undefined;
      throw error;
    }
  };
  const connect = async (): Promise<EngineConnection> => {
    opening ??= openOnce();
    const { instance } = await opening;
    if (isClosed) throw new Error('the engine is closed');
    const connection = await instance.connect();
    open.add(connection);
    // Times are instants in UTC for everyone who reads the lake.
    await connection.run("SET TimeZone='UTC'");
    const guarded = async <T>(sql: string, work: () => Promise<T>): Promise<T> => {
      if (signal?.aborted) throw new CancelledError();
      try {
        return await work();
      } catch (error) {
        throw engineError(error, sql);
      }
    };
    return {
      run: (sql) => guarded(sql, async () => (await connection.run(sql)).rowsChanged),
      rows: (sql) => guarded(sql, async () => (await connection.runAndReadAll(sql)).getRowObjectsJson()),
      select: (sql) => guarded(sql, () => select(connection, sql)),
      async *chunks(sql) {
        const result = await guarded(sql, () => connection.stream(sql));
        for (;;) {
          const chunk = await guarded(sql, () => result.fetchChunk());
          if (chunk === null || chunk.rowCount === 0) return;
          yield chunk;
        }
      },
      close() {
        open.delete(connection);
        connection.closeSync();
      },
    };
  };

  return {
    connect,
    async withConnection(work) {
      const connection = await connect();
      try {
        return await work(connection);
      } finally {
        connection.close();
      }
    },
    close() {
      signal?.removeEventListener('abort', interrupt);
      for (const connection of open) connection.closeSync();
      open.clear();
      isClosed = true;
      database?.close();
    },
  };
}

/** Runs with an engine of its own and closes it. */
export async function withEngine<T>(options: EngineOptions, work: (engine: Engine) => Promise<T>): Promise<T> {
  const engine = await openEngine(options);
  try {
    return await work(engine);
  } finally {
    engine.close();
  }
}
