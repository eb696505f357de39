/**
 * - `lost-reply`: AWS does the work and the answer is lost once; the SDK tries again.
 * - `lost-for-good`: the answer of every try is lost; the call fails.
 * - `abort`: the request never leaves this machine; the call fails.
 * - `throttle`: refused once, then well; `throttle-for-good`: refused at every try.
 * - `denied`: refused, and so is every later call of the same operation.
 * - `expired`: refused, and so is every later call.
 * - `interrupt`: SIGINT to the process when the call begins. `kill`: SIGKILL before it is sent; `kill-after`: when it is answered.
 */
export type FaultKind =
  | 'lost-reply'
  | 'lost-for-good'
  | 'abort'
  | 'throttle'
  | 'throttle-for-good'
  | 'denied'
  | 'expired'
  | 'interrupt'
  | 'kill'
  | 'kill-after';

export interface Fault {
  kind: FaultKind;
  /** The n-th call of the process, from 1; with `operation`, the n-th of that (1 unless told). */
  call?: number;
  /** `rds:CreateDBInstance`: for calls that run in parallel, whose number is not the same each time. */
  operation?: string;
}

export interface AwsCall {
  call: number;
  /** `sts`, `ec2`, `iam`, `s3`, `rds`, `secretsmanager`, `dms`, `lambda`, `glue`, `logs`, `tag`. */
  service: string;
  /** `CreateDBInstance`. */
  operation: string;
  /** As it was sent, but that secrets are x, bytes `{ $bytes: length }`, dates `{ $date: milliseconds }`. */
  input: Record<string, unknown>;
}

export interface FiredFault {
  kind: FaultKind;
  call: number;
  service: string;
  operation: string;
  /** Which try of the SDK, from 1. */
  attempt: number;
}

/** For the whole process, until uninstalled. Throws when it is installed already. */
export function installCallFaults(options: {
  onCall?: (call: AwsCall) => void;
  onFault?: (fired: FiredFault) => void;
  faults?: readonly Fault[];
  /** Who gets the signals: the process itself unless told. */
  end?: { pid: number; kill(pid: number, signal: NodeJS.Signals): void };
}): { count(): number; uninstall(): void };
