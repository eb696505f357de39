/** A cursor over SQL tokens with the questions a grammar asks: is this keyword next, what name stands here. */

import type { TableName } from '../change.ts';
import type { SqlToken } from './sql-tokens.ts';

const END: SqlToken = { kind: 'end', text: '', start: 0, end: 0 };

export class TokenReader {
  readonly #sql: string;
  readonly #tokens: readonly SqlToken[];
  #at: number;
  readonly #end: number;

  constructor(sql: string, tokens: readonly SqlToken[], from = 0, to = tokens.length) {
    this.#sql = sql;
    this.#tokens = tokens;
    this.#at = from;
    this.#end = to;
  }

  peek(ahead = 0): SqlToken {
    const index = this.#at + ahead;
    return index < this.#end ? (this.#tokens[index] ?? END) : END;
  }

  take(): SqlToken {
    const token = this.peek();
    if (token.kind !== 'end') this.#at++;
    return token;
  }

  atEnd(): boolean {
    const token = this.peek();
    return token.kind === 'end' || isSymbol(token, ';');
  }

  /** The keywords in this order are next; a quoted name is never a keyword. */
  isNext(...words: string[]): boolean {
    return words.every((word, index) => isKeyword(this.peek(index), word));
  }

  /** One of these keywords is next. */
  isAnyOf(words: ReadonlySet<string>): boolean {
    const token = this.peek();
    return token.kind === 'word' && words.has(token.text.toUpperCase());
  }

  /** Takes the keywords when all of them are next. */
  skip(...words: string[]): boolean {
    if (!this.isNext(...words)) return false;
    this.#at += words.length;
    return true;
  }

  skipSymbol(symbol: string): boolean {
    if (!isSymbol(this.peek(), symbol)) return false;
    this.#at++;
    return true;
  }

  isSymbol(symbol: string): boolean {
    return isSymbol(this.peek(), symbol);
  }

  /** A name, quoted or bare. */
  name(): string | undefined {
    const token = this.peek();
    if (token.kind !== 'word' && token.kind !== 'name' && token.kind !== 'number') return undefined;
    this.#at++;
    return token.text;
  }

  /** `table`, `schema.table`, `.table`. */
  tableName(defaultSchema: string): TableName | undefined {
    if (this.skipSymbol('.')) {
      const table = this.name();
      return table === undefined ? undefined : { schema: defaultSchema, table };
    }
    const first = this.name();
    if (first === undefined) return undefined;
    if (!this.skipSymbol('.')) return { schema: defaultSchema, table: first };
    const table = this.name();
    return table === undefined ? undefined : { schema: first, table };
  }

  /** From an opening parenthesis to behind its closing one; the text between. */
  parentheses(): string | undefined {
    if (!this.isSymbol('(')) return undefined;
    const from = this.take().end;
    for (let depth = 1; ; ) {
      const token = this.take();
      if (token.kind === 'end') return undefined;
      if (isSymbol(token, '(')) depth++;
      if (isSymbol(token, ')') && --depth === 0) return this.#sql.slice(from, token.start);
    }
  }

  /** The tokens inside the parentheses that are next, which are taken. */
  inParentheses(): TokenReader | undefined {
    const from = this.#at + 1;
    return this.parentheses() === undefined ? undefined : new TokenReader(this.#sql, this.#tokens, from, this.#at - 1);
  }

  /** The rest, cut at commas that stand outside parentheses. */
  splitAtCommas(): TokenReader[] {
    const parts: TokenReader[] = [];
    let from = this.#at;
    let depth = 0;
    for (; !this.atEnd(); this.#at++) {
      const token = this.peek();
      if (isSymbol(token, '(')) depth++;
      else if (isSymbol(token, ')')) depth--;
      else if (depth === 0 && isSymbol(token, ',')) {
        parts.push(new TokenReader(this.#sql, this.#tokens, from, this.#at));
        from = this.#at + 1;
      }
    }
    if (from < this.#at || parts.length > 0) parts.push(new TokenReader(this.#sql, this.#tokens, from, this.#at));
    return parts;
  }

  /** Whether the keywords stand anywhere in the rest, in this order and side by side. */
  contains(...words: string[]): boolean {
    for (let index = this.#at; index < this.#end; index++)
      if (words.every((word, offset) => isKeyword(this.#tokens[index + offset] ?? END, word))) return true;
    return false;
  }

  /** The rest as written, cut for a message. */
  text(): string {
    const first = this.peek();
    const last = this.#tokens[this.#end - 1] ?? END;
    const text = this.#sql.slice(first.start, last.end).replace(/\s+/g, ' ').trim();
    return text.length > 80 ? `${text.slice(0, 77)}...` : text;
  }
}

function isKeyword(token: SqlToken, word: string): boolean {
  return token.kind === 'word' && token.text.toUpperCase() === word;
}

function isSymbol(token: SqlToken, symbol: string): boolean {
  return token.kind === 'symbol' && token.text === symbol;
}
