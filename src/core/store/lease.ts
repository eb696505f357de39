/** One writer at a time, over anything that can put-if-absent (contract.md 9): held by being the highest generation. */

import { randomUUID } from 'node:crypto';
import { CdcError, throwIfCancelled } from '../errors.ts';
import {
  formatLease,
  highestGeneration,
  type LeaseContent,
  type LeaseEngine,
  type LeaseGeneration,
  type LeaseHolder,
  leaseKey,
  listGenerations,
  parseLease,
} from './lease-file.ts';
import { isGone, ownIdentity, type ProcessIdentity } from './process-identity.ts';
import type { Store } from './store.ts';

const RENEW_EVERY_MS = 10_000;
/** Twice the lease's 30 s after its last sign of life, one of ours is free. */
const FREE_AFTER_MS = 60_000;
/** A holder that could not renew for so long stops before others may begin. */
const LOST_AFTER_MS = 50_000;

/** This process's time and timer, apart from the store's; tests bring their own. */
export interface LeaseClock {
  now(): number;
  /** Calls again and again without keeping the process alive; the result stops it. */
  every(milliseconds: number, call: () => void): () => void;
}

export interface LeaseRequest {
  store: Store;
  /** Ends in `/`. */
  folder: string;
  engine: LeaseEngine;
  runId?: string;
  /** Takes it from whoever holds it: the caller has asked a person. */
  takeOver?: boolean;
  /** Asks whether the Glue run that holds it is over; without it, or for a Spark elsewhere, only a person can say so. */
  askRun?: AskRun | undefined;
  signal?: AbortSignal | undefined;
  clock?: LeaseClock;
  identity?: ProcessIdentity;
}

export type AskRun = (run: { job: string; runId: string }, signal?: AbortSignal) => Promise<RunAnswer>;

/** `said` and `hint` end the sentence that names the run, for whoever is refused. */
export type RunAnswer = { isOver: true } | { isOver: false; said: string; hint: string };

export interface Lease {
  readonly generation: number;
  /** Fires when the lease is known to be lost. */
  readonly lost: AbortSignal;
  /** Looks, and throws CdcError `lease.lost` when someone else is the holder by now. Call it right before what must not happen twice. */
  assertHeld(): Promise<void>;
  /** Free for the next at once. A lease that is lost already stays as it is. */
  release(): Promise<void>;
}

/** Who has a lease, for `status`. */
export type LeaseDescription =
  | { state: 'free' }
  | { state: 'held'; holder: LeaseHolder | undefined; renewed: Date; text: string };

/** Takes the lease or throws CdcError `lease.held` naming its holder. */
export async function acquireLease(request: LeaseRequest): Promise<Lease> {
  const { store, folder, engine, runId = randomUUID(), takeOver = false, signal, clock = systemClock } = request;
  const identity = request.identity ?? (await ownIdentity());
  const leaseId = randomUUID();
  for (;;) {
    throwIfCancelled(signal);
    const current = await highestGeneration(store, folder);
    // Our own of a moment ago, which a late listing did not show when it was written, stands in nobody's way.
    const isMine = current?.state === 'held' && current.holder.leaseId === leaseId;
    if (current !== undefined && !takeOver && !isMine && !(await isFree(store, current))) {
      const answer = await askWhetherOver(current, request);
      if (answer?.isOver !== true) throw heldError(store, folder, current, answer);
    }
    const since = (await store.now()).toISOString();
    const lease = new HeldLease(store, folder, { ...identity, engine, runId, leaseId, since }, clock);
    // Someone was faster: look again who it is.
    if (await lease.begin((current?.generation ?? 0) + 1)) return lease;
  }
}

/** Runs with the lease and releases it, whatever happens. */
export async function withLease<T>(request: LeaseRequest, work: (lease: Lease) => Promise<T>): Promise<T> {
  const lease = await acquireLease(request);
  try {
    return await work(lease);
  } finally {
    await lease.release();
  }
}

export async function describeLease(store: Store, folder: string): Promise<LeaseDescription> {
  const current = await highestGeneration(store, folder);
  if (current === undefined || (await isFree(store, current))) return { state: 'free' };
  return {
    state: 'held',
    holder: current.state === 'unreadable' ? undefined : current.holder,
    renewed: current.written,
    text: describeHolder(current),
  };
}

async function isFree(store: Store, current: LeaseGeneration): Promise<boolean> {
  if (current.state === 'released') return true;
  // Not ours to judge.
  if (current.state === 'unreadable') return false;
  if (await isGone(current.holder)) return true;
  // Spark's commit on S3 is not conditional: never by time alone.
  if (current.holder.engine === 'spark') return false;
  return (await store.now()).getTime() - current.written.getTime() >= FREE_AFTER_MS;
}

async function askWhetherOver(
  current: LeaseGeneration,
  { askRun, signal }: LeaseRequest,
): Promise<RunAnswer | undefined> {
  if (askRun === undefined || current.state !== 'held' || current.holder.job === undefined) return undefined;
  return askRun({ job: current.holder.job, runId: current.holder.runId }, signal);
}

class HeldLease implements Lease {
  readonly #store: Store;
  readonly #folder: string;
  readonly #holder: LeaseHolder;
  readonly #clock: LeaseClock;
  readonly #lost = new AbortController();
  #generation = 0;
  #renewedAt = 0;
  #stopTimer: () => void = () => {};
  #released = false;
  /** Renewals, checks and the release, one after the other. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(store: Store, folder: string, holder: LeaseHolder, clock: LeaseClock) {
    this.#store = store;
    this.#folder = folder;
    this.#holder = holder;
    this.#clock = clock;
  }

  get generation(): number {
    return this.#generation;
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** False when another generation is there already or above. */
  async begin(generation: number): Promise<boolean> {
    if (!(await this.#put(generation, 'held'))) return false;
    this.#stopTimer = this.#clock.every(RENEW_EVERY_MS, () => this.#renewInTime());
    return true;
  }

  async assertHeld(): Promise<void> {
    await this.#inTurn(async () => {
      this.#throwIfLost();
      // After a suspension the store has seen no sign of life for a while: give one before anything is written.
      if (this.#clock.now() - this.#renewedAt >= 2 * RENEW_EVERY_MS) await this.#renew();
      else if ((await listGenerations(this.#store, this.#folder)).at(-1)?.generation !== this.#generation) this.#lose();
      this.#throwIfLost();
    });
  }

  async release(): Promise<void> {
    this.#stopTimer();
    await this.#inTurn(async () => {
      if (this.#released || this.#lost.signal.aborted) return;
      this.#released = true;
      await this.#put(this.#generation + 1, 'released');
    });
  }

  #renewInTime(): void {
    this.#inTurn(async () => {
      if (this.#released || this.#lost.signal.aborted) return;
      await this.#renew();
    }).catch(() => {
      // The store does not answer: the next turn tries again, until others may take the lease for free.
      if (this.#clock.now() - this.#renewedAt >= LOST_AFTER_MS) this.#lose();
    });
  }

  async #renew(): Promise<void> {
    if (!(await this.#put(this.#generation + 1, 'held'))) this.#lose();
  }

  /** Writes a generation, looks whether it is the highest, and then takes the lower ones away. */
  async #put(generation: number, state: 'held' | 'released'): Promise<boolean> {
    const key = leaseKey(this.#folder, generation);
    const at = this.#clock.now();
    if (!(await this.#store.putIfAbsent(key, formatLease(state, this.#holder))) && !(await this.#isMine(key, state)))
      return false;
    const generations = await listGenerations(this.#store, this.#folder);
    // A holder that was suspended may find its number free again, below a new holder's: only the highest counts.
    if (generations.at(-1)?.generation !== generation) return false;
    this.#generation = generation;
    this.#renewedAt = at;
    for (const lower of generations.slice(0, -1)) await this.#store.delete(lower.object.key);
    return true;
  }

  /** A put whose reply was lost and that was tried again finds its own file. */
  async #isMine(key: string, state: LeaseContent['state']): Promise<boolean> {
    const body = await this.#store.getIfPresent(key);
    if (body === undefined) return false;
    const content = parseLease(body);
    return content.state === state && content.state !== 'unreadable' && content.holder.leaseId === this.#holder.leaseId;
  }

  #lose(): void {
    this.#stopTimer();
    this.#lost.abort();
  }

  #throwIfLost(): void {
    if (!this.#lost.signal.aborted) return;
    throw new CdcError('lease.lost', `holding ${this.#store.location}/${this.#folder}: someone else holds it by now`, {
      hint: 'run the command again; nothing was written without the lease',
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}

function describeHolder(current: LeaseGeneration): string {
  if (current.state === 'unreadable') return `a file this version cannot read (${current.reason})`;
  const { engine, host, pid, since, runId, job } = current.holder;
  if (job !== undefined) return `${engine}, run ${runId} of the Glue job ${job}, since ${since}`;
  return `${engine} on ${host} (pid ${pid}) since ${since}`;
}

function heldError(
  store: Store,
  folder: string,
  current: LeaseGeneration,
  answer?: Extract<RunAnswer, { isOver: false }>,
): CdcError {
  const isOurs = current.state !== 'unreadable' && current.holder.engine === 'cdc';
  const said = answer === undefined ? '' : ` (${answer.said})`;
  return new CdcError(
    'lease.held',
    `taking the lease ${store.location}/${folder}: it is held by ${describeHolder(current)}${said}`,
    {
      hint: isOurs
        ? 'wait until it is done, or end it with cdc stop; one that has died is replaced a minute after its last sign of life'
        : (answer?.hint ?? 'when that run is over: cdc merge --take-over'),
    },
  );
}

const systemClock: LeaseClock = {
  now: () => Date.now(),
  every(milliseconds, call) {
    const timer = setInterval(call, milliseconds).unref();
    return () => clearInterval(timer);
  },
};
