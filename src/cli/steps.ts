/** Steps of a plan as a table. */

import type { Step } from '../core/pipeline/local-resources.ts';
import { textTable } from './table.ts';

export function renderSteps(steps: readonly Step[]): string {
  return textTable(steps, [
    { title: 'step', value: (step) => step.id },
    { title: 'action', value: (step) => (step.action === 'none' ? 'is there' : step.action) },
    { title: 'resource', value: (step) => step.resource },
  ]);
}
