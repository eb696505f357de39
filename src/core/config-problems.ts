/** Reads the text of cdc.yaml, lays flags and environment over it, and names each problem with the place its value came from. */

import { basename } from 'node:path';
import { isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { ConfigError, type ConfigProblem } from './errors.ts';

/** A value that a flag or an environment variable puts at a path of cdc.yaml. */
export interface ConfigOverride {
  /** Dotted: `merge.engine`. */
  path: string;
  value: unknown;
  /** `flag --engine`, `env CDC_TLS_CA`. */
  origin: string;
}

type Path = readonly PropertyKey[];

/** The validated values; throws ConfigError with every problem at once. */
export function readConfigText<Schema extends z.ZodType>(
  input: { file: string; text: string; overrides: readonly ConfigOverride[] },
  schema: Schema,
): z.output<Schema> {
  const lines = new LineCounter();
  const document = parseDocument(input.text, { lineCounter: lines, prettyErrors: false });
  const file = basename(input.file);
  const place = (offset: number) => `${file}:${lines.linePos(offset).line}`;
  if (document.errors.length > 0)
    throw new ConfigError(
      document.errors.map((error) => ({ path: 'yaml', origin: place(error.pos[0]), message: error.message })),
    );

  const raw: unknown = document.toJS() ?? {};
  if (!isRecord(raw))
    throw new ConfigError([{ path: 'yaml', origin: `${file}:1`, message: 'the file does not hold keys (name: …)' }]);
  for (const override of input.overrides) layOver(raw, override);

  const parsed = schema.safeParse(raw);
  if (parsed.success) return parsed.data;

  const originOf = (path: Path): string => {
    const dotted = formatPath(path);
    const isUnder = (over: string) => dotted === over || dotted.startsWith(`${over}.`) || dotted.startsWith(`${over}[`);
    const override = input.overrides.findLast((candidate) => isUnder(candidate.path));
    if (override !== undefined) return override.origin;
    const offset = offsetOf(document.contents, path);
    return offset === undefined ? file : place(offset);
  };
  throw new ConfigError(
    parsed.error.issues.map(
      (issue): ConfigProblem => ({
        path: formatPath(issue.path),
        origin: originOf(issue.path),
        message: issue.message,
      }),
    ),
  );
}

/** `tables[1].mode`. */
function formatPath(path: Path): string {
  return path.reduce<string>(
    (text, key) => (typeof key === 'number' ? `${text}[${key}]` : text === '' ? String(key) : `${text}.${String(key)}`),
    '',
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Keys that may be written as a text alone, and the key that the text then stands for. */
const SHORTHANDS: Readonly<Record<string, string>> = { source: 'url', staging: 'location', lake: 'location' };

function layOver(raw: Record<string, unknown>, override: ConfigOverride): void {
  if (override.path.startsWith('source.') && (raw.source ?? (raw.target === 'aws' ? 'rds' : undefined)) === 'rds')
    raw.source = { rds: {} };
  // CDC_TLS_CA is set for a whole shell; a private server has no TLS for it to speak of.
  if (override.path === 'source.tls.ca' && !isServerUrl(raw.source)) return;
  setAt(raw, override.path.split('.'), override.value);
}

function isServerUrl(source: unknown): boolean {
  return typeof source === 'string' ? source !== 'private' : isRecord(source) && ('url' in source || 'rds' in source);
}

function setAt(root: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [key, ...rest] = path;
  if (key === undefined) return;
  if (rest.length === 0) {
    root[key] = value;
    return;
  }
  const inner = root[key];
  const longKey = SHORTHANDS[key];
  const expanded = typeof inner === 'string' && longKey !== undefined ? { [longKey]: inner } : {};
  const next: Record<string, unknown> = isRecord(inner) ? inner : expanded;
  root[key] = next;
  setAt(next, rest, value);
}

/** Where in the text the deepest part of the path that stands there begins. */
function offsetOf(node: unknown, path: Path, found?: number): number | undefined {
  const [key, ...rest] = path;
  if (key === undefined) return found;
  if (isMap(node)) {
    const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(key));
    if (pair === undefined || !isScalar(pair.key)) return found;
    return offsetOf(pair.value, rest, pair.key.range?.[0] ?? found);
  }
  if (isSeq(node) && typeof key === 'number') {
    const item = node.items[key];
    const range = isMap(item) || isScalar(item) || isSeq(item) ? item.range : undefined;
    return offsetOf(item, rest, range?.[0] ?? found);
  }
  return found;
}
