/** Reports as JSON: integers that a double cannot hold become strings; times are ISO-8601 UTC by Date's own form. */

/** undefined for undefined, as JSON has no word for it. */
export function toJson(value: unknown, indent?: number): string | undefined {
  return JSON.stringify(value, replaceBigInt, indent);
}

function replaceBigInt(_key: string, value: unknown): unknown {
  if (typeof value !== 'bigint') return value;
  const isSafe = value <= Number.MAX_SAFE_INTEGER && value >= Number.MIN_SAFE_INTEGER;
  return isSafe ? Number(value) : value.toString();
}
