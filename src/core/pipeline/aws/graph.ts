/** Runs the nodes of a graph, each when those it needs are done, as many at once as the graph allows. */

import { setMaxListeners } from 'node:events';
import { CancelledError } from '../../errors.ts';

export interface GraphNode {
  id: string;
  needs: readonly string[];
}

/** Needs that are not among the nodes count as done. The first failure ends the others' waits; it is thrown when all have ended. */
export async function runGraph<Node extends GraphNode>(
  nodes: readonly Node[],
  options: { signal: AbortSignal | undefined; run: (node: Node, signal: AbortSignal) => Promise<void> },
): Promise<void> {
  const failure = new AbortController();
  const signal = options.signal === undefined ? failure.signal : AbortSignal.any([options.signal, failure.signal]);
  // Every call under way listens to it.
  setMaxListeners(0, signal);
  const errors: unknown[] = [];
  const runs = new Map<string, Promise<void>>();
  const start = (node: Node): Promise<void> => {
    const known = runs.get(node.id);
    if (known !== undefined) return known;
    const needed = nodes.filter((other) => node.needs.includes(other.id));
    const run = (async () => {
      await Promise.all(needed.map(start));
      if (signal.aborted) return;
      try {
        await options.run(node, signal);
      } catch (error) {
        errors.push(error);
        failure.abort();
      }
    })();
    runs.set(node.id, run);
    return run;
  };
  await Promise.all(nodes.map(start));
  // Those that were ended because of another's failure say only that they were interrupted.
  const [first] = [...errors.filter((error) => !(error instanceof CancelledError)), ...errors];
  if (first !== undefined) throw first;
  if (options.signal?.aborted) throw new CancelledError();
}

/** The same nodes, each needing those that needed it. */
export function reversed<Node extends GraphNode>(nodes: readonly Node[]): (Node & GraphNode)[] {
  return nodes
    .map((node) => ({ ...node, needs: nodes.filter((other) => other.needs.includes(node.id)).map(({ id }) => id) }))
    .reverse();
}

/** A node and all that it needs, directly or not, in the order of the nodes. */
export function withNeeds<Node extends GraphNode>(nodes: readonly Node[], id: string): Node[] {
  const wanted = new Set<string>();
  const add = (name: string): void => {
    const node = nodes.find((candidate) => candidate.id === name);
    if (node === undefined || wanted.has(name)) return;
    wanted.add(name);
    node.needs.forEach(add);
  };
  add(id);
  return nodes.filter((node) => wanted.has(node.id));
}
