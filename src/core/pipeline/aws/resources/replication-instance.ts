/** The subnet group and the replication instance (guide, section 5.3). */

import { isAwsError } from '../../../aws/aws-error.ts';
import {
  changeReplicationInstance,
  createReplicationInstance,
  createSubnetGroup,
  deleteReplicationInstance,
  deleteSubnetGroup,
  findReplicationInstance,
  findSubnetGroup,
  type NewReplicationInstance,
  replicationInstanceInput,
  subnetGroupInput,
} from '../../../aws/dms.ts';
import { repeatWhile, waitFor } from '../../../aws/wait.ts';
import { CdcError } from '../../../errors.ts';
import { type AwsContext, compare, idOf, owned, type Resource } from '../resource.ts';

const BROKEN = /^(failed|storage-full|inaccessible-encryption-credentials|incompatible-.*)$/;
const LOOK_SECONDS = 30;

/** DMS learns of the account's roles a while after they were made. */
const UNTIL_ROLES_ARE_KNOWN = { isTooEarly: (error: CdcError) => isAwsError(error, 'not-yet'), boundSeconds: 120 };

export function subnetGroup(id: string): Resource {
  const group = ({ place, tags }: AwsContext) => ({
    id,
    description: 'cdc: where the replication instance may be',
    subnetIds: place.subnets.map((subnet) => subnet.id),
    tags,
  });
  return {
    id: 'subnet-group',
    guideSection: '5.3',
    title: `subnet group ${id}`,
    needs: ['account-roles'],
    expectedSeconds: 20,
    rights: [
      'dms:CreateReplicationSubnetGroup',
      'dms:DeleteReplicationSubnetGroup',
      'dms:AddTagsToResource',
      'iam:GetRole',
      'iam:PassRole',
    ],
    async look(context) {
      const found = await findSubnetGroup(context.session, id);
      if (found === undefined) return { state: 'absent' };
      return owned(context, `subnet group ${id}`, found.tags, {
        differences: compare({ vpc: [found.vpcId, context.place.vpcId] }, false),
      });
    },
    create: (context) =>
      repeatWhile(context.session, UNTIL_ROLES_ARE_KNOWN, () => createSubnetGroup(context.session, group(context))),
    commands: (context) => [
      { service: 'dms', operation: 'CreateReplicationSubnetGroup', input: subnetGroupInput(group(context)) },
    ],
    remove: ({ session }) =>
      // The instance has gone for DMS before it has gone for the group.
      repeatWhile(
        session,
        { isTooEarly: (error) => isAwsError(error, 'wrong-state'), boundSeconds: 600, everySeconds: 10 },
        () => deleteSubnetGroup(session, id),
      ),
  };
}

export function replicationInstance(options: {
  id: string;
  instanceClass: string;
  isPublic: boolean;
  version: string;
  subnetGroup: string;
}): Resource {
  const { id, instanceClass, isPublic, version } = options;
  const wanted = (context: AwsContext): NewReplicationInstance => ({
    ...options,
    securityGroups: [idOf(context, 'dms_security_group')],
    tags: context.tags,
  });
  return {
    id: 'replication-instance',
    guideSection: '5.3',
    title: `replication instance ${id} (${instanceClass}${isPublic ? '' : ', private'}${version === '' ? '' : `, DMS ${version}`})`,
    needs: ['subnet-group', 'security-groups'],
    expectedSeconds: 480,
    rights: [
      'dms:CreateReplicationInstance',
      'dms:ModifyReplicationInstance',
      'dms:DeleteReplicationInstance',
      'dms:AddTagsToResource',
      // DMS asks them of the caller.
      'ec2:DescribeAvailabilityZones',
      'ec2:DescribeInternetGateways',
      'ec2:DescribeVpcs',
      'ec2:DescribeSubnets',
      'ec2:DescribeSecurityGroups',
    ],
    async look(context) {
      const found = await findReplicationInstance(context.session, id);
      if (found === undefined) return { state: 'absent' };
      const group = context.ids.get('dms_security_group');
      return owned(context, `replication instance ${id}`, found.tags, {
        ids: { replication_instance: found.arn },
        differences: [
          ...compare({
            ...(found.status === 'available' ? {} : { status: [found.status, 'available'] }),
            class: [found.instanceClass, instanceClass],
          }),
          ...compare(
            {
              public: [found.isPublic, isPublic],
              ...(group === undefined || found.securityGroups.includes(group)
                ? {}
                : { 'security group': [found.securityGroups.join(), group] }),
            },
            false,
          ),
        ],
      });
    },
    create: async (context) => {
      const { session } = context;
      await repeatWhile(session, UNTIL_ROLES_ARE_KNOWN, () => createReplicationInstance(session, wanted(context)));
    },
    commands: (context) => [
      {
        service: 'dms',
        operation: 'CreateReplicationInstance',
        input: replicationInstanceInput(wanted(context)),
        assigns: { id: 'replication_instance', query: 'ReplicationInstance.ReplicationInstanceArn' },
      },
      {
        service: 'dms',
        operation: 'wait replication-instance-available',
        input: { Filters: [{ Name: 'replication-instance-id', Values: [id] }] },
      },
    ],
    async mend(context, differences) {
      await untilAvailable(context);
      if (differences.some(({ what }) => what === 'class'))
        await changeReplicationInstance(context.session, idOf(context, 'replication_instance'), { instanceClass });
    },
    settle: (context) => untilAvailable(context),
    async remove(context) {
      const { session } = context;
      await repeatWhile(
        session,
        { isTooEarly: (error) => isAwsError(error, 'wrong-state'), boundSeconds: 2400, everySeconds: LOOK_SECONDS },
        async () => {
          const found = await findReplicationInstance(session, id);
          if (found !== undefined && found.status !== 'deleting') await deleteReplicationInstance(session, found.arn);
        },
      );
      await waitFor(session, {
        what: `the replication instance ${id} to be deleted`,
        look: () => findReplicationInstance(session, id),
        isReady: (found) => found === undefined,
        describe: (found) => found?.status ?? 'gone',
        everySeconds: LOOK_SECONDS,
        boundSeconds: 1800,
        onLook: (found) => context.report('replication-instance', found?.status ?? ''),
      });
    },
  };

  async function untilAvailable(context: AwsContext): Promise<void> {
    await waitFor(context.session, {
      what: `the replication instance ${id} to become available`,
      look: () => findReplicationInstance(context.session, id),
      isReady(seen) {
        if (seen !== undefined && BROKEN.test(seen.status))
          throw new CdcError('aws.broken', `making the replication instance ${id}: DMS says ${seen.status}`, {
            hint: 'the DMS console says more; cdc destroy removes it',
          });
        return seen?.status === 'available';
      },
      describe: (seen) => seen?.status ?? 'absent',
      everySeconds: LOOK_SECONDS,
      boundSeconds: 2400,
      onLook: (seen) => context.report('replication-instance', seen?.status ?? 'absent'),
    });
  }
}
