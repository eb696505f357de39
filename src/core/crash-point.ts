/**
 * The instants at which a crash must lose nothing, by name. The code announces each as it passes; the tests kill the
 * process there (`CDC_KILL_AT`, set up by cli.ts). In production `reach` does nothing.
 */

export type CrashPoint =
  | 'capture.file-open' // rows are in the open file, nothing is published
  | 'capture.synced' // fsync done, not yet under its final name
  | 'capture.published' // the file is there, the checkpoint does not know it
  | 'capture.checkpointed'
  | 'load.file-published' // a load file is there, its record is not
  | 'load.recorded'
  | 'merge.planned' // the plan is there, no data file
  | 'merge.written' // data files are there, not committed
  | 'merge.committed' // the commit point has passed, nothing is cleaned up
  | 'merge.cleaned'
  | 'lake.checkpoint-written'; // the Delta checkpoint is there, _last_checkpoint is not

let hook: ((point: CrashPoint) => void) | undefined;

export function reach(point: CrashPoint): void {
  hook?.(point);
}

/** Called once by cli.ts, and by tests. */
export function onCrashPoint(listener: ((point: CrashPoint) => void) | undefined): void {
  hook = listener;
}
