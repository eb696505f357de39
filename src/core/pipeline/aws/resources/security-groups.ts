/** Who may connect to the database: DMS by its group, and the operator's address (guide, section 3: there it is everybody). */

import {
  allowIngress,
  createSecurityGroup,
  type FoundRule,
  findSecurityGroup,
  type IngressRule,
  ingressInput,
  ingressRules,
  type NewIngress,
  revokeIngress,
  securityGroupInput,
} from '../../../aws/ec2.ts';
import type { CliCommand } from '../cli-command.ts';
import { type AwsContext, type Difference, idOf, owned, type Resource, together } from '../resource.ts';
import { removeGroups } from './remove-groups.ts';

const PORT = 3306;
const HTTPS = 443;
/** A rule with this description is ours: it is taken back when the operator's address has moved. */
const OPERATOR = 'cdc operator';
const EVERYBODY = '0.0.0.0/0';

interface Groups {
  dms: string;
  /** Absent when the source is the user's own. */
  database: string | undefined;
}

export function securityGroups(
  names: Groups,
  options: {
    openToWorld: boolean;
    /** VPC endpoints stand in the group of DMS, which reaches them by a rule of its own. */
    hasEndpoints: boolean;
  },
): Resource {
  const { dms, database } = names;
  const all = [dms, ...(database === undefined ? [] : [database])];

  const newGroup = ({ place, tags }: AwsContext, name: string) => ({
    name,
    description:
      name === dms ? 'cdc: the replication instance; nobody may connect' : 'cdc: who may connect to the database',
    vpcId: place.vpcId,
    tags,
  });
  const endpointIngress = (context: AwsContext): NewIngress => {
    const from = idOf(context, 'dms_security_group');
    return { groupId: from, port: HTTPS, rule: { from, description: 'cdc VPC endpoints' } };
  };
  const wantedRules = ({ place, ids }: AwsContext): IngressRule[] => {
    const dmsGroup = ids.get('dms_security_group');
    const from = options.openToWorld ? EVERYBODY : place.operator;
    return [
      ...(dmsGroup === undefined ? [] : [{ from: dmsGroup, description: 'cdc replication instance' }]),
      ...(from === undefined ? [] : [{ from, description: OPERATOR }]),
    ];
  };

  async function lookAtDatabaseGroup(context: AwsContext, name: string) {
    const found = await findSecurityGroup(context.session, { name, vpcId: context.place.vpcId });
    if (found === undefined) return { state: 'absent' as const };
    const rules = await ingressRules(context.session, found.id);
    const wanted = wantedRules(context);
    const differences: Difference[] = [
      ...wanted
        .filter((rule) => !rules.some((other) => isSame(other, rule)))
        .map(({ from }) => ({ what: `rule for ${from}`, is: 'absent', wanted: `port ${PORT}`, isMendable: true })),
      ...rules
        .filter((rule) => !wanted.some((other) => isSame(rule, other)))
        .map((rule) => ({
          what: `rule for ${rule.from}`,
          is: `port ${rule.port ?? 'range'}${rule.description === '' ? '' : ` (${rule.description})`}`,
          wanted: 'absent',
          // A rule that somebody added is left, and shown. Where nobody knows the operator's address, the old one stays.
          isMendable: isStale(rule, wanted),
        })),
    ];
    return owned(context, `security group ${name}`, found.tags, {
      ids: { database_security_group: found.id },
      differences,
    });
  }

  return {
    id: 'security-groups',
    guideSection: '3',
    title: `security groups ${all.join(' and ')}${options.openToWorld ? ` (port ${PORT} open to everybody)` : ''}`,
    needs: [],
    expectedSeconds: 5,
    rights: [
      'ec2:CreateSecurityGroup',
      'ec2:CreateTags',
      'ec2:AuthorizeSecurityGroupIngress',
      'ec2:RevokeSecurityGroupIngress',
      'ec2:DeleteSecurityGroup',
      'ec2:DescribeNetworkInterfaces',
      'ec2:DeleteNetworkInterface',
    ],
    async look(context) {
      const found = await findSecurityGroup(context.session, { name: dms, vpcId: context.place.vpcId });
      if (found !== undefined) context.ids.set('dms_security_group', found.id);
      const isOpen =
        found !== undefined &&
        (!options.hasEndpoints ||
          (await ingressRules(context.session, found.id)).some(
            ({ from, port }) => from === found.id && port === HTTPS,
          ));
      const dmsGroup =
        found === undefined
          ? { state: 'absent' as const }
          : owned(context, `security group ${dms}`, found.tags, {
              ids: { dms_security_group: found.id },
              differences: isOpen
                ? []
                : [{ what: 'rule for the VPC endpoints', is: 'absent', wanted: `port ${HTTPS}`, isMendable: true }],
            });
      return together([
        { name: dms, actual: dmsGroup },
        ...(database === undefined ? [] : [{ name: database, actual: await lookAtDatabaseGroup(context, database) }]),
      ]);
    },
    create: (context) => make(context),
    mend: (context) => make(context),
    commands(context) {
      const made = (name: string, id: 'dms_security_group' | 'database_security_group'): CliCommand => ({
        service: 'ec2',
        operation: 'CreateSecurityGroup',
        input: securityGroupInput(newGroup(context, name)),
        assigns: { id, query: 'GroupId' },
      });
      const allowed = (ingress: NewIngress): CliCommand => ({
        service: 'ec2',
        operation: 'AuthorizeSecurityGroupIngress',
        input: ingressInput(ingress),
      });
      const groupId = idOf(context, 'database_security_group');
      return [
        made(dms, 'dms_security_group'),
        ...(options.hasEndpoints ? [allowed(endpointIngress(context))] : []),
        ...(database === undefined
          ? []
          : [
              made(database, 'database_security_group'),
              ...wantedRules(context).map((rule) => allowed({ groupId, port: PORT, rule })),
            ]),
      ];
    },
    remove: (context) => removeGroups(context, [...(database === undefined ? [] : [database]), dms]),
  };

  async function make(context: AwsContext): Promise<void> {
    const { session, place } = context;
    const ensure = async (name: string) =>
      (await findSecurityGroup(session, { name, vpcId: place.vpcId }))?.id ??
      (await createSecurityGroup(session, newGroup(context, name)));
    context.ids.set('dms_security_group', await ensure(dms));
    if (options.hasEndpoints) await allowIngress(session, endpointIngress(context));
    if (database === undefined) return;
    context.ids.set('database_security_group', await ensure(database));
    const groupId = idOf(context, 'database_security_group');
    const wanted = wantedRules(context);
    const rules = await ingressRules(session, groupId);
    for (const rule of wanted)
      if (!rules.some((other) => isSame(other, rule))) await allowIngress(session, { groupId, port: PORT, rule });
    const stale = rules.filter((rule) => !wanted.some((other) => isSame(rule, other)) && isStale(rule, wanted));
    await revokeIngress(
      session,
      groupId,
      stale.map(({ id }) => id),
    );
  }
}

function isSame(rule: FoundRule, wanted: IngressRule): boolean {
  return rule.from === wanted.from && rule.port === PORT;
}

function isStale(rule: FoundRule, wanted: readonly IngressRule[]): boolean {
  return rule.description === OPERATOR && wanted.some(({ description }) => description === OPERATOR);
}
