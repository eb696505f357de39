/** Follows the binlog from the checkpoint until told to stop: a session after another, over lost connections and server restarts. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { SourceAddress } from '../binlog/connection.ts';
import { followBinlog } from '../binlog/stream.ts';
import { CdcError } from '../errors.ts';
import type { Checkpoint } from './checkpoint.ts';
import { CaptureSession, type SessionOptions } from './session.ts';

export interface CaptureOptions extends Omit<SessionOptions, 'onFailure'> {
  /** Asked before each connection: a private server may come back on another port. */
  source(): Promise<SourceAddress>;
  /** Our id as a replica; two readers with one id throw each other out. */
  serverId: number;
  /** The first event, or a heartbeat, has come: the position is good. */
  onFollowing(): void;
  /** The connection is gone and tried again. */
  onDisconnected(error: CdcError): void;
  signal: AbortSignal;
}

const FIRST_RETRY_MS = 200;
const LAST_RETRY_MS = 5000;

/** The source is not there now and may come back: its server restarts, or the network is down. */
export function isLostSource(error: unknown): error is CdcError {
  return error instanceof CdcError && ['source.lost', 'source.unreachable', 'server.stopped'].includes(error.code);
}

/** Returns the last checkpoint when the signal fires. Throws what a new connection does not mend: `position.purged`, `position.other-history` … */
export async function capture(options: CaptureOptions): Promise<Checkpoint> {
  let { checkpoint } = options;
  let retryMs = FIRST_RETRY_MS;
  while (!options.signal.aborted) {
    const failed = new AbortController();
    let failure: unknown;
    const session = await CaptureSession.open({
      ...options,
      checkpoint,
      onCheckpoint: (written) => {
        checkpoint = written;
        options.onCheckpoint(written);
      },
      onFailure: (error) => {
        failure = error;
        failed.abort();
      },
    });
    let following = false;
    try {
      await followBinlog({
        address: await options.source(),
        from: session.start,
        serverId: options.serverId,
        heartbeatSeconds: 1,
        signal: AbortSignal.any([options.signal, failed.signal]),
        wants: (table) => session.wants(table),
        onEvent: (event) => {
          if (!following) {
            following = true;
            retryMs = FIRST_RETRY_MS;
            options.onFollowing();
          }
          return session.onEvent(event);
        },
      });
      if (failure !== undefined) throw failure;
      await session.close();
    } catch (error) {
      session.discard();
      // Idle for so long that the file of the last event is gone: nothing happened since, so the position itself still stands.
      const { lastEvent, position } = checkpoint;
      if (
        error instanceof CdcError &&
        error.code === 'position.purged' &&
        lastEvent !== undefined &&
        lastEvent.file !== position.file
      ) {
        checkpoint = { ...checkpoint, lastEvent: undefined };
        continue;
      }
      if (!isLostSource(error)) throw error;
      options.onDisconnected(error);
      await sleep(retryMs, undefined, { signal: options.signal }).catch(() => undefined);
      retryMs = Math.min(retryMs * 2, LAST_RETRY_MS);
    }
  }
  return checkpoint;
}
