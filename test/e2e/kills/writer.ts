/** Goes on committing transactions of every kind on the source while others are killed, and outlives the server's own kills. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection, ResultSetHeader, RowDataPacket } from 'mysql2/promise';
import type { TestServer } from '../../support/servers.ts';
import { type Random, randomFrom } from './random.ts';

export const ACCOUNTS = 60;
export const TOTAL = ACCOUNTS * 1000;
/** Loops that commit at the same time, so that transactions interleave. */
const LOOPS = 2;
const BIG = 1200;
/** More orders than this are thinned out: merges stay short. */
const MOST_ORDERS = 6000;

const TEXTS = [
  null,
  '',
  '\\N',
  '\\\\N',
  'plain',
  'a, "quoted" text',
  'two\nlines',
  'back\\slash',
  '😀 emoji',
  ' blank ',
];

/** `accounts` keep their sum in every transaction; a row of `journal` counts its own versions and is never deleted. */
export const TABLES = ['accounts', 'orders', 'journal', 'carts'] as const;

export async function makeTables(server: TestServer): Promise<void> {
  await server.query(
    'CREATE DATABASE shop CHARACTER SET utf8mb4',
    `CREATE TABLE shop.accounts (id INT PRIMARY KEY, owner VARCHAR(60), balance BIGINT NOT NULL, turns INT NOT NULL)`,
    `CREATE TABLE shop.orders (id BIGINT AUTO_INCREMENT PRIMARY KEY, account INT, amount DECIMAL(12,2) NOT NULL,
       note TEXT, placed DATETIME(6) NOT NULL)`,
    `CREATE TABLE shop.journal (id BIGINT AUTO_INCREMENT PRIMARY KEY, version INT NOT NULL, what VARCHAR(60))`,
    `CREATE TABLE shop.carts (id INT AUTO_INCREMENT, item INT, PRIMARY KEY (id, item))`,
  );
  const numbers = (count: number) => Array.from({ length: count }, (_, index) => index + 1);
  const rows = (of: number[], row: (n: number) => string) => of.map(row).join(', ');
  await server.query(
    `INSERT INTO shop.accounts VALUES ${rows(numbers(ACCOUNTS), (n) => `(${n}, 'owner ${n}', 1000, 0)`)}`,
    `INSERT INTO shop.orders (account, amount, note, placed) VALUES ${rows(numbers(400), (n) => `(${n % ACCOUNTS}, ${n}.05, 'first ${n}', NOW(6))`)}`,
    `INSERT INTO shop.journal (version, what) VALUES ${rows(numbers(100), (n) => `(0, 'first ${n}')`)}`,
    `INSERT INTO shop.carts (item) VALUES (1), (2), (3)`,
  );
}

export class Writer {
  commits = 0;
  /** A load begins anew when a table changes its definition under it, and gives up in the end: so not while one may run. */
  withDdl = false;
  #ddlUnderWay = 0;
  readonly #server: TestServer;
  readonly #random: Random;
  readonly #loops: Promise<void>[] = [];
  #stopping = false;
  #newKey = 1_000_000_000;
  #columnsAdded = 0;
  #failure: unknown;

  constructor(server: TestServer, seed: number) {
    this.#server = server;
    this.#random = randomFrom(seed);
  }

  start(): void {
    for (let loop = 0; loop < LOOPS; loop++)
      this.#loops.push(
        this.#run().catch((error: unknown) => {
          this.#failure = error;
        }),
      );
  }

  async stopDdl(): Promise<void> {
    this.withDdl = false;
    while (this.#ddlUnderWay > 0) await sleep(10);
  }

  /** Throws what the writer itself failed with. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#loops);
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      let session: Connection | undefined;
      try {
        session = await this.#server.connect();
        // The server is killed under this connection.
        session.on('error', () => {});
        await session.query('USE shop; SET time_zone = "+00:00"');
        while (!this.#stopping) {
          await this.#oneTransaction(session);
          this.commits++;
          await sleep(this.#random.integer(30));
        }
      } catch (error) {
        if (isLockConflict(error)) await session?.query('ROLLBACK').catch(() => {});
        else if (!isConnectionLoss(error)) throw error;
        else await sleep(100);
      } finally {
        session?.destroy();
      }
    }
  }

  async #oneTransaction(session: Connection): Promise<void> {
    const random = this.#random;
    const dice = random.integer(1000);
    if (this.withDdl && dice < 12) {
      this.#ddlUnderWay++;
      return (dice < 3 ? this.#addColumn(session) : this.#truncateCarts(session)).finally(() => this.#ddlUnderWay--);
    }
    await session.query('START TRANSACTION');
    if (dice < 20) await this.#bigChange(session);
    else if (dice < 300) await this.#transfer(session);
    else if (dice < 340) await this.#swapAccountKeys(session);
    else if (dice < 400) await this.#replaceAccount(session);
    else if (dice < 440) await this.#undoneWork(session);
    else if (dice < 480) await this.#fillCart(session);
    else await this.#changeOrders(session);
    // Some work is given up as a whole.
    await session.query(random.integer(20) === 0 ? 'ROLLBACK' : 'COMMIT');
  }

  /** Two accounts and the journal in one transaction. */
  async #transfer(session: Connection): Promise<void> {
    const [from, to] = await pickIds(session, 'accounts', 2);
    const amount = this.#random.integer(100);
    await update(session, 'UPDATE accounts SET balance = balance - ?, turns = turns + 1 WHERE id = ?', [amount, from]);
    await update(session, 'UPDATE accounts SET balance = balance + ?, turns = turns + 1 WHERE id = ?', [amount, to]);
    await this.#note(session, `moved ${amount}`);
  }

  /** Key changes that pass through one another's keys. */
  async #swapAccountKeys(session: Connection): Promise<void> {
    const [one, other] = await pickIds(session, 'accounts', 2);
    const between = this.#newKey++;
    for (const [from, to] of [
      [one, between],
      [other, one],
      [between, other],
    ])
      await update(session, 'UPDATE accounts SET id = ? WHERE id = ?', [to, from]);
  }

  /** DELETE and INSERT of one key, or of another. */
  async #replaceAccount(session: Connection): Promise<void> {
    const [id] = await pickIds(session, 'accounts', 1);
    // The row as it is now, not as it was when the transaction began.
    const newest = 'SELECT balance FROM accounts WHERE id = ? FOR UPDATE';
    const [[row]] = await session.query<RowDataPacket[]>(newest, [id]);
    if (row === undefined) throw rowGone();
    await update(session, 'DELETE FROM accounts WHERE id = ?', [id]);
    const key = this.#random.integer(2) === 0 ? id : this.#newKey++;
    const values = [key, this.#random.pick(TEXTS), row.balance];
    await session.query('INSERT INTO accounts VALUES (?, ?, ?, 0)', values);
    await this.#note(session, 'replaced');
  }

  /** Rows that change and change back, and a savepoint that is rolled back. */
  async #undoneWork(session: Connection): Promise<void> {
    await this.#changeOrders(session);
    await session.query('SAVEPOINT here');
    await this.#changeOrders(session);
    await session.query('ROLLBACK TO SAVEPOINT here');
    await this.#note(session, 'in part');
  }

  async #changeOrders(session: Connection): Promise<void> {
    const random = this.#random;
    const dice = random.integer(10);
    if (dice < 5) {
      const rows = Array.from({ length: 1 + random.integer(5) }, () => [
        random.integer(ACCOUNTS),
        `${random.integer(100_000)}.${10 + random.integer(90)}`,
        random.pick(TEXTS),
      ]);
      for (const row of rows)
        await session.query('INSERT INTO orders (account, amount, note, placed) VALUES (?, ?, ?, NOW(6))', row);
      await this.#note(session, 'ordered');
    } else if (dice < 8) {
      const ids = await pickIds(session, 'orders', 1 + random.integer(4));
      await session.query('UPDATE orders SET amount = amount + 1, note = ? WHERE id IN (?)', [random.pick(TEXTS), ids]);
    } else if (dice < 9) {
      await session.query('DELETE FROM orders WHERE id IN (?)', [await pickIds(session, 'orders', 2)]);
    } else {
      const [id] = await pickIds(session, 'orders', 1);
      await session.query('UPDATE orders SET id = ?, note = ? WHERE id = ?', [this.#newKey++, 'moved', id]);
    }
  }

  async #bigChange(session: Connection): Promise<void> {
    const [[row]] = await session.query<RowDataPacket[]>('SELECT count(*) AS orders FROM orders');
    if (Number(row?.orders) > MOST_ORDERS) {
      await session.query('DELETE FROM orders ORDER BY id LIMIT ?', [MOST_ORDERS / 2]);
    } else if (this.#random.integer(2) === 0) {
      await session.query('UPDATE orders SET amount = amount + 0.01, account = NULL');
    } else {
      await session.query(
        `INSERT INTO orders (account, amount, note, placed)
         SELECT a.id, b.id, REPEAT('big ', 10), NOW(6) FROM accounts a, accounts b LIMIT ?`,
        [BIG],
      );
    }
    await this.#note(session, 'big');
  }

  /** A new row of the journal, and the next version of some that are there. */
  async #note(session: Connection, what: string): Promise<void> {
    await session.query('INSERT INTO journal (version, what) VALUES (0, ?)', [what]);
    const ids = await pickIds(session, 'journal', 1 + this.#random.integer(3));
    await session.query('UPDATE journal SET version = version + 1, what = ? WHERE id IN (?)', [what, ids]);
  }

  async #fillCart(session: Connection): Promise<void> {
    await session.query('INSERT INTO carts (item) VALUES (?), (?)', [this.#random.integer(9), this.#random.integer(9)]);
  }

  async #truncateCarts(session: Connection): Promise<void> {
    await session.query('TRUNCATE TABLE carts');
    await this.#fillCart(session);
  }

  async #addColumn(session: Connection): Promise<void> {
    if (this.#columnsAdded >= 3) return;
    await session.query(`ALTER TABLE orders ADD COLUMN extra${++this.#columnsAdded} INT NULL`);
    await session.query(`UPDATE orders SET extra${this.#columnsAdded} = id % 7 WHERE id % 50 = 0`);
  }
}

async function pickIds(session: Connection, table: string, count: number): Promise<number[]> {
  const [rows] = await session.query<RowDataPacket[]>(`SELECT id FROM ${table} ORDER BY RAND() LIMIT ?`, [count]);
  return rows.map(({ id }) => id);
}

/** A row that another transaction took away in the meantime: this one is given up, for its sums would not be right. */
async function update(session: Connection, sql: string, values: unknown[]): Promise<void> {
  const [result] = await session.query<ResultSetHeader>(sql, values);
  if (result.affectedRows !== 1) throw rowGone();
}

function rowGone(): Error {
  return Object.assign(new Error('the row has gone'), { code: 'ROW_GONE' });
}

function isLockConflict(error: unknown): boolean {
  return ['ER_LOCK_DEADLOCK', 'ER_LOCK_WAIT_TIMEOUT', 'ER_CHECKREAD', 'ER_DUP_ENTRY', 'ROW_GONE'].includes(
    codeOf(error),
  );
}

function isConnectionLoss(error: unknown): boolean {
  const codes = ['PROTOCOL_CONNECTION_LOST', 'ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'ER_SERVER_SHUTDOWN'];
  return (
    codes.includes(codeOf(error)) || (error instanceof Error && /closed state|Connection lost/.test(error.message))
  );
}

function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
}
