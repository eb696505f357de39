/** The steps of a plan as a script of the AWS command line, by the guide's sections: each resource says its own commands. Pure. */

import { quote, renderLine, variable, variableOf } from './cli-command.ts';
import type { AwsView } from './look.ts';
import { ID_NAMES, type IdName } from './record.ts';
import type { AwsContext } from './resource.ts';

/** Only what is left to be made. What cdc alone can do is a remark that says so. */
export function cliCommands(view: AwsView): string {
  const steps = view.steps.filter(({ action }) => action === 'create');
  if (steps.length === 0) return '# nothing is left to be made';
  const context = withVariables(view.context);
  const lines = steps.flatMap(({ id, guideSection, resource }) => {
    const commands = view.resources.find((candidate) => candidate.id === id)?.commands;
    const said = commands?.(context) ?? [`# cdc init --only ${id}`];
    return ['', `# §${guideSection} ${id}: ${resource}`, ...said.map(renderLine)];
  });
  const { account, region } = view.context.session;
  return [
    '#!/bin/bash -e',
    `# The steps of cdc plan as commands of the AWS CLI 2: account ${account}, region ${region}.`,
    `export AWS_REGION=${region}`,
    ...knownIds(view.context, lines),
    ...lines,
  ].join('\n');
}

/** The database's port is in the command that makes it; every other id is AWS's to say. */
const ASSIGNED: readonly IdName[] = ID_NAMES.filter((id) => id !== 'database_port');

function withVariables(context: AwsContext): AwsContext {
  const variables = ASSIGNED.map((id): [IdName, string] => [id, variable(variableOf(id))]);
  return { ...context, ids: new Map([...context.ids, ...variables]) };
}

/** What was found in the account and the commands need. */
function knownIds({ ids }: AwsContext, lines: readonly string[]): string[] {
  return [...ids].flatMap(([id, value]) => {
    const name = variableOf(id);
    return lines.some((line) => line.includes(`"$${name}"`)) ? [`${name}=${quote(value)}`] : [];
  });
}
