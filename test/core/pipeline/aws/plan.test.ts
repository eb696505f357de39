import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../../src/core/config.ts';
import { desiredResources } from '../../../../src/core/pipeline/aws/desired.ts';
import type { Place } from '../../../../src/core/pipeline/aws/place.ts';
import { expectedSeconds, planAws } from '../../../../src/core/pipeline/aws/plan.ts';
import { costOf } from '../../../../src/core/pipeline/aws/prices.ts';
import { rdsAuthorities } from '../../../../src/core/pipeline/aws/rds-authorities.ts';
import type { Actual, Difference } from '../../../../src/core/pipeline/aws/resource.ts';
import { rightsNeeded } from '../../../../src/core/pipeline/aws/rights.ts';
import { TEST_FUNCTION, TEST_JOB } from './account.ts';

const PLACE: Place = {
  account: '123456789012',
  region: 'eu-west-1',
  partition: 'aws',
  vpcId: 'vpc-1',
  subnets: [
    { id: 'subnet-1', zone: 'eu-west-1a' },
    { id: 'subnet-2', zone: 'eu-west-1b' },
  ],
  mysql: { version: '8.4.5', family: 'mysql8.4' },
  dmsVersion: '3.6.1',
  operator: '203.0.113.7/32',
};

function configOf(yaml = '') {
  return parseConfig({ file: '/shop/cdc.yaml', text: `name: shop\ntarget: aws\n${yaml}` });
}

function desired(yaml = '', place = PLACE) {
  return desiredResources({ config: configOf(yaml), place, code: { function: TEST_FUNCTION, job: TEST_JOB } });
}

/** The same for every step. */
function all(actual: Actual): Map<string, Actual> {
  return new Map(desired().map(({ id }) => [id, actual]));
}
const ours = (differences: readonly Difference[] = []): Actual => ({
  state: 'ours',
  ids: {},
  differences,
});
const everyId = desired().map(({ id }) => id);

describe('the plan of an empty account', () => {
  const steps = planAws(desired(), new Map(), []);

  it('makes everything, in the order of the guide', () => {
    expect(steps.map(({ id, action, guideSection }) => `${guideSection} ${action} ${id}`)).toEqual([
      '3 create parameter-group',
      '3 create security-groups',
      '3 create database',
      '3 create binlog-retention',
      '4 create staging-bucket',
      '4 create lake-bucket',
      '5 create account-roles',
      '5 create dms-roles',
      '5.1 create secret',
      '5.1 create users',
      '5.1 create certificate',
      '5.3 create subnet-group',
      '5.3 create replication-instance',
      '5.1 create source-endpoint',
      '5.2 create target-endpoint',
      '5.3 create connections',
      '11 create log-groups',
      '10 create code-bucket',
      '10 create job-code',
      '10 create glue-role',
      '10 create glue-job',
      '10 create sweep',
      '11 create lambda-role',
      '11 create lambda',
      '11 create trigger',
    ]);
  });

  it('needs nothing that it does not name, and no step before another that needs it', () => {
    const known = new Set<string>(everyId);
    for (const { needs } of steps) for (const need of needs) expect(known).toContain(need);
  });

  it('makes the database and the replication instance at the same time', () => {
    const dependsOn = (id: string): string[] => {
      const needs = steps.find((step) => step.id === id)?.needs ?? [];
      return [...needs, ...needs.flatMap(dependsOn)];
    };
    expect(dependsOn('database')).not.toContain('replication-instance');
    expect(dependsOn('replication-instance')).not.toContain('database');
    // What one of them takes is not added to what the other takes.
    expect(expectedSeconds(steps)).toBeGreaterThan(600);
    expect(expectedSeconds(steps)).toBeLessThan(900);
  });
});

describe('a plan', () => {
  it('has nothing to do where everything is made and recorded', () => {
    const steps = planAws(desired(), all(ours()), everyId);
    expect(new Set(steps.map(({ action }) => action))).toEqual(new Set(['none']));
    expect(expectedSeconds(steps)).toBe(0);
  });

  it('adopts what is ours by its tag and not in the record', () => {
    const steps = planAws(desired(), all(ours()), []);
    expect(steps.every(({ action }) => action === 'adopt')).toBe(true);
  });

  it('puts right what can be put right, and only shows the rest', () => {
    const drift = (isMendable: boolean) => ours([{ what: 'class', is: 'a', wanted: 'b', isMendable }]);
    const found = all(ours());
    found.set('database', drift(true));
    found.set('parameter-group', drift(false));
    const steps = planAws(desired(), found, everyId);
    const actionOf = (id: string) => steps.find((step) => step.id === id)?.action;
    expect([actionOf('database'), actionOf('parameter-group')]).toEqual(['update', 'none']);
    expect(steps.find(({ id }) => id === 'parameter-group')?.differences).toHaveLength(1);
  });

  it("names everything that is somebody else's at once, and plans nothing", () => {
    const found = all({ state: 'absent' });
    found.set('database', { state: 'foreign', name: 'database shop-db', owner: 'the pipeline other' });
    found.set('lake-bucket', { state: 'foreign', name: 'bucket shop-lake', owner: 'another account' });
    expect(() => planAws(desired(), found, [])).toThrow(
      'database shop-db belongs to the pipeline other; bucket shop-lake belongs to another account',
    );
  });
});

describe('the desired resources', () => {
  const idsOf = (yaml: string, place = PLACE) => desired(yaml, place).map(({ id }) => id);

  it('leave out the database, its parameters and users where the source is a server of yours', () => {
    const ids = idsOf('source: { url: mysql://cdc@db.example.com, tls: { ca: ca.pem } }', {
      ...PLACE,
      mysql: undefined,
    });
    for (const id of ['parameter-group', 'database', 'binlog-retention', 'users'] as const)
      expect(ids).not.toContain(id);
    expect(ids).toEqual(expect.arrayContaining(['secret', 'certificate', 'source-endpoint', 'replication-instance']));
  });

  it('tell DMS no certificate where the source is reached without TLS', () => {
    expect(idsOf('source: { url: mysql://cdc@db.example.com, tls: off }')).not.toContain('certificate');
  });

  it('need rights that name services and actions', () => {
    const rights = rightsNeeded(desired());
    expect(rights).toEqual([...rights].sort());
    for (const right of rights) expect(right).toMatch(/^[a-z0-9]+:[A-Z][A-Za-z]+$/);
    expect(rights).toEqual(expect.arrayContaining(['rds:CreateDBInstance', 'iam:PassRole', 'dms:TestConnection']));
  });
});

describe('the cost', () => {
  it('is that of the price list, idle, under continuous change, and stopped', () => {
    const cost = costOf(configOf());
    expect(cost.as_of).toBe('2026-08');
    expect(cost.idle.daily_usd).toBeCloseTo(1.18 + 0.35, 1);
    expect(cost.idle.hourly_usd).toBeCloseTo(
      0.017 + 0.005 + 0.018 + 0.005 + 2.3 / 730 + 0.8 / 730 + (2 * 0.44) / 60,
      4,
    );
    expect(cost.stopped_all.daily_usd).toBeCloseTo(0.1, 2);
    expect(cost.stopped.daily_usd).toBeCloseTo(0.65, 1);
    // 12 runs an hour, 2 DPU, 2 minutes.
    expect(cost.continuous.hourly_usd - cost.idle.hourly_usd).toBeCloseTo((12 * 2 * 0.44 * 2) / 60, 4);
    expect(cost.idle.monthly_usd).toBeCloseTo(cost.idle.hourly_usd * 730, 0);
  });

  it('grows with shorter intervals only as far as runs can follow each other', () => {
    const hourly = (interval: string) =>
      costOf(configOf(`dms: { max_batch_interval: ${interval} }`)).continuous.hourly_usd;
    expect(hourly('60s')).toBeGreaterThan(hourly('300s'));
    expect(hourly('60s')).toBe(hourly('30s'));
  });

  it('says what it knows no price for', () => {
    const cost = costOf(configOf('source: { rds: { class: db.r7g.16xlarge } }'));
    expect(cost.notes).toContain('no price is known for db.r7g.16xlarge: it is not in the sums');
  });

  it('is without the database where the source is yours', () => {
    const cost = costOf(configOf('source: mysql://cdc@db.example.com'));
    expect(cost.idle.items.map(({ resource }) => resource).join()).not.toContain('database');
  });
});

describe("RDS's authorities", () => {
  it('are the three of a region, as PEM', () => {
    expect(rdsAuthorities('eu-west-1').match(/BEGIN CERTIFICATE/g)).toHaveLength(3);
    expect(rdsAuthorities('us-east-1')).not.toBe(rdsAuthorities('eu-west-1'));
  });

  it('are all of them for a region that the bundle does not know', () => {
    expect(rdsAuthorities('mars-north-1').match(/BEGIN CERTIFICATE/g)?.length).toBeGreaterThan(60);
  });
});
