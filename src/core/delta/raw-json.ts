/** JSON whose integers are exact: beyond 2^53 they are bigints, for Delta's log holds 64-bit numbers. */

export type RawJson = null | boolean | number | bigint | string | RawJson[] | { [name: string]: RawJson };

/** Integers of 16 digits and more may not survive JSON.parse; only texts that hold one are read by hand. */
const LONG_INTEGER = /[:[,\s]-?\d{16,}\s*[,\]}]/;

/** Throws SyntaxError. */
export function parseRawJson(text: string): RawJson {
  return LONG_INTEGER.test(text) ? new Reader(text).document() : JSON.parse(text);
}

/** bigints become plain number tokens; undefined members are left out. */
export function rawJson(value: unknown): string {
  if (typeof value === 'bigint') return value.toString();
  if (Array.isArray(value)) return `[${value.map((item) => (item === undefined ? 'null' : rawJson(item))).join(',')}]`;
  if (typeof value === 'object' && value !== null)
    return `{${Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .map(([name, member]) => `${JSON.stringify(name)}:${rawJson(member)}`)
      .join(',')}}`;
  return JSON.stringify(value) ?? 'null';
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const STRING = /"(?:[^"\\]|\\.)*"/sy;
const BLANKS = /[ \t\n\r]*/y;

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): RawJson {
    const value = this.#value();
    this.#blanks();
    if (this.#at !== this.#text.length) throw this.#unexpected();
    return value;
  }

  #value(): RawJson {
    this.#blanks();
    switch (this.#text[this.#at]) {
      case '{':
        return this.#object();
      case '[':
        return this.#array();
      case '"':
        return this.#string();
      case 't':
        return this.#word('true', true);
      case 'f':
        return this.#word('false', false);
      case 'n':
        return this.#word('null', null);
      default:
        return this.#number();
    }
  }

  #object(): RawJson {
    const members: [string, RawJson][] = [];
    this.#at++;
    if (this.#next('}')) return {};
    do {
      this.#blanks();
      const name = this.#string();
      if (!this.#next(':')) throw this.#unexpected();
      members.push([name, this.#value()]);
    } while (this.#next(','));
    if (!this.#next('}')) throw this.#unexpected();
    // fromEntries defines its members, so a `__proto__` is only a name.
    return Object.fromEntries(members);
  }

  #array(): RawJson {
    const items: RawJson[] = [];
    this.#at++;
    if (this.#next(']')) return items;
    do items.push(this.#value());
    while (this.#next(','));
    if (!this.#next(']')) throw this.#unexpected();
    return items;
  }

  #string(): string {
    const parsed: unknown = JSON.parse(this.#match(STRING));
    if (typeof parsed !== 'string') throw this.#unexpected();
    return parsed;
  }

  #number(): RawJson {
    const token = this.#match(NUMBER);
    const value = Number(token);
    return /^-?\d+$/.test(token) && !Number.isSafeInteger(value) ? BigInt(token) : value;
  }

  #word<T extends RawJson>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) throw this.#unexpected();
    this.#at += word.length;
    return value;
  }

  #next(char: string): boolean {
    this.#blanks();
    if (this.#text[this.#at] !== char) return false;
    this.#at++;
    return true;
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match === null) throw this.#unexpected();
    this.#at = pattern.lastIndex;
    return match[0];
  }

  #blanks(): void {
    BLANKS.lastIndex = this.#at;
    BLANKS.exec(this.#text);
    this.#at = BLANKS.lastIndex;
  }

  #unexpected(): SyntaxError {
    return new SyntaxError(`unexpected ${JSON.stringify(this.#text[this.#at] ?? 'end')} at character ${this.#at}`);
  }
}
