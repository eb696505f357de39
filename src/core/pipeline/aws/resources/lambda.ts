/** The function that starts the merge when a file arrives (guide, section 11). */

import {
  createFunction,
  deleteFunction,
  findFunction,
  updateFunctionCode,
  updateFunctionSettings,
} from '../../../aws/lambda.ts';
import { waitFor } from '../../../aws/wait.ts';
import { CdcError } from '../../../errors.ts';
import type { LambdaPackage } from '../../aws-run/lambda-package.ts';
import { type AwsContext, compare, idOf, owned, type Resource } from '../resource.ts';

export function lambda(name: string, code: LambdaPackage): Resource {
  const settings = (context: AwsContext) => ({
    name,
    role: idOf(context, 'role_lambda'),
    runtime: code.runtime,
    handler: code.handler,
    timeoutSeconds: code.timeoutSeconds,
    memoryMb: code.memoryMb,
    variables: code.environment,
  });
  return {
    id: 'lambda',
    guideSection: '11',
    title: `function ${name} (${code.runtime})`,
    // Without its job it would only fail.
    needs: ['lambda-role', 'log-groups', 'glue-job'],
    expectedSeconds: 15,
    rights: [
      'lambda:CreateFunction',
      'lambda:TagResource',
      'lambda:UpdateFunctionCode',
      'lambda:UpdateFunctionConfiguration',
      'lambda:DeleteFunction',
      'iam:PassRole',
    ],
    async look(context) {
      const found = await findFunction(context.session, name);
      if (found === undefined) return { state: 'absent' };
      return owned(context, `function ${name}`, found.tags, {
        ids: { function: found.arn },
        differences: compare({
          ...(found.state === 'Active' || found.state === 'Inactive' ? {} : { state: [found.state, 'Active'] }),
          code: [found.codeSha256, code.sha256],
          role: [found.role, context.ids.get('role_lambda')],
          runtime: [found.runtime, code.runtime],
          handler: [found.handler, code.handler],
          timeout: [found.timeoutSeconds, code.timeoutSeconds],
          memory: [found.memoryMb, code.memoryMb],
          ...Object.fromEntries(
            Object.entries(code.environment).map(([key, value]) => [key, [found.variables[key], value] as const]),
          ),
        }),
      });
    },
    async create(context) {
      await createFunction(context.session, { ...settings(context), zip: code.zip, tags: context.tags });
    },
    async mend(context, differences) {
      await untilReady(context);
      if (differences.some(({ what }) => what === 'code')) await updateFunctionCode(context.session, name, code.zip);
      // A second change while the first is under way is refused.
      await untilReady(context);
      if (differences.some(({ what }) => what !== 'code' && what !== 'state'))
        await updateFunctionSettings(context.session, settings(context));
    },
    settle: (context) => untilReady(context),
    commands: () => [
      // Its code is packed by cdc.
      '# cdc init --only lambda',
      {
        service: 'lambda',
        operation: 'GetFunction',
        input: { FunctionName: name },
        assigns: { id: 'function', query: 'Configuration.FunctionArn' },
      },
    ],
    remove: ({ session }) => deleteFunction(session, name),
  };

  async function untilReady(context: AwsContext): Promise<void> {
    await waitFor(context.session, {
      what: `the function ${name} to become active`,
      look: () => findFunction(context.session, name),
      isReady(seen) {
        if (seen?.state === 'Failed' || seen?.lastUpdate === 'Failed')
          throw new CdcError('aws.broken', `making the function ${name}: ${seen.reason}`, {
            hint: 'cdc destroy removes it',
          });
        return (seen?.state === 'Active' || seen?.state === 'Inactive') && seen.lastUpdate === 'Successful';
      },
      describe: (seen) => (seen === undefined ? 'absent' : `${seen.state}, last update ${seen.lastUpdate}`),
      everySeconds: 2,
      boundSeconds: 300,
      onLook: (seen) => context.report('lambda', seen?.state ?? 'absent'),
    });
  }
}
