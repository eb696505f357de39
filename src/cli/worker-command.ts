/** The command line of a worker: this same program, in the foreground, with what the caller was asked for. */

import { fileURLToPath } from 'node:url';

export function workerCommand(configFile: string, flags: string[]): string[] {
  const program = fileURLToPath(new URL('../../bin/cdc.js', import.meta.url));
  return [process.execPath, program, 'replicate', '--foreground', '--verbose', '--config', configFile, ...flags];
}
