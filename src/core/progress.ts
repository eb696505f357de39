/** What core reports while it works; it knows nothing of terminals. */

export interface Progress {
  /** The state of what is under way; replaced in place on a terminal, at most a line every few seconds elsewhere. */
  update(text: string): void;
  /** Something is done: a line that stays. */
  done(text: string): void;
  warn(text: string): void;
  /** Shown with --verbose only. */
  detail(text: string): void;
}

export const silent: Progress = { update() {}, done() {}, warn() {}, detail() {} };
