/** Which phase of the work a kill met, read from the crash points that the killed process had passed (CDC_TRACE_POINTS). */

import type { CrashPoint } from '../../../src/core/crash-point.ts';

/** Each must be met several times, or the test has shown nothing. */
export const PHASES_TO_MEET = [
  'open file',
  'fsync…rename',
  'rename…checkpoint',
  'plan…commit',
  'commit…cleanup',
] as const;

export type Phase = (typeof PHASES_TO_MEET)[number] | 'load file…record' | 'record…checkpoint' | 'nothing under way';

const AFTER: Record<CrashPoint, { half: 'load' | 'capture' | 'merge'; phase: Phase | undefined }> = {
  'load.file-published': { half: 'load', phase: 'load file…record' },
  'load.recorded': { half: 'load', phase: 'record…checkpoint' },
  'capture.file-open': { half: 'capture', phase: 'open file' },
  'capture.synced': { half: 'capture', phase: 'fsync…rename' },
  'capture.published': { half: 'capture', phase: 'rename…checkpoint' },
  'capture.checkpointed': { half: 'capture', phase: undefined },
  'merge.planned': { half: 'merge', phase: 'plan…commit' },
  'merge.written': { half: 'merge', phase: 'plan…commit' },
  'merge.committed': { half: 'merge', phase: 'commit…cleanup' },
  'lake.checkpoint-written': { half: 'merge', phase: 'commit…cleanup' },
  'merge.cleaned': { half: 'merge', phase: undefined },
};

export const CRASH_POINTS = Object.keys(AFTER) as CrashPoint[];

/** What was under way after these points: a worker captures and merges at a time. */
export function phasesMet(trace: readonly string[]): Phase[] {
  const last = new Map<string, Phase | undefined>();
  for (const line of trace) {
    const after = AFTER[line as CrashPoint];
    if (after === undefined) throw new Error(`${line} is not a crash point`);
    last.set(after.half, after.phase);
    // Capture begins when every load is over.
    if (after.half === 'capture') last.delete('load');
  }
  const met = [...last.values()].filter((phase) => phase !== undefined);
  return met.length > 0 ? met : ['nothing under way'];
}

/** How often each phase was met, and by what. */
export class Tally {
  readonly met = new Map<Phase, { atPoints: number; atRandom: number }>();
  kills = 0;

  add(phases: readonly Phase[], by: 'atPoints' | 'atRandom'): void {
    this.kills++;
    for (const phase of phases) {
      const counts = this.met.get(phase) ?? { atPoints: 0, atRandom: 0 };
      counts[by]++;
      this.met.set(phase, counts);
    }
  }

  count(phase: Phase): number {
    const { atPoints, atRandom } = this.met.get(phase) ?? { atPoints: 0, atRandom: 0 };
    return atPoints + atRandom;
  }

  counts(): Record<string, number> {
    return Object.fromEntries([...this.met.keys()].sort().map((phase) => [phase, this.count(phase)]));
  }

  table(): string {
    const names = new Set<Phase>([...PHASES_TO_MEET, ...this.met.keys()]);
    const lines = [...names].map((phase) => {
      const { atPoints, atRandom } = this.met.get(phase) ?? { atPoints: 0, atRandom: 0 };
      return `  ${phase.padEnd(20)}${String(atPoints).padStart(8)}${String(atRandom).padStart(8)}`;
    });
    return [`  ${'phase met'.padEnd(20)}${'at point'.padStart(8)}${'random'.padStart(8)}`, ...lines].join('\n');
  }
}
