import { expect, it } from 'vitest';
import { type LocalFacts, planLocal } from '../../../src/core/pipeline/local-resources.ts';

const names = { configFile: '/p/cdc.yaml', server: 'a server', staging: '/p/staging', lake: '/p/lake' };
const made: LocalFacts = { configExists: true, server: 'running', stagingExists: true, lakeExists: true };
const plan = (facts: Partial<LocalFacts>) =>
  planLocal({ ...made, ...facts }, names).map(
    ({ id, action, exists }) => `${id} ${action}${exists ? ', is there' : ''}`,
  );

it('makes everything of a new pipeline, in the order in which it is needed', () => {
  expect(plan({ configExists: false, server: 'absent', stagingExists: false, lakeExists: false })).toEqual([
    'config create',
    'server create',
    'staging create',
    'lake create',
  ]);
});

it('makes nothing of a pipeline that is made', () => {
  expect(plan({})).toEqual([
    'config none, is there',
    'server none, is there',
    'staging none, is there',
    'lake none, is there',
  ]);
});

it('starts a private server that is stopped', () => {
  expect(plan({ server: 'stopped' })).toContain('server start, is there');
});

it('has no step for a server that is not ours', () => {
  expect(plan({ server: 'not-ours' }).join()).not.toContain('server');
});

it('makes what is missing', () => {
  expect(plan({ lakeExists: false })).toEqual([
    'config none, is there',
    'server none, is there',
    'staging none, is there',
    'lake create',
  ]);
});
