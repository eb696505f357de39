import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { CancelledError } from '../../../../src/core/errors.ts';
import { reversed, runGraph, withNeeds } from '../../../../src/core/pipeline/aws/graph.ts';

const nodes = [
  { id: 'database', needs: ['group'] },
  { id: 'group', needs: [] },
  { id: 'instance', needs: ['group'] },
  { id: 'endpoint', needs: ['database', 'bucket'] },
  { id: 'task', needs: ['endpoint', 'instance'] },
];

describe('a graph', () => {
  it('runs each node after those it needs, and those that need nothing of each other at once', async () => {
    const events: string[] = [];
    let at = 0;
    let most = 0;
    await runGraph(nodes, {
      signal: undefined,
      async run({ id }) {
        most = Math.max(most, ++at);
        events.push(`${id} begins`);
        await sleep(5);
        events.push(`${id} ends`);
        at--;
      },
    });
    expect(most).toBe(2);
    for (const { id, needs } of nodes)
      for (const need of needs.filter((name) => name !== 'bucket'))
        expect(events.indexOf(`${need} ends`)).toBeLessThan(events.indexOf(`${id} begins`));
    expect(events).toHaveLength(10);
  });

  it('throws what failed first, when what it interrupted has ended, and begins nothing after it', async () => {
    const begun: string[] = [];
    const ended: string[] = [];
    await expect(
      runGraph(nodes, {
        signal: undefined,
        async run({ id }, signal) {
          begun.push(id);
          if (id === 'instance') throw new Error('no room');
          while (id === 'database' && !signal.aborted) await sleep(1);
          ended.push(id);
          if (signal.aborted) throw new CancelledError();
        },
      }),
    ).rejects.toThrow('no room');
    expect(begun.sort()).toEqual(['database', 'group', 'instance']);
    expect(ended.sort()).toEqual(['database', 'group']);
  });

  it('is cancelled as a whole by its signal', async () => {
    const abort = new AbortController();
    const begun: string[] = [];
    await expect(
      runGraph(nodes, {
        signal: abort.signal,
        async run({ id }) {
          begun.push(id);
          abort.abort();
        },
      }),
    ).rejects.toBeInstanceOf(CancelledError);
    expect(begun).toEqual(['group']);
  });

  it('backwards removes what needs something before it', () => {
    const needs = new Map(reversed(nodes).map((node) => [node.id, node.needs]));
    expect(needs.get('group')).toEqual(['database', 'instance']);
    expect(needs.get('endpoint')).toEqual(['task']);
    expect(needs.get('task')).toEqual([]);
  });

  it('gives a node with all that it needs', () => {
    expect(withNeeds(nodes, 'endpoint').map(({ id }) => id)).toEqual(['database', 'group', 'endpoint']);
  });
});
