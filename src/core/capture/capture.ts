/** Follows the binlog from the checkpoint until told to stop: a session after another, over lost connections, server restarts and full disks. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { SourceAddress } from '../binlog/connection.ts';
import { followBinlog } from '../binlog/stream.ts';
import { CdcError } from '../errors.ts';
import type { Checkpoint } from './checkpoint.ts';
import { CaptureSession } from './session.ts';
import type { SessionOptions } from './session-options.ts';

export interface CaptureOptions extends Omit<SessionOptions, 'onFailure'> {
  /** Asked before each connection: a private server may come back on another port. */
  source(): Promise<SourceAddress>;
  /** Our id as a replica; two readers with one id throw each other out. */
  serverId: number;
  /** The binlog is the one that was captured, and an event or a heartbeat has come: the position is good. */
  onFollowing(): void;
  /** It goes on from the last checkpoint in a moment: the connection is gone, or a file could not be written. */
  onRetry(error: CdcError): void;
  signal: AbortSignal;
}

const FIRST_RETRY_MS = 200;
const LAST_RETRY_MS = 5000;
/** An event that cannot be read may be the network's fault so many times. */
const CORRUPT_TRIES = 5;

/** The source is not there now and may come back: its server restarts, or the network is down. */
export function isLostSource(error: unknown): error is CdcError {
  return error instanceof CdcError && ['source.lost', 'source.unreachable', 'server.stopped'].includes(error.code);
}

/** What time may mend: a source that is away, a disk that is full. */
function mayPass(error: unknown, tries: number): error is CdcError {
  if (isLostSource(error)) return true;
  if (!(error instanceof CdcError)) return false;
  if (error.code === 'source.corrupt') return tries < CORRUPT_TRIES;
  return error.code.startsWith('store.') || error.code === 'capture.name-taken';
}

/** Returns the last checkpoint when the signal fires. Throws what a new connection does not mend: `position.purged`, `position.other-history` … */
export async function capture(options: CaptureOptions): Promise<Checkpoint> {
  let { checkpoint } = options;
  let retryMs = FIRST_RETRY_MS;
  let tries = 0;
  let attempt: Attempt | undefined;
  const told = {
    onCheckpoint: (written: Checkpoint) => {
      checkpoint = written;
      options.onCheckpoint(written);
    },
    onFollowing: () => {
      retryMs = FIRST_RETRY_MS;
      tries = 0;
      options.onFollowing();
    },
  };
  while (!options.signal.aborted) {
    try {
      attempt ??= await Attempt.open({ ...options, ...told, checkpoint });
      await attempt.follow();
    } catch (error) {
      // While the source is away nothing needs to be opened anew.
      if (attempt?.session.isUntouched !== true || !isLostSource(error)) {
        await attempt?.session.discard();
        attempt = undefined;
      }
      if (isLastEventGone(error, checkpoint)) {
        checkpoint = { ...checkpoint, lastEvent: undefined };
        continue;
      }
      tries++;
      if (!mayPass(error, tries)) throw error;
      options.onRetry(error);
      await sleep(retryMs, undefined, { signal: options.signal }).catch(() => undefined);
      retryMs = Math.min(retryMs * 2, LAST_RETRY_MS);
    }
  }
  await attempt?.session.discard();
  return checkpoint;
}

/** One session, over connections that bring it nothing and one that does. */
class Attempt {
  readonly session: CaptureSession;
  readonly #options: CaptureOptions;
  readonly #failed: AbortSignal;

  private constructor(options: CaptureOptions, session: CaptureSession, failed: AbortSignal) {
    this.#options = options;
    this.session = session;
    this.#failed = failed;
  }

  static async open(options: CaptureOptions): Promise<Attempt> {
    const failed = new AbortController();
    const session = await CaptureSession.open({ ...options, onFailure: (error) => failed.abort(error) });
    return new Attempt(options, session, failed.signal);
  }

  /** Until the signal fires or something fails. */
  async follow(): Promise<void> {
    const { session } = this;
    const { source, serverId, onFollowing, signal } = this.#options;
    let following = false;
    await followBinlog({
      address: await source(),
      from: session.start,
      serverId,
      heartbeatSeconds: 1,
      signal: AbortSignal.any([signal, this.#failed]),
      wants: (table) => session.wants(table),
      onFile: (mark) => session.onFile(mark),
      onEvent: (event) => {
        const handled = session.onEvent(event);
        if (!following && session.isConfirmed && event.kind !== 'rotate') {
          following = true;
          onFollowing();
        }
        return handled;
      },
    });
    if (this.#failed.aborted) throw this.#failed.reason;
    await session.close();
  }
}

/**
 * The source was idle for so long that it purged the file of the last event, or that event lies where the server cannot be
 * asked to begin; nothing happened since, so the position in a later file still stands.
 */
function isLastEventGone(error: unknown, { lastEvent, position }: Checkpoint): boolean {
  return (
    error instanceof CdcError &&
    (error.code === 'position.purged' || error.code === 'position.too-far') &&
    lastEvent !== undefined &&
    lastEvent.file !== position.file
  );
}
