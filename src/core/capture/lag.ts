/** How far capture is behind the source, by the commit times of what it reads; said only where it changes. */

/** Less than this is not called behind: clocks differ, and a transaction takes its time to come. */
const BEHIND_MS = 5000;
/** While behind, how often it is said anew. */
const REPEAT_MS = 1000;

export class Lag {
  readonly #tell: (since: Date | undefined) => void;
  #isBehind = false;
  #told = 0;

  constructor(tell: (since: Date | undefined) => void) {
    this.#tell = tell;
  }

  /** A transaction begins that was committed then. */
  at(micros: number): void {
    const now = Date.now();
    const committed = micros / 1000;
    if (now - committed < BEHIND_MS) this.atEnd();
    else if (!this.#isBehind || now - this.#told >= REPEAT_MS) {
      this.#isBehind = true;
      this.#told = now;
      this.#tell(new Date(committed));
    }
  }

  /** The source has nothing more. */
  atEnd(): void {
    if (!this.#isBehind) return;
    this.#isBehind = false;
    this.#tell(undefined);
  }
}
