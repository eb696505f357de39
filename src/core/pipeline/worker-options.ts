/** What a worker is asked for, and what it works with. */

import type { Progress } from '../progress.ts';
import type { Pipeline } from './pipeline.ts';
import type { StartAt } from './start-at.ts';
import type { WorkerStateFile } from './worker-state.ts';

export interface WorkerRequest {
  /** Load tables that are not loaded. */
  fullLoad: boolean;
  /** Follow the binlog. */
  ongoing: boolean;
  /** Merge what is captured. */
  merge: boolean;
  /** Where to begin without a full load. */
  from?: StartAt;
}

export interface WorkerOptions {
  pipeline: Pipeline;
  request: WorkerRequest;
  state: WorkerStateFile;
  progress: Progress;
  signal: AbortSignal;
}
