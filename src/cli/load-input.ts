/** What `load` runs and what it says of it, on every target. */

import { resolve } from 'node:path';
import { readFileBytes } from '../core/change-file/bytes.ts';
import { formatBytes } from '../core/quantity.ts';
import type { RunSqlReport } from '../core/source/run-sql.ts';
import type { Context } from './command.ts';
import { count } from './table.ts';

/** Where the SQL comes from. */
export type LoadOptions = { kind: 'file'; file: string } | { kind: 'stdin' } | { kind: 'text'; sql: string };

export type LoadReport = RunSqlReport & {
  seconds: number;
  /** Nothing was run: these are the statements there are. */
  dry_run?: true;
};

export function renderLoad({ statements, bytes, seconds, dry_run }: LoadReport): string {
  const what = `${count(statements, 'statement')} (${formatBytes(bytes)})`;
  return dry_run === true ? `would run ${what}` : `ran ${what} in ${seconds.toFixed(2)} s`;
}

export function readLoadInput(options: LoadOptions, context: Context): AsyncIterable<Uint8Array> {
  if (options.kind === 'file') return readFileBytes(resolve(context.cwd, options.file));
  return options.kind === 'stdin' ? piecesOf(context.stdin()) : piecesOf([options.sql]);
}

async function* piecesOf(pieces: AsyncIterable<string | Buffer> | Iterable<string>): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) yield typeof piece === 'string' ? Buffer.from(piece) : piece;
}
