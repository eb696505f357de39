/** The RDS instance (guide, section 3). */

import { isAwsError } from '../../../aws/aws-error.ts';
import {
  createInstance,
  type DatabaseInstance,
  deleteInstance,
  findInstance,
  instanceInput,
  modifyInstance,
  type NewInstance,
} from '../../../aws/rds.ts';
import { repeatWhile, waitFor } from '../../../aws/wait.ts';
import type { RdsSource } from '../../../config.ts';
import { CdcError } from '../../../errors.ts';
import { type AwsContext, compare, type Difference, idOf, owned, type Resource } from '../resource.ts';

/** States that no waiting ends; the SDK's waiter knows only some of them. */
const BROKEN =
  /^(failed|restore-error|storage-full|insufficient-capacity|inaccessible-encryption-credentials.*|incompatible-.*)$/;

const LOOK_SECONDS = 30;

export function database(
  options: { id: string; parameterGroup: string; subnetGroup: string | undefined; version: string; family: string },
  source: RdsSource,
): Resource {
  const { id } = options;
  const wanted = (context: AwsContext): NewInstance => ({
    id,
    instanceClass: source.instanceClass,
    storageGb: source.storageGb,
    version: options.version,
    user: source.user,
    parameterGroup: options.parameterGroup,
    subnetGroup: options.subnetGroup,
    securityGroups: [idOf(context, 'database_security_group')],
    tags: context.tags,
  });
  return {
    id: 'database',
    guideSection: '3',
    title: `database ${id} (${source.instanceClass}, MySQL ${options.version}, ${source.storageGb} GiB)`,
    needs: [
      'parameter-group',
      'security-groups',
      ...(options.subnetGroup === undefined ? [] : (['database-subnets'] as const)),
    ],
    expectedSeconds: 600,
    rights: [
      'rds:CreateDBInstance',
      'rds:ModifyDBInstance',
      'rds:DeleteDBInstance',
      'rds:AddTagsToResource',
      // RDS keeps the master user's password in a secret, in our name.
      'kms:DescribeKey',
      'secretsmanager:CreateSecret',
      'secretsmanager:TagResource',
    ],
    async look(context) {
      const found = await findInstance(context.session, id);
      if (found?.status === 'stopped') context.stopped.add('database');
      else context.stopped.delete('database');
      return found === undefined
        ? { state: 'absent' }
        : owned(context, `database ${id}`, found.tags, {
            ids: {
              database: found.arn,
              ...(found.host === undefined ? {} : { database_host: found.host }),
              database_port: String(found.port),
              ...(found.secretArn === undefined ? {} : { database_secret: found.secretArn }),
            },
            differences: differencesOf(context, found),
          });
    },
    create: (context) => createInstance(context.session, wanted(context)),
    commands: (context) => [
      { service: 'rds', operation: 'CreateDBInstance', input: instanceInput(wanted(context)) },
      { service: 'rds', operation: 'wait db-instance-available', input: { DBInstanceIdentifier: id } },
      {
        service: 'rds',
        operation: 'DescribeDBInstances',
        input: { DBInstanceIdentifier: id },
        assigns: { id: 'database_host', query: 'DBInstances[0].Endpoint.Address' },
      },
    ],
    async mend(context, differences) {
      await untilAvailable(context);
      const isWrong = (what: string) => differences.some((difference) => difference.what === what);
      if (!differences.some(({ what }) => what !== 'status')) return;
      await modifyInstance(context.session, id, {
        ...(isWrong('class') && { instanceClass: source.instanceClass }),
        ...(isWrong('storage') && { storageGb: source.storageGb }),
        ...(isWrong('backup days') && { backupRetentionDays: 1 }),
        ...(isWrong('parameter group') && { parameterGroup: options.parameterGroup }),
        ...(isWrong('security group') && { securityGroups: [idOf(context, 'database_security_group')] }),
      });
    },
    settle: (context) => untilAvailable(context),
    async holds({ session }) {
      const found = await findInstance(session, id);
      return found === undefined ? '' : 'its databases and its backups; no final snapshot is taken';
    },
    async remove(context) {
      const { session } = context;
      // RDS deletes nothing that is being changed.
      await repeatWhile(
        session,
        { isTooEarly: (error) => isAwsError(error, 'wrong-state'), boundSeconds: 1800, everySeconds: LOOK_SECONDS },
        async () => {
          const found = await findInstance(session, id);
          if (found !== undefined && found.status !== 'deleting') await deleteInstance(session, id);
        },
      );
      await waitFor(session, {
        what: `the database ${id} to be deleted`,
        look: () => findInstance(session, id),
        isReady: (found) => found === undefined,
        describe: (found) => found?.status ?? 'gone',
        everySeconds: LOOK_SECONDS,
        boundSeconds: 3600,
        onLook: (found) => context.report('database', found?.status ?? ''),
      });
    },
  };

  function differencesOf(context: AwsContext, found: DatabaseInstance): Difference[] {
    const [group] = found.parameterGroups;
    const securityGroup = context.ids.get('database_security_group');
    return [
      ...compare({
        ...(found.status === 'available' || found.status === 'stopped' ? {} : { status: [found.status, 'available'] }),
        class: [found.instanceClass, source.instanceClass],
        // Storage grows and never shrinks; RDS may have grown it by itself.
        storage: [found.storageGb, Math.max(found.storageGb, source.storageGb)],
        'backup days': [found.backupRetentionDays, Math.max(found.backupRetentionDays, 1)],
        'parameter group': [group?.name, options.parameterGroup],
        ...(securityGroup === undefined || found.securityGroups.includes(securityGroup)
          ? {}
          : { 'security group': [found.securityGroups.join(), securityGroup] }),
      }),
      ...compare(
        {
          engine: [found.engine, 'mysql'],
          version: [found.version.split('.').slice(0, 2).join('.'), options.family.replace('mysql', '')],
          user: [found.user, source.user],
          encrypted: [found.isEncrypted, true],
          public: [found.isPublic, true],
          parameters: [group?.status === 'pending-reboot' ? 'waiting for a reboot' : 'in force', 'in force'],
        },
        false,
      ),
    ];
  }

  async function untilAvailable(context: AwsContext): Promise<void> {
    const { session } = context;
    const found = await waitFor(session, {
      what: `the database ${id} to become available`,
      look: () => findInstance(session, id),
      isReady(seen) {
        if (seen !== undefined && BROKEN.test(seen.status))
          throw new CdcError('aws.broken', `making the database ${id}: RDS says ${seen.status}`, {
            hint: 'the RDS console says more; cdc destroy removes it',
          });
        return seen?.status === 'available' || seen?.status === 'stopped';
      },
      describe: (seen) => seen?.status ?? 'absent',
      everySeconds: LOOK_SECONDS,
      boundSeconds: 2400,
      onLook: (seen) => context.report('database', seen?.status ?? 'absent'),
    });
    if (found?.status === 'stopped')
      throw new CdcError('aws.stopped', `making the database ${id}: it is stopped`, { hint: 'cdc start' });
  }
}
