/** The parameter group: what makes the database's binlog one that can be followed (guide, section 3). */

import {
  changeParameters,
  createParameterGroup,
  deleteParameterGroup,
  findParameterGroup,
  parameterGroupInput,
  parametersInput,
  parametersOf,
} from '../../../aws/rds.ts';
import { type AwsContext, type Difference, owned, type Resource } from '../resource.ts';

/** What DMS needs of the binlog (reference: aws 3.2), and TLS for everybody. */
const PARAMETERS: Readonly<Record<string, string>> = {
  binlog_format: 'ROW',
  binlog_row_image: 'full',
  binlog_checksum: 'NONE',
  require_secure_transport: '1',
};

export function parameterGroup(name: string, family: string): Resource {
  const group = ({ tags }: AwsContext) => ({
    name,
    family,
    description: 'binlog for change data capture by cdc',
    tags,
  });
  return {
    id: 'parameter-group',
    guideSection: '3',
    title: `parameter group ${name} (${family}: ${Object.entries(PARAMETERS)
      .map(([key, value]) => `${key}=${value}`)
      .join(', ')})`,
    needs: [],
    expectedSeconds: 5,
    rights: [
      'rds:CreateDBParameterGroup',
      'rds:ModifyDBParameterGroup',
      'rds:DeleteDBParameterGroup',
      'rds:AddTagsToResource',
    ],
    async look(context) {
      const found = await findParameterGroup(context.session, name);
      if (found === undefined) return { state: 'absent' };
      const set = await parametersOf(context.session, name, Object.keys(PARAMETERS));
      const differences: Difference[] = Object.entries(PARAMETERS)
        .map(([what, wanted]) => ({ what, is: set.get(what)?.value ?? 'not set', wanted, isMendable: true }))
        .filter(({ is, wanted }) => is.toLowerCase() !== wanted.toLowerCase());
      if (found.family !== family)
        differences.push({ what: 'family', is: found.family, wanted: family, isMendable: false });
      return owned(context, `parameter group ${name}`, found.tags, { differences });
    },
    create: (context) => createParameterGroup(context.session, group(context)),
    async mend({ session }, differences) {
      const set = await parametersOf(session, name, Object.keys(PARAMETERS));
      await changeParameters(
        session,
        name,
        differences.map(({ what, wanted }) => ({
          name: what,
          value: wanted,
          isDynamic: set.get(what)?.isDynamic ?? false,
        })),
      );
    },
    commands: (context) => [
      { service: 'rds', operation: 'CreateDBParameterGroup', input: parameterGroupInput(group(context)) },
      {
        service: 'rds',
        operation: 'ModifyDBParameterGroup',
        // Nothing runs with them yet, so all may wait for the start of the database.
        input: parametersInput(
          name,
          Object.entries(PARAMETERS).map(([what, value]) => ({ name: what, value, isDynamic: false })),
        ),
      },
    ],
    remove: ({ session }) => deleteParameterGroup(session, name),
  };
}
