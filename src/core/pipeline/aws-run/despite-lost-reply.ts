/** When the reply to a call is lost the SDK calls again, and AWS refuses the second: what was asked for is under way. */

import { isAwsError } from '../../aws/aws-error.ts';

/** Runs `change`; that the thing is in the wrong state for it is no error once `hasBegun` says that it was done. */
export async function despiteLostReply(change: () => Promise<void>, hasBegun: () => Promise<boolean>): Promise<void> {
  try {
    await change();
  } catch (error) {
    if (!isAwsError(error, 'wrong-state') || !(await hasBegun())) throw error;
  }
}
