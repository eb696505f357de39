/** A call of AWS as a line for a shell: quoted so that it can be pasted, what is not known yet as a variable. Pure. */

export interface CliCommand {
  service: string;
  /** As the API calls it: `CreateDBInstance`; or `wait …` as the command line does. */
  operation: string;
  input: object;
  /** Takes something of the answer into a variable for the commands that follow. */
  assigns?: { variable: string; query: string };
  /** Text that the command reads, with variables in it: secrets stand in no argument. */
  stdin?: string;
}

/** Stands for the value of a shell variable within an input. */
export function variable(name: string): string {
  return `{{${name}}}`;
}

const SERVICES: Readonly<Record<string, string>> = { s3: 's3api' };

export function renderCommand({ service, operation, input, assigns, stdin }: CliCommand): string {
  const options = Object.entries<unknown>({ ...input }).flatMap(([name, value]) => optionOf(name, value));
  const command = ['aws', SERVICES[service] ?? service, kebab(operation), ...options].join(' ');
  const fed = stdin === undefined ? command : `printf '%s' ${quote(stdin)} | ${command}`;
  if (assigns === undefined) return fed;
  return `${assigns.variable}=$(${fed} --query ${quote(assigns.query)} --output text)`;
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
