/** XA transactions in doubt: prepared, in the binlog already, not committed. A load must not begin among them (contract.md 2). */

import type { Connection } from 'mysql2/promise';
import { CdcError, nativeCodeOf } from '../errors.ts';
import { queryRows } from '../source/query.ts';

const DOING = 'looking for XA transactions in doubt';

/** undefined: there are none. Where XA RECOVER is not allowed, none counts as seen only if none was prepared since the server started. */
export async function xaInDoubt(
  connection: Connection,
  signal?: AbortSignal,
): Promise<{ retry: string; hint: string } | undefined> {
  try {
    const rows = await queryRows({ connection, sql: 'XA RECOVER', doing: DOING, signal });
    if (rows.length === 0) return undefined;
    const count = rows.length === 1 ? 'an XA transaction is' : `${rows.length} XA transactions are`;
    return {
      retry: `${count} prepared and not ended`,
      hint: 'XA RECOVER on the source lists them; XA COMMIT or XA ROLLBACK ends one',
    };
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined;
    // MySQL 8: ER_XAER_RMERR… with the missing privilege named in the text only.
    const denied =
      /denied|privilege/i.test(error instanceof Error ? error.message : '') || nativeCodeOf(cause) === 'ER_XAER_RMERR';
    if (!denied) throw error;
    if ((await prepared(connection, signal)) === 0) return undefined;
    // The server's count never goes back, so waiting would not help.
    throw new CdcError(
      'grant.xa-recover',
      `${DOING}: XA transactions are used on the source, and the user may not see which of them are in doubt`,
      { hint: 'GRANT XA_RECOVER_ADMIN ON *.* TO the user', cause: error },
    );
  }
}

/** Changes whenever an XA transaction is prepared or ended. */
export async function xaCounters(connection: Connection, signal?: AbortSignal): Promise<string> {
  const sql = "SHOW GLOBAL STATUS WHERE Variable_name IN ('Com_xa_prepare', 'Com_xa_commit', 'Com_xa_rollback')";
  const rows = await queryRows({ connection, sql, doing: DOING, signal });
  return JSON.stringify(rows.map((row) => [row.variable_name, row.value]));
}

async function prepared(connection: Connection, signal?: AbortSignal): Promise<number> {
  const [row] = await queryRows({ connection, sql: "SHOW GLOBAL STATUS LIKE 'Com_xa_prepare'", doing: DOING, signal });
  return Number(row?.value ?? 0);
}
