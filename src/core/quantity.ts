/** Sizes and durations as people write them in cdc.yaml (`64MB`, `500ms`), turned into bytes and milliseconds. */

const BYTES: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

const MILLISECONDS: Readonly<Record<string, number>> = { ms: 1, s: 1e3, m: 60e3, min: 60e3, h: 3600e3, d: 86400e3 };

/** undefined for a text that is no size. */
export function parseBytes(text: string): number | undefined {
  return parse(text, Object.fromEntries(Object.entries(BYTES).map(([unit, size]) => [unit.toLowerCase(), size])));
}

/** undefined for a text that is no duration. */
export function parseDuration(text: string): number | undefined {
  return parse(text, MILLISECONDS);
}

/** `64MB`; the largest decimal unit that leaves a number of one to three digits before the point. */
export function formatBytes(bytes: number): string {
  const [unit, size] = (['TB', 'GB', 'MB', 'KB'] as const)
    .map((name) => [name, BYTES[name] ?? 1] as const)
    .find(([, size]) => bytes >= size) ?? ['B', 1];
  return `${Number((bytes / size).toPrecision(3))}${unit}`;
}

function parse(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const [, number, unit] = /^(\d+(?:\.\d+)?)\s*([a-z]+)$/i.exec(text.trim()) ?? [];
  const size = unit === undefined ? undefined : units[unit.toLowerCase()];
  return number === undefined || size === undefined ? undefined : Math.round(Number(number) * size);
}
