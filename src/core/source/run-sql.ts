/** Runs a dump or any other SQL on the source, statement by statement over one connection: `cdc load`. */

import { connectSource, type SourceAddress, sourceError } from '../binlog/connection.ts';
import { CancelledError, CdcError, messageOf, throwIfCancelled } from '../errors.ts';
import type { Progress } from '../progress.ts';
import { queryRows, queryValue } from './query.ts';
import { rawQuery } from './raw-query.ts';
import { type Statement, StatementSplitter, splitStatements } from './statement-splitter.ts';

export interface RunSqlOptions {
  address: SourceAddress;
  input: AsyncIterable<Uint8Array>;
  signal?: AbortSignal | undefined;
  progress: Progress;
}

export interface RunSqlReport {
  statements: number;
  /** Of the statements, comments between them left out. */
  bytes: number;
}

const REPORT_BYTES = 1 << 22;
const REPORT_STATEMENTS = 500;

/** Stops at the first statement that fails: throws `sql.failed` with its line, its beginning and how many ran before. */
export async function runSql({ address, input, signal, progress }: RunSqlOptions): Promise<RunSqlReport> {
  const connection = await connectSource(address, signal === undefined ? {} : { signal });
  const report: RunSqlReport = { statements: 0, bytes: 0 };
  try {
    const doing = 'preparing the session';
    // The text was written for a session of the mysql client: the server's own settings, not ours.
    await queryRows({ connection, sql: 'SET SESSION time_zone = DEFAULT, sql_mode = DEFAULT', doing, signal });
    const maxBytes = Number(await queryValue({ connection, sql: 'SELECT @@max_allowed_packet', doing, signal })) - 16;
    const splitter = new StatementSplitter({ maxBytes });
    let reported = 0;
    for await (const statement of splitStatements(input, splitter)) {
      throwIfCancelled(signal);
      refuseAmbiguousCharset(statement);
      try {
        const status = await rawQuery(connection, statement.sql, { signal });
        splitter.noBackslashEscapes = status.noBackslashEscapes;
      } catch (error) {
        throw statementError(error, statement, report.statements);
      }
      report.statements++;
      report.bytes += statement.sql.length;
      if (report.bytes - reported < REPORT_BYTES && report.statements % REPORT_STATEMENTS !== 0) continue;
      reported = report.bytes;
      progress.update(`${report.statements.toLocaleString('en')} statements, ${Math.round(report.bytes / 1e6)} MB`);
    }
    return report;
  } catch (error) {
    throw withCount(error, report.statements);
  } finally {
    connection.destroy();
  }
}

/** In these character sets the second byte of a character may be a quote or a backslash. */
const AMBIGUOUS = /^(?:\/\*!\d*\s*)?SET\s+(?:NAMES|CHARSET|CHARACTER\s+SET)\s+['"]?(gbk|gb18030|big5|sjis|cp932)\b/i;

function refuseAmbiguousCharset(statement: Statement): void {
  const charset = AMBIGUOUS.exec(statement.sql.toString('latin1', 0, 80))?.[1];
  if (charset === undefined) return;
  throw new CdcError('sql.charset', `line ${statement.line}: text in ${charset} cannot be cut into statements safely`, {
    hint: 'dump with --default-character-set=utf8mb4',
  });
}

function statementError(error: unknown, statement: Statement, before: number): CdcError {
  if (error instanceof CancelledError) return error;
  const where = `running SQL, line ${statement.line} (${beginningOf(statement.sql)})`;
  const known = sourceError(error, where);
  const count = `${before === 1 ? '1 statement' : `${before} statements`} before it ran and stay`;
  if (known.code !== 'source.failed')
    return new CdcError(known.code, `${known.message}; ${count}`, {
      ...(known.hint === undefined ? {} : { hint: known.hint }),
      cause: error,
    });
  return new CdcError('sql.failed', `${where}: ${messageOf(error)}; ${count}`, {
    hint: 'mend the statement and load what follows it',
    cause: error,
  });
}

/** Errors of the text itself (a quote that does not end) say as well what ran before. */
function withCount(error: unknown, before: number): unknown {
  if (!(error instanceof CdcError) || !error.code.startsWith('sql.') || error.message.includes('before it ran'))
    return error;
  const count = `${before === 1 ? '1 statement' : `${before} statements`} before it ran and stay`;
  return new CdcError(error.code, `running SQL, ${error.message}; ${count}`, {
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    cause: error,
  });
}

/** Up to the first string: what stands in strings may be a password. */
function beginningOf(sql: Buffer): string {
  const [text = ''] = sql.toString('utf8', 0, 200).split(/['"]/);
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > 60 || sql.length > line.length ? `${line.slice(0, 60)} …` : line;
}
