/** A failure that ends no command, said on stderr while it goes on: an answer's columns have no room for it. */

import type { Progress } from '../core/progress.ts';

export function sayError(progress: Progress): (error: { message: string; hint?: string | undefined }) => void {
  return ({ message, hint }) => progress.warn(hint === undefined ? message : `${message}\n→ ${hint}`);
}
