/** Steps as a table: those that would be taken, or those that were. */

import type { Step } from '../core/pipeline/local-resources.ts';
import { textTable } from './table.ts';

const TAKEN = { create: 'made', start: 'started', none: 'was there' };

export function renderSteps(steps: readonly Step[], { done = false }: { done?: boolean } = {}): string {
  const action = (step: Step) => (done ? TAKEN[step.action] : step.action === 'none' ? 'is there' : step.action);
  return textTable(steps, [
    { title: 'step', value: (step) => step.id },
    { title: 'action', value: action },
    { title: 'resource', value: (step) => step.resource },
  ]);
}
