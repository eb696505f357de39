/** What an emulated account holds, so that two runs from nothing can be compared. */

import type { AwsSettings } from './emulator.ts';

/** Without what is another each time: the text for NULL, times in checkpoints, notes and names, and the contents that hold them. */
export function comparableSettings(settings: AwsSettings): unknown {
  let epochs = 0;
  const text = JSON.stringify(settings)
    .replace(/<null .{16}>/g, '<null>')
    .replace(/(checkpoint:[^"]*?:-1):\d+/g, '$1')
    // Counted, so that one too many shows.
    .replace(/("_cdc\/dms\/[^"]*\/)\d{8}-\d{9}\.json"/g, (_, folder) => `${folder}${++epochs}.json"`);
  return JSON.parse(text, (key, value: unknown) => {
    // The emulator knows an instance's addresses from the first look on after it came up.
    if (/^ReplicationInstance(Private|Public)IpAddress/.test(key)) return undefined;
    return key.startsWith('_cdc/') ? '…' : value;
  });
}

/** Where two such accounts part, as `s3/aws:shop-code/lifecycle: [] instead of [{…}]`; undefined where they are alike. */
export function firstDifference(found: unknown, wanted: unknown, path = ''): string | undefined {
  if (!isObject(found) || !isObject(wanted))
    return found === wanted ? undefined : `${path}: ${JSON.stringify(found)} instead of ${JSON.stringify(wanted)}`;
  for (const key of new Set([...Object.keys(wanted), ...Object.keys(found)])) {
    const difference = firstDifference(found[key], wanted[key], path === '' ? key : `${path}/${key}`);
    if (difference !== undefined) return difference;
  }
  return undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
