/** Objects of cdc.yaml as zod schemas: unknown keys are named with the nearest valid one, and every problem is kept. */

import { z } from 'zod';
import { didYouMean } from './nearest-word.ts';

/** An object with exactly these keys. zod's own strict object gathers unknown keys in one issue without the valid ones. */
export function keyed<Shape extends z.ZodRawShape>(shape: Shape) {
  const object = z.object(shape);
  return z.unknown().transform((value, context): z.output<typeof object> => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      context.addIssue({ code: 'custom', message: `takes keys: ${Object.keys(shape).join(', ')}` });
      return z.NEVER;
    }
    let isWrong = false;
    for (const key of Object.keys(value)) {
      if (Object.hasOwn(shape, key)) continue;
      isWrong = true;
      context.addIssue({
        code: 'custom',
        path: [key],
        message: `is not a key${didYouMean(key, Object.keys(shape))}`,
      });
    }
    const parsed = object.safeParse(value);
    if (!parsed.success) passOn(parsed.error.issues, value, context);
    return parsed.success && !isWrong ? parsed.data : z.NEVER;
  });
}

/** One of a few words; `later` are words of versions to come, refused as such. */
export function oneOf<const Word extends string>(words: readonly [Word, ...Word[]], later: readonly string[] = []) {
  return z.unknown().transform((value, context): Word => {
    const word = words.find((candidate) => candidate === value);
    if (word !== undefined) return word;
    // YAML reads `null` and `off` as words or as values, depending on its version.
    if (value === null) {
      const nothing = words.find((candidate) => candidate === 'null');
      if (nothing !== undefined) return nothing;
    }
    const shown = typeof value === 'string' ? value : JSON.stringify(value);
    const choices = words.length === 1 ? `write ${words[0]}` : `write one of ${words.join(', ')}`;
    context.addIssue({
      code: 'custom',
      message: later.includes(shown)
        ? `${shown} is not built yet: ${choices}`
        : `${shown} is not known here: ${choices}${didYouMean(shown, words)}`,
    });
    return z.NEVER;
  });
}

/** A text stands for the object with that one key. */
export function shorthand<Schema extends z.ZodType>(key: string, schema: Schema) {
  return z.unknown().transform((value, context): z.output<Schema> => {
    const isText = typeof value === 'string';
    const object = isText ? { [key]: value } : value;
    const parsed = schema.safeParse(object);
    if (parsed.success) return parsed.data;
    passOn(parsed.error.issues, object, context, isText ? [] : undefined);
    return z.NEVER;
  });
}

/** Hands the issues that an inner schema found in `value` to the outer one, in our words; `path` replaces theirs. */
export function passOn(
  issues: readonly z.core.$ZodIssue[],
  value: unknown,
  context: z.core.$RefinementCtx,
  path?: PropertyKey[],
): void {
  for (const issue of issues)
    context.issues.push({
      code: 'custom',
      input: undefined,
      path: path ?? issue.path,
      message: issue.code === 'custom' ? issue.message : wordIssue(issue, valueAt(value, issue.path)),
    });
}

function wordIssue(issue: z.core.$ZodIssue, value: unknown): string {
  if (value === undefined) return 'is missing';
  if (value === null) return 'has no value: give one, or leave the line out';
  if (issue.code === 'too_small' && Array.isArray(value)) return 'is an empty list';
  if (issue.code === 'invalid_type') return `takes ${article(issue.expected)}`;
  return issue.message;
}

const TYPE_WORDS: Readonly<Record<string, string>> = { array: 'a list', string: 'a text', int: 'a whole number' };

function article(type: string): string {
  return TYPE_WORDS[type] ?? `a ${type}`;
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  let value = root;
  for (const key of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = Object.entries(value).find(([name]) => name === String(key))?.[1];
  }
  return value;
}
