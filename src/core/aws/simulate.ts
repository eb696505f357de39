/** What the policies of a principal allow, as IAM itself reckons it. */

import { SimulatePrincipalPolicyCommand } from '@aws-sdk/client-iam';
import { findRole, iamClientFor } from './iam.ts';
import { type AwsSession, ask } from './session.ts';

/** IAM takes as many in one question. */
const ACTIONS_AT_ONCE = 50;

/**
 * The user or role whose policies count for a principal; undefined for the root user and federated ones, of whom IAM reckons
 * nothing. The ARN of a session names its role without the role's path.
 */
export async function policyHolder(session: AwsSession): Promise<string | undefined> {
  const { principal } = session;
  if (/^arn:[^:]+:iam::\d+:user\//.test(principal)) return principal;
  const [, role] = /^arn:[^:]+:sts::\d+:assumed-role\/([^/]+)\//.exec(principal) ?? [];
  return role === undefined ? undefined : (await findRole(session, role))?.arn;
}

/** The actions that are granted on none of the resources. */
export async function deniedActions(
  session: AwsSession,
  { holder, actions, resources }: { holder: string; actions: readonly string[]; resources: readonly string[] },
): Promise<string[]> {
  const granted = new Set<string>();
  for (let at = 0; at < actions.length; at += ACTIONS_AT_ONCE) {
    let marker: string | undefined;
    do {
      const reply = await ask(session, 'iam:SimulatePrincipalPolicy', `asking what ${holder} may do`, (options) =>
        iamClientFor(session).send(
          new SimulatePrincipalPolicyCommand({
            PolicySourceArn: holder,
            ActionNames: actions.slice(at, at + ACTIONS_AT_ONCE),
            ResourceArns: [...resources],
            ...(marker === undefined ? {} : { Marker: marker }),
          }),
          options,
        ),
      );
      for (const {
        EvalActionName: action,
        EvalDecision: decision,
        ResourceSpecificResults = [],
      } of reply.EvaluationResults ?? []) {
        const decisions = [decision, ...ResourceSpecificResults.map((result) => result.EvalResourceDecision)];
        if (action !== undefined && decisions.includes('allowed')) granted.add(action.toLowerCase());
      }
      marker = reply.IsTruncated === true ? reply.Marker : undefined;
    } while (marker !== undefined);
  }
  return actions.filter((action) => !granted.has(action.toLowerCase()));
}
