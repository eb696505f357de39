/** When the open files are to close and the checkpoint is to move: asked for by whatever happens, answered once. */

export class FlushClock {
  readonly #onDue: () => void;
  /** By the clock that never goes back. */
  #due: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(onDue: () => void) {
    this.#onDue = onDue;
  }

  get isDue(): boolean {
    return this.#due !== undefined && performance.now() >= this.#due;
  }

  /** Within this time at the latest. */
  within(milliseconds: number): void {
    const at = performance.now() + milliseconds;
    if (this.#due !== undefined && this.#due <= at) return;
    this.#due = at;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#onDue, milliseconds);
  }

  /** Nothing is asked for. */
  reset(): void {
    clearTimeout(this.#timer);
    this.#due = undefined;
  }
}
