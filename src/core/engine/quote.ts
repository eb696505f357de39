/** Names and texts inside SQL for the engine: nothing reaches it unquoted. */

/** An identifier. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text literal; also for paths. A NUL, which ends SQL text for the engine, is put in by function. */
export function quoteText(text: string): string {
  const literal = (part: string) => `'${part.replaceAll("'", "''")}'`;
  return text.includes('\0') ? `(${text.split('\0').map(literal).join(' || chr(0) || ')})` : literal(text);
}

/** A list of text literals, as `read_parquet` takes paths. */
export function quoteTexts(texts: readonly string[]): string {
  return `[${texts.map(quoteText).join(', ')}]`;
}

/**
 * Paths of files to read, each meaning that file alone: the engine takes `*`, `?` and `[` in a path for a pattern and would
 * read `data1/` for `data[1]/` where both are there.
 */
export function quotePaths(paths: readonly string[]): string {
  return quoteTexts(paths.map((path) => path.replace(/[*?[]/g, '[$&]')));
}
