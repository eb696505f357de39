/** Where the database may be, in a network of the user's own; in the default VPC RDS needs to be told nothing. */

import { isAwsError } from '../../../aws/aws-error.ts';
import {
  createDatabaseSubnets,
  databaseSubnetsInput,
  deleteDatabaseSubnets,
  findDatabaseSubnets,
} from '../../../aws/rds-subnets.ts';
import { repeatWhile } from '../../../aws/wait.ts';
import { type AwsContext, compare, owned, type Resource } from '../resource.ts';

export function databaseSubnets(name: string): Resource {
  const group = ({ place, tags }: AwsContext) => ({
    name,
    description: 'cdc: where the database may be',
    subnetIds: place.subnets.map(({ id }) => id),
    tags,
  });
  return {
    id: 'database-subnets',
    guideSection: '3',
    title: `subnet group ${name} of the database`,
    needs: [],
    expectedSeconds: 5,
    rights: [
      'rds:CreateDBSubnetGroup',
      'rds:DeleteDBSubnetGroup',
      'rds:DescribeDBSubnetGroups',
      'rds:AddTagsToResource',
    ],
    async look(context) {
      const found = await findDatabaseSubnets(context.session, name);
      if (found === undefined) return { state: 'absent' };
      return owned(context, `subnet group ${name} of RDS`, found.tags, {
        differences: compare({ vpc: [found.vpcId, context.place.vpcId] }, false),
      });
    },
    create: (context) => createDatabaseSubnets(context.session, group(context)),
    commands: (context) => [
      { service: 'rds', operation: 'CreateDBSubnetGroup', input: databaseSubnetsInput(group(context)) },
    ],
    remove: ({ session }) =>
      repeatWhile(
        session,
        { isTooEarly: (error) => isAwsError(error, 'wrong-state'), boundSeconds: 600, everySeconds: 10 },
        () => deleteDatabaseSubnets(session, name),
      ),
  };
}
