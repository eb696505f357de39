/** What is under way, as one line of progress: each step with how long it has taken and how long it should. */

import type { Clock } from '../../aws/clock.ts';
import type { Progress } from '../../progress.ts';

interface Running {
  startedAt: number;
  expectedSeconds: number;
  text: string;
}

export class RunningSteps {
  readonly #running = new Map<string, Running>();
  readonly #clock: Clock;
  readonly #progress: Progress;

  constructor(clock: Clock, progress: Progress) {
    this.#clock = clock;
    this.#progress = progress;
  }

  begin(id: string, expectedSeconds: number): void {
    this.#running.set(id, { startedAt: this.#clock.now(), expectedSeconds, text: '' });
    this.#show();
  }

  /** What the step waits for. */
  report(id: string, text: string): void {
    const running = this.#running.get(id);
    if (running === undefined) return;
    running.text = text;
    this.#show();
  }

  /** How long it took: `2:10`. */
  end(id: string): string {
    const running = this.#running.get(id);
    this.#running.delete(id);
    if (this.#running.size > 0) this.#show();
    return formatSeconds(running === undefined ? 0 : this.#secondsOf(running));
  }

  #show(): void {
    const steps = [...this.#running].map(([id, running]) => {
      const took = formatSeconds(this.#secondsOf(running));
      const doing = running.text === '' ? id : `${id} ${running.text}`;
      return `${doing} ${took} of about ${formatSeconds(running.expectedSeconds)}`;
    });
    this.#progress.update(steps.join(' · '));
  }

  #secondsOf({ startedAt }: Running): number {
    return Math.round((this.#clock.now() - startedAt) / 1000);
  }
}

export function formatSeconds(seconds: number): string {
  return `${Math.floor(seconds / 60)}:${String(Math.round(seconds) % 60).padStart(2, '0')}`;
}
