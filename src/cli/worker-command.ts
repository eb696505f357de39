/** The command line of a worker: this same program, in the foreground, with what the caller was asked for. */

import { packageFile } from '../core/package-file.ts';

export function workerCommand(configFile: string, flags: string[]): string[] {
  const program = packageFile('bin/cdc.js');
  return [process.execPath, program, 'replicate', '--foreground', '--verbose', '--config', configFile, ...flags];
}
