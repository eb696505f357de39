/**
 * Cuts SQL text into statements the way the mysql client does, from bytes and piece by piece: a dump may be larger than
 * memory and hold bytes that are no UTF-8. In UTF-8 no byte of a longer character looks like a quote or a delimiter.
 */

import { CdcError } from '../errors.ts';

export interface Statement {
  /** Valid until the splitter is asked again. */
  sql: Buffer;
  /** Where it begins, from 1. */
  line: number;
}

const LF = 0x0a;
const QUOTE = 0x27;
const DOUBLE_QUOTE = 0x22;
const BACKTICK = 0x60;
const BACKSLASH = 0x5c;
const HASH = 0x23;
const DASH = 0x2d;
const SLASH = 0x2f;
const STAR = 0x2a;
const BANG = 0x21;
const BLANK = 0x20;

/** What the bytes at the cursor are part of. */
type State = 'code' | 'quoted' | 'line-comment' | 'comment';

/** The longest thing that must be seen whole to be known: `DELIMITER `, `/*M!999999`, `-- `. */
const LOOKAHEAD = 12;

export class StatementSplitter {
  /** The session reads a backslash in a string as itself (sql_mode NO_BACKSLASH_ESCAPES). */
  noBackslashEscapes = false;
  readonly #maxBytes: number;
  #delimiter = Buffer.from(';');
  #bytes: Buffer = Buffer.allocUnsafe(1 << 16);
  /** The statement's first byte, the cursor, and the end of what has come. */
  #start = 0;
  #at = 0;
  #end = 0;
  #ended = false;
  #state: State = 'code';
  /** Something to execute has been seen since `start`. */
  #hasCode = false;
  #quote = 0;
  /** Open executable comments: the text inside counts, and a delimiter there does not. */
  #executable = 0;
  #line = 1;
  #startLine = 1;
  /** Where the open quote or comment begins, for the error when it does not end. */
  #openLine = 1;
  #isFirst = true;

  /** A statement of more bytes is refused before it is held in memory whole. */
  constructor(options: { maxBytes: number }) {
    this.#maxBytes = options.maxBytes;
  }

  push(chunk: Uint8Array): void {
    const kept = this.#end - this.#start;
    if (this.#end + chunk.length > this.#bytes.length) {
      const room = kept + chunk.length;
      const target = room <= this.#bytes.length / 2 ? this.#bytes : Buffer.allocUnsafe(Math.max(1 << 16, room * 2));
      this.#bytes.copy(target, 0, this.#start, this.#end);
      this.#bytes = target;
      this.#at -= this.#start;
      this.#start = 0;
      this.#end = kept;
    }
    this.#bytes.set(chunk, this.#end);
    this.#end += chunk.length;
    if (this.#isFirst && this.#end >= 3) {
      this.#isFirst = false;
      // A byte order mark.
      if (this.#bytes[0] === 0xef && this.#bytes[1] === 0xbb && this.#bytes[2] === 0xbf) this.#restart(3);
    }
  }

  /** Nothing more will come: what is left is a statement too. */
  end(): void {
    this.#ended = true;
  }

  /** undefined: more bytes are needed, or after `end` there is no more. */
  next(): Statement | undefined {
    const stop = this.#ended ? this.#end : this.#end - Math.max(LOOKAHEAD, this.#delimiter.length);
    while (this.#at < stop) {
      switch (this.#state) {
        case 'code': {
          const found = this.#code();
          if (found === 'more') return undefined;
          if (found !== undefined) return found;
          break;
        }
        case 'quoted':
          this.#skipQuoted(stop);
          break;
        case 'line-comment':
          this.#skipTo(LF, stop);
          break;
        case 'comment':
          this.#skipComment(stop);
          break;
      }
      if (!this.#hasCode && this.#state === 'code') this.#restart(this.#at);
      if (this.#at - this.#start > this.#maxBytes && this.#hasCode) throw this.#tooLarge();
    }
    return this.#ended ? this.#rest() : undefined;
  }

  /** One step in code. */
  #code(): Statement | 'more' | undefined {
    const bytes = this.#bytes;
    const byte = bytes[this.#at] ?? 0;
    if (byte === LF) {
      this.#line++;
      if (this.#hasCode && this.#executable === 0 && this.#isUse()) return this.#take(this.#at, this.#at + 1);
      this.#at++;
      return undefined;
    }
    if (byte <= BLANK) {
      this.#at++;
      return undefined;
    }
    const next = bytes[this.#at + 1] ?? 0;
    if (byte === HASH || (byte === DASH && next === DASH && this.#isBlankAt(this.#at + 2))) {
      this.#state = 'line-comment';
      return undefined;
    }
    if (byte === SLASH && next === STAR) {
      this.#openComment();
      return undefined;
    }
    if (this.#executable > 0 && byte === STAR && next === SLASH) {
      this.#executable--;
      this.#at += 2;
      return undefined;
    }
    if (this.#executable === 0 && this.#isDelimiterAt(this.#at)) {
      const end = this.#at + this.#delimiter.length;
      if (this.#hasCode) return this.#take(this.#at, end);
      this.#at = end;
      return undefined;
    }
    if (!this.#hasCode && (byte | 0x20) === 0x64) {
      const command = this.#readDelimiterCommand();
      if (command !== 'no') return command === 'more' ? 'more' : undefined;
    }
    this.#begin();
    this.#at++;
    if (byte === QUOTE || byte === DOUBLE_QUOTE || byte === BACKTICK) {
      this.#quote = byte;
      this.#openLine = this.#line;
      this.#state = 'quoted';
    }
    return undefined;
  }

  /** The first byte of the statement's code stands at the cursor. */
  #begin(): void {
    if (this.#hasCode) return;
    this.#hasCode = true;
    this.#start = this.#at;
    this.#startLine = this.#line;
  }

  /** At the cursor stands the opening of a comment, executable or not. */
  #openComment(): void {
    const head = this.#bytes.toString('latin1', this.#at, Math.min(this.#at + LOOKAHEAD, this.#end));
    // mariadb-dump's first line tells the client to enable its sandbox; no server executes it.
    const isCode = /^\/\*M?!/.test(head) && !head.startsWith('/*M!999999\\');
    this.#openLine = this.#line;
    if (isCode) {
      this.#begin();
      this.#executable++;
      this.#at += this.#bytes[this.#at + 2] === BANG ? 3 : 4;
    } else {
      this.#state = 'comment';
      this.#at += 2;
    }
  }

  #skipQuoted(stop: number): void {
    const bytes = this.#bytes;
    const escapes = this.#quote !== BACKTICK && !this.noBackslashEscapes;
    let at = this.#at;
    for (; at < stop; at++) {
      const byte = bytes[at];
      if (byte === LF) this.#line++;
      else if (byte === BACKSLASH && escapes) {
        at++;
        if (bytes[at] === LF) this.#line++;
      } else if (byte === this.#quote) {
        // A doubled quote closes and opens again at once, which comes to the same.
        this.#state = 'code';
        at++;
        break;
      }
    }
    // A backslash may have taken a byte beyond; at the very end there is none.
    this.#at = Math.min(at, this.#end);
  }

  #skipTo(wanted: number, stop: number): void {
    const found = this.#bytes.subarray(this.#at, stop).indexOf(wanted);
    if (found === -1) this.#at = stop;
    else {
      // The line's end is read as code: it counts lines there.
      this.#at += found;
      this.#state = 'code';
    }
    if (!this.#hasCode) this.#start = this.#at;
  }

  #skipComment(stop: number): void {
    const bytes = this.#bytes;
    let at = this.#at;
    for (; at < stop; at++) {
      if (bytes[at] === LF) this.#line++;
      else if (bytes[at] === STAR && bytes[at + 1] === SLASH) {
        this.#state = 'code';
        at += 2;
        break;
      }
    }
    this.#at = at;
    if (!this.#hasCode) this.#start = Math.min(at, this.#end);
  }

  #isDelimiterAt(at: number): boolean {
    const delimiter = this.#delimiter;
    if (this.#bytes[at] !== delimiter[0] || at + delimiter.length > this.#end) return false;
    for (let i = 1; i < delimiter.length; i++) if (this.#bytes[at + i] !== delimiter[i]) return false;
    return true;
  }

  #isBlankAt(at: number): boolean {
    return at >= this.#end || (this.#bytes[at] ?? 0) <= BLANK;
  }

  /** `DELIMITER //`: the client's own command, to the end of its line. */
  #readDelimiterCommand(): 'no' | 'more' | 'done' {
    const head = this.#bytes.toString('latin1', this.#at, Math.min(this.#at + 10, this.#end));
    if (!/^delimiter\s$/i.test(head)) return 'no';
    const length = this.#bytes.subarray(this.#at, this.#end).indexOf(LF);
    if (length === -1 && !this.#ended) return 'more';
    const end = length === -1 ? this.#end : this.#at + length;
    const [, word = ''] = /^\s*(\S*)/.exec(this.#bytes.toString('latin1', this.#at + 9, end)) ?? [];
    if (word === '')
      throw new CdcError('sql.delimiter', `line ${this.#line}: DELIMITER is followed by nothing`, {
        hint: 'write DELIMITER // or the like',
      });
    this.#delimiter = Buffer.from(word, 'latin1');
    this.#at = end;
    return 'done';
  }

  /** `USE name` needs no delimiter: its line ends it. */
  #isUse(): boolean {
    if (this.#at - this.#start > 200) return false;
    return /^use\s+\S+\s*$/i.test(this.#bytes.toString('latin1', this.#start, this.#at));
  }

  #take(end: number, next: number): Statement {
    let last = end;
    while (last > this.#start && (this.#bytes[last - 1] ?? 0) <= BLANK) last--;
    const statement = { sql: this.#bytes.subarray(this.#start, last), line: this.#startLine };
    if (statement.sql.length > this.#maxBytes) throw this.#tooLarge();
    this.#hasCode = false;
    this.#restart(next);
    return statement;
  }

  #restart(at: number): void {
    this.#at = at;
    this.#start = at;
  }

  #rest(): Statement | undefined {
    if (this.#state === 'quoted' || this.#state === 'comment' || this.#executable > 0) {
      const what = this.#state === 'quoted' ? `a quote (${String.fromCharCode(this.#quote)})` : 'a comment';
      throw new CdcError('sql.unfinished', `line ${this.#openLine}: ${what} that opens here does not end`, {
        hint: 'the file may be cut: compare its size with the original',
      });
    }
    return this.#hasCode ? this.#take(this.#end, this.#end) : undefined;
  }

  #tooLarge(): CdcError {
    return new CdcError(
      'sql.too-large',
      `line ${this.#startLine}: the statement is larger than the server's max_allowed_packet (${this.#maxBytes} bytes)`,
      { hint: 'raise it with SET GLOBAL max_allowed_packet, or dump with a smaller --net-buffer-length' },
    );
  }
}

/** The statements of a stream, in order. Each one's bytes are valid until the next is asked for. */
export async function* splitStatements(
  input: AsyncIterable<Uint8Array>,
  splitter: StatementSplitter = new StatementSplitter({ maxBytes: Number.POSITIVE_INFINITY }),
): AsyncGenerator<Statement> {
  for await (const chunk of input) {
    splitter.push(chunk);
    for (let statement = splitter.next(); statement !== undefined; statement = splitter.next()) yield statement;
  }
  splitter.end();
  for (let statement = splitter.next(); statement !== undefined; statement = splitter.next()) yield statement;
}
