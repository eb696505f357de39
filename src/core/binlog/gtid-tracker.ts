/** The GTID part of the position while it moves: of whichever kind the server has, and absent until it is known completely. */

import { DomainPosition, GtidSet, parseGtids } from './gtid.ts';

export class GtidTracker {
  #set: GtidSet | DomainPosition | undefined;

  /** `text`: what was executed up to the position that reading starts at. */
  constructor(text: string | undefined) {
    if (text !== undefined) this.#set = parseGtids(text);
  }

  /** A file's list of what came before it: the start where nothing was known. */
  startFrom(list: () => GtidSet | DomainPosition | undefined): void {
    this.#set ??= list();
  }

  add({ gtid, domain }: { gtid?: string; domain?: number }): void {
    if (gtid === undefined) return;
    if (domain !== undefined) {
      // An empty text may have stood for either kind.
      if (!(this.#set instanceof DomainPosition) && this.#set?.toString() === '') this.#set = new DomainPosition();
      if (this.#set instanceof DomainPosition) this.#set.add(domain, gtid);
      return;
    }
    const colon = gtid.lastIndexOf(':');
    if (this.#set instanceof GtidSet) this.#set.add(gtid.slice(0, colon), Number(gtid.slice(colon + 1)));
  }

  /** Undefined where the server has none, or has not told yet. */
  toString(): string | undefined {
    return this.#set?.toString() || undefined;
  }
}
