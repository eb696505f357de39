/** Every code an error can have: what it means and what mends it. A test compares the list with the codes in the source. */

export interface ErrorCodeEntry {
  code: string;
  means: string;
  cure: string;
}

export const ERROR_CODES: readonly ErrorCodeEntry[] = [
  { code: 'usage', means: 'the command line is wrong', cure: '`cdc help COMMAND` shows what the command takes' },
  {
    code: 'config',
    means: 'cdc.yaml, a flag or an environment variable holds something wrong; every problem is listed with its place',
    cure: 'mend the lines it names; `cdc check` reads the file again',
  },
  {
    code: 'config.missing',
    means: 'there is no cdc.yaml',
    cure: '`cdc init` writes one; --config names one elsewhere',
  },
  { code: 'config.unreadable', means: 'cdc.yaml is there but cannot be read', cure: 'mend its permissions' },
  {
    code: 'config.secret',
    means: 'a secret that cdc.yaml refers to is not there',
    cure: 'export the variable, or write the file, that the message names',
  },
  { code: 'cancelled', means: 'you, or a signal, interrupted it', cure: 'run it again; nothing is half done' },
];
