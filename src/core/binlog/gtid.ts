/**
 * The GTID part of a position, kept up to date transaction by transaction: MySQL's executed set (`uuid:1-5,uuid2:7`) or
 * MariaDB's last transaction per domain (`0-1-42,1-1-7`). The text is wanted at every commit, so it is built by adding to a
 * text that stays, not from scratch.
 */

import { CdcError } from '../errors.ts';

interface Interval {
  first: number;
  last: number;
}

/** MySQL's set of executed transactions; a source is a server's UUID, with `:tag` since 8.3. */
export class GtidSet {
  readonly #sources = new Map<string, Interval[]>();
  #head = '';
  #tail = '';
  /** The interval that `head` ends in; its end is the only thing that changes from one transaction to the next. */
  #growing: Interval | undefined;

  constructor(text = '') {
    for (const member of text.split(',')) {
      const [uuid, ...parts] = member.trim().split(':');
      if (uuid === undefined || uuid === '') continue;
      let source = uuid.toLowerCase();
      for (const part of parts) {
        const range = /^(\d+)(?:-(\d+))?$/.exec(part.trim());
        if (range === null) source = `${uuid.toLowerCase()}:${part.trim()}`;
        else this.#insert(source, Number(range[1]), Number(range[2] ?? range[1]));
      }
      if (!/^[0-9a-f-]{36}$/.test(uuid.toLowerCase()) || parts.length === 0) throw invalid(text);
    }
  }

  add(source: string, number: number): void {
    const growing = this.#growing;
    const last = this.#sources.get(source)?.at(-1);
    if (last !== undefined && last === growing && number === last.last + 1) {
      last.last = number;
      return;
    }
    this.#insert(source, number, number);
    this.#growing = undefined;
    const grown = this.#sources.get(source)?.at(-1);
    if (grown?.last === number) this.#split(source, grown);
  }

  #insert(source: string, first: number, last: number): void {
    const old = this.#sources.get(source) ?? [];
    const kept: Interval[] = [];
    for (const interval of old) {
      if (interval.last + 1 < first || interval.first > last + 1) kept.push(interval);
      else {
        first = Math.min(first, interval.first);
        last = Math.max(last, interval.last);
      }
    }
    kept.push({ first, last });
    this.#sources.set(
      source,
      kept.sort((a, b) => a.first - b.first),
    );
  }

  /** Cuts the text at the end of the interval that is going to grow. */
  #split(source: string, interval: Interval): void {
    const sources = [...this.#sources.keys()].sort();
    const at = sources.indexOf(source);
    const list = this.#sources.get(source) ?? [];
    const before = sources.slice(0, at).map((other) => this.#member(other));
    const own = [source, ...list.slice(0, -1).map(rangeText), String(interval.first)].join(':');
    this.#head = [...before, own].join(',');
    this.#tail = sources
      .slice(at + 1)
      .map((other) => `,${this.#member(other)}`)
      .join('');
    this.#growing = interval;
  }

  /** Whether everything in the other set is in this one too. */
  covers(text: string): boolean {
    const other = new GtidSet(text);
    return [...other.#sources].every(([source, intervals]) => {
      const own = this.#sources.get(source) ?? [];
      return intervals.every(({ first, last }) => own.some((one) => one.first <= first && last <= one.last));
    });
  }

  #member(source: string): string {
    return [source, ...(this.#sources.get(source) ?? []).map(rangeText)].join(':');
  }

  toString(): string {
    const growing = this.#growing;
    if (growing === undefined)
      return [...this.#sources.keys()]
        .sort()
        .map((source) => this.#member(source))
        .join(',');
    return growing.first === growing.last ? this.#head + this.#tail : `${this.#head}-${growing.last}${this.#tail}`;
  }
}

function rangeText({ first, last }: Interval): string {
  return first === last ? String(first) : `${first}-${last}`;
}

/** MariaDB's position: per domain the last transaction. */
export class DomainPosition {
  readonly #last = new Map<number, string>();
  /** The domain of the last transaction, and the text before and after it. */
  #domain = -1;
  #head = '';
  #tail = '';

  constructor(text = '') {
    for (const member of text.split(',')) {
      if (member.trim() === '') continue;
      const match = /^(\d+)-\d+-\d+$/.exec(member.trim());
      if (match === null) throw invalid(text);
      this.#last.set(Number(match[1]), member.trim());
    }
  }

  add(domain: number, gtid: string): void {
    this.#last.set(domain, gtid);
    if (domain === this.#domain) return;
    this.#domain = domain;
    const members = this.#sorted();
    this.#head = members.flatMap(([other, member]) => (other < domain ? [`${member},`] : [])).join('');
    this.#tail = members.flatMap(([other, member]) => (other > domain ? [`,${member}`] : [])).join('');
  }

  /** Whether this position lies at or behind the other in each of its domains. */
  covers(text: string): boolean {
    return [...new DomainPosition(text).#last].every(([domain, gtid]) => {
      const own = this.#last.get(domain);
      return own !== undefined && sequenceOf(own) >= sequenceOf(gtid);
    });
  }

  #sorted(): [number, string][] {
    return [...this.#last].sort(([a], [b]) => a - b);
  }

  toString(): string {
    if (this.#domain >= 0) return `${this.#head}${this.#last.get(this.#domain)}${this.#tail}`;
    return this.#sorted()
      .map(([, member]) => member)
      .join(',');
  }
}

function sequenceOf(gtid: string): bigint {
  return BigInt(gtid.slice(gtid.lastIndexOf('-') + 1));
}

/** Of whichever kind the text is; throws `position.invalid`. */
export function parseGtids(text: string): GtidSet | DomainPosition {
  return isDomainPosition(text) ? new DomainPosition(text) : new GtidSet(text);
}

/** Whether a GTID text is MariaDB's (`0-1-42`) rather than MySQL's (`uuid:1-5`). */
export function isDomainPosition(text: string): boolean {
  return /^\s*\d+-\d+-\d+\s*(,|$)/.test(text);
}

function invalid(text: string): CdcError {
  return new CdcError('position.invalid', `"${text}" is not a GTID set`, {
    hint: 'copy it from SHOW MASTER STATUS (MySQL) or @@gtid_binlog_pos (MariaDB)',
  });
}
