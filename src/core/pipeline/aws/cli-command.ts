/** A call of AWS as a line for a shell: quoted so that it can be pasted, what is not known yet as a variable. Pure. */

import type { IdName } from './record.ts';

export interface CliCommand {
  service: string;
  /** As the API calls it: `CreateDBInstance`; or `wait …` as the command line does. */
  operation: string;
  input: object;
  /** Takes something of the answer into a variable for the commands that follow: an id that steps tell each other, or another. */
  assigns?: { query: string } & ({ id: IdName } | { variable: string });
  /** Text that the command reads, with variables in it: secrets stand in no argument. */
  stdin?: string;
}

/** A command; or a line of the shell as it is, such as a remark. */
export type CliLine = CliCommand | string;

/** Stands for the value of a shell variable within an input. */
export function variable(name: string): string {
  return `{{${name}}}`;
}

/** The variable in which the commands keep an id. */
export function variableOf(id: IdName): string {
  return id.toUpperCase();
}

const SERVICES: Readonly<Record<string, string>> = { s3: 's3api' };

export function renderLine(line: CliLine): string {
  if (typeof line === 'string') return line;
  const { service, operation, input, assigns, stdin } = line;
  const options = Object.entries<unknown>({ ...input }).flatMap(([name, value]) => optionOf(name, value));
  const command = ['aws', SERVICES[service] ?? service, kebab(operation), ...options].join(' ');
  const fed = stdin === undefined ? command : `printf '%s' ${quote(stdin)} | ${command}`;
  if (assigns === undefined) return fed;
  const name = 'id' in assigns ? variableOf(assigns.id) : assigns.variable;
  return `${name}=$(${fed} --query ${quote(assigns.query)} --output text)`;
}

function optionOf(name: string, value: unknown): string[] {
  const option = kebab(name);
  if (value === undefined) return [];
  if (value === true) return [`--${option}`];
  if (value === false) return [`--no-${option}`];
  return [`--${option} ${quote(typeof value === 'string' ? value : JSON.stringify(value))}`];
}

/** `DBInstanceIdentifier` → `db-instance-identifier`, as the AWS command line names its options. */
export function kebab(name: string): string {
  if (name.startsWith('wait ')) return name;
  return name
    .replace(/(.)([A-Z][a-z]+)/g, '$1-$2')
    .replace(/([a-z])([0-9]+)/g, '$1-$2')
    .replace(/([a-z0-9])([A-Z])/g, '$1-$2')
    .toLowerCase();
}

/** In single quotes, but for the variables: those in double ones. */
export function quote(text: string): string {
  if (/^[\w./:@%+=,-]+$/.test(text)) return text;
  return text
    .split(/(\{\{\w+\}\})/)
    .filter((part) => part !== '')
    .map((part) => {
      const [, name] = /^\{\{(\w+)\}\}$/.exec(part) ?? [];
      return name === undefined ? `'${part.replaceAll("'", `'\\''`)}'` : `"$${name}"`;
    })
    .join('');
}
