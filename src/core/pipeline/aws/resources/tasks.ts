/** Replication tasks: `replicate` makes them, here they only end, for nothing they use can be deleted before them. */

import { deleteTask, stopTask, tasksOn } from '../../../aws/dms.ts';
import { waitFor } from '../../../aws/wait.ts';
import type { AwsContext, Resource } from '../resource.ts';

export function tasks(): Resource {
  return {
    id: 'tasks',
    guideSection: '7',
    title: 'replication tasks',
    needs: ['connections'],
    expectedSeconds: 60,
    rights: ['dms:StopReplicationTask', 'dms:DeleteReplicationTask'],
    async look(context) {
      const found = await ofInstance(context);
      return found.length === 0 ? { state: 'absent' } : { state: 'ours', ids: {}, differences: [] };
    },
    async holds(context) {
      const found = await ofInstance(context);
      return found.map(({ id, status }) => `${id} (${status})`).join(', ');
    },
    async remove(context) {
      const { session } = context;
      for (const task of await ofInstance(context))
        if (task.status === 'running' || task.status === 'starting') await stopTask(session, task.arn);
      // Whatever changes a task ends; only a task that stands still can be deleted.
      await waitFor(session, {
        what: 'the replication tasks to be deleted',
        look: async () => {
          const found = await ofInstance(context);
          for (const { arn, status } of found)
            if (['ready', 'stopped', 'failed', 'failed-move'].includes(status)) await deleteTask(session, arn);
          return found;
        },
        isReady: (found) => found.length === 0,
        describe: (found) => found.map(({ id, status }) => `${id} ${status}`).join(', '),
        everySeconds: 15,
        boundSeconds: 1800,
        onLook: (found) => context.report('tasks', found.map(({ status }) => status).join(', ')),
      });
    },
  };
}

/** The instance is ours, so what runs on it goes with it. */
async function ofInstance({ session, ids }: AwsContext) {
  const instance = ids.get('replication_instance');
  return instance === undefined ? [] : tasksOn(session, instance);
}
