/** Deleting security groups, which hang on each other by their rules, and on what DMS and RDS leave behind for a while. */

import { isAwsError } from '../../../aws/aws-error.ts';
import {
  deleteInterface,
  deleteSecurityGroup,
  findSecurityGroup,
  ingressRules,
  interfacesOf,
  revokeIngress,
} from '../../../aws/ec2.ts';
import { repeatWhile } from '../../../aws/wait.ts';
import type { AwsContext } from '../resource.ts';

/** In this order: a group goes before the one that its rules name. */
export async function removeGroups({ session, place }: AwsContext, names: readonly string[]): Promise<void> {
  const found = await Promise.all(names.map((name) => findSecurityGroup(session, { name, vpcId: place.vpcId })));
  const groups = found.filter((group) => group !== undefined);
  // The rule that names the other group first: it would keep that one.
  for (const group of groups) {
    const rules = await ingressRules(session, group.id);
    await revokeIngress(
      session,
      group.id,
      rules.map(({ id }) => id),
    );
  }
  // DMS and RDS take their interfaces away after they have gone; what DMS forgets is `available`.
  for (const group of groups)
    await repeatWhile(
      session,
      { isTooEarly: (error) => isAwsError(error, 'wrong-state'), boundSeconds: 600, everySeconds: 10 },
      async () => {
        for (const { id, status } of await interfacesOf(session, group.id))
          if (status === 'available') await deleteInterface(session, id);
        await deleteSecurityGroup(session, group.id);
      },
    );
}
