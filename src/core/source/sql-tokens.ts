/**
 * SQL text to tokens as the server splits it: comments gone, executable comments opened, quoted names and strings taken
 * out of their quotes. Enough to read DDL by; it knows no grammar.
 */

export interface SqlToken {
  /** `word`: a bare name or keyword; `name`: a quoted name, never a keyword; `end`: after the last. */
  kind: 'word' | 'name' | 'string' | 'number' | 'symbol' | 'end';
  /** A name without its quotes, a string's value, else the text as written. */
  text: string;
  /** Where the token begins in the SQL text. */
  start: number;
  end: number;
}

/** What the text means on the server that wrote it. A Query event carries its session's sql_mode. */
export interface SqlDialect {
  flavor: 'mysql' | 'mariadb';
  /** As in executable comments: 80031, 101119. */
  version: number;
  /** sql_mode ANSI_QUOTES: "x" is a name, not a string. */
  ansiQuotes: boolean;
  /** sql_mode NO_BACKSLASH_ESCAPES. */
  noBackslashEscapes: boolean;
  /** sql_mode REAL_AS_FLOAT. */
  realAsFloat: boolean;
  /** MariaDB's sql_mode ORACLE or MAXDB: type names mean other types. */
  otherTypes: boolean;
  /** explicit_defaults_for_timestamp; undefined when it is not known. */
  explicitTimestamps?: boolean | undefined;
}

export const MYSQL_DIALECT: SqlDialect = {
  flavor: 'mysql',
  version: 80031,
  ansiQuotes: false,
  noBackslashEscapes: false,
  realAsFloat: false,
  otherTypes: false,
};

const SQL_MODE = { realAsFloat: 1n, ansiQuotes: 4n, oracle: 512n, maxdb: 4096n, noBackslashEscapes: 1n << 20n };

/** The dialect of a Query event: the server it came from, and the sql_mode bits in the event's status variables. */
export function sqlDialect(server: {
  flavor: 'mysql' | 'mariadb';
  /** `8.0.31`, `10.11.19-MariaDB-log`. */
  version: string;
  sqlMode?: bigint | undefined;
  explicitTimestamps?: boolean | undefined;
}): SqlDialect {
  const mode = server.sqlMode ?? 0n;
  const on = (bits: bigint) => (mode & bits) !== 0n;
  return {
    flavor: server.flavor,
    version: versionNumber(server.version),
    ansiQuotes: on(SQL_MODE.ansiQuotes),
    noBackslashEscapes: on(SQL_MODE.noBackslashEscapes),
    realAsFloat: on(SQL_MODE.realAsFloat),
    otherTypes: server.flavor === 'mariadb' && on(SQL_MODE.oracle | SQL_MODE.maxdb),
    explicitTimestamps: server.explicitTimestamps,
  };
}

/** `8.0.31` -> 80031, `10.11.19-MariaDB` -> 101119. */
export function versionNumber(version: string): number {
  const [, major, minor, patch] = /^(\d+)\.(\d+)(?:\.(\d+))?/.exec(version) ?? [];
  return Number(major ?? 0) * 10_000 + Number(minor ?? 0) * 100 + Number(patch ?? 0);
}

const NAME_START = /[A-Za-z0-9_$\u0080-\uffff]/;
const NAME = /[A-Za-z0-9_$\u0080-\uffff]+/y;
const BLANK = /\s/;
const ESCAPES: Record<string, string> = { n: '\n', t: '\t', r: '\r', b: '\b', '0': '\0', Z: '\x1a' };

/** Throws RangeError where a quote or comment does not end: such a text is no statement the server ran. */
export function tokenize(sql: string, dialect: SqlDialect): SqlToken[] {
  const tokens: SqlToken[] = [];
  let at = 0;
  /** Executable comments that are open: their end mark is skipped like a blank. */
  let open = 0;
  while (at < sql.length) {
    const char = sql.charAt(at);
    const next = sql.charAt(at + 1);
    const start = at;
    if (BLANK.test(char)) at++;
    else if (
      char === '#' ||
      (char === '-' && next === '-' && (at + 2 >= sql.length || /[\s\p{Cc}]/u.test(sql.charAt(at + 2))))
    )
      at = lineEnd(sql, at);
    else if (char === '/' && next === '*') {
      const executable = executableComment(sql, at, dialect);
      if (executable === undefined) at = commentEnd(sql, at);
      else {
        at = executable;
        open++;
      }
    } else if (open > 0 && char === '*' && next === '/') {
      open--;
      at += 2;
    } else if (char === '`' || (char === '"' && dialect.ansiQuotes)) {
      const quoted = quotedText(sql, at, char, false);
      at = quoted.end;
      tokens.push({ kind: 'name', text: quoted.text, start, end: at });
    } else if (char === "'" || char === '"') {
      const quoted = quotedText(sql, at, char, !dialect.noBackslashEscapes);
      at = quoted.end;
      tokens.push({ kind: 'string', text: quoted.text, start, end: at });
    } else if (NAME_START.test(char)) {
      NAME.lastIndex = at;
      const text = NAME.exec(sql)?.[0] ?? char;
      at += text.length;
      tokens.push({ kind: /^\d+$/.test(text) ? 'number' : 'word', text, start, end: at });
    } else {
      at++;
      tokens.push({ kind: 'symbol', text: char, start, end: at });
    }
  }
  tokens.push({ kind: 'end', text: '', start: sql.length, end: sql.length });
  return tokens;
}

function lineEnd(sql: string, at: number): number {
  const end = sql.indexOf('\n', at);
  return end === -1 ? sql.length : end + 1;
}

function commentEnd(sql: string, at: number): number {
  const end = sql.indexOf('*/', at + 2);
  if (end === -1) throw new RangeError('a comment does not end');
  return end + 2;
}

/** Where the code of an executable comment begins; undefined when this server takes it for a comment. */
function executableComment(sql: string, at: number, dialect: SqlDialect): number | undefined {
  const match = /^\/\*(M?)!(\d{5,6})?/.exec(sql.slice(at, at + 12));
  if (match === null) return undefined;
  const version = Number(match[2] ?? 0);
  const mariaOnly = match[1] === 'M';
  if (mariaOnly && dialect.flavor === 'mysql') return undefined;
  if (version > dialect.version) return undefined;
  // MariaDB skips what is written for MySQL 5.7 and later: it went its own way from there.
  if (dialect.flavor === 'mariadb' && !mariaOnly && version >= 50_700 && version <= 99_999) return undefined;
  return at + match[0].length;
}

function quotedText(sql: string, at: number, quote: string, backslash: boolean): { text: string; end: number } {
  let text = '';
  let from = at + 1;
  for (let i = from; i < sql.length; i++) {
    const char = sql.charAt(i);
    if (char === '\\' && backslash) {
      const escaped = sql.charAt(i + 1);
      text += sql.slice(from, i) + (ESCAPES[escaped] ?? escaped);
      i++;
      from = i + 1;
    } else if (char === quote) {
      text += sql.slice(from, i);
      if (sql.charAt(i + 1) !== quote) return { text, end: i + 1 };
      text += quote;
      i++;
      from = i + 1;
    }
  }
  throw new RangeError('a quote does not end');
}
