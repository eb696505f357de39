/** How many statements a text of SQL holds, for a look before it is run. */

import type { RunSqlReport } from './run-sql.ts';
import { StatementSplitter, splitStatements } from './statement-splitter.ts';

/** The largest packet that any server can be set to take. */
const MAX_BYTES = 2 ** 30;

export async function countStatements(input: AsyncIterable<Uint8Array>): Promise<RunSqlReport> {
  const report: RunSqlReport = { statements: 0, bytes: 0 };
  for await (const { sql } of splitStatements(input, new StatementSplitter({ maxBytes: MAX_BYTES }))) {
    report.statements++;
    report.bytes += sql.length;
  }
  return report;
}
