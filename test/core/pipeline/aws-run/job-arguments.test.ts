import { describe, expect, test } from 'vitest';
import { jobArguments } from '../../../../src/core/pipeline/aws-run/job-arguments.ts';
import { jobPackage } from '../../../../src/core/pipeline/aws-run/job-package.ts';
import { testConfig } from './world.ts';

const appendOf = (tables: string) => jobArguments(testConfig('', tables), 's3://code/m.zip')['--append'];

describe('the arguments of the Glue job', () => {
  test('name the tables that keep their history, and nothing where none does', () => {
    expect(appendOf("tables: ['shop.%']")).toBeUndefined();
    expect(appendOf("tables: ['shop.%', { table: shop.log, mode: append }]")).toBe('["shop.log"]');
    expect(appendOf("tables: ['crm.a', { table: 'shop.%', mode: append }]")).toBe('["shop.%"]');
  });

  test.each([
    "tables: [{ table: 'shop.%', mode: append }, 'shop.orders']",
    "tables: ['shop.orders', { table: 'shop.%', mode: append }]",
    "tables: [{ table: 'shop.%', mode: append }, 'shop.o%']",
  ])('refuse entries whose order the job cannot keep: %s', (tables) => {
    expect(() => appendOf(tables)).toThrow('is no history although shop.% may be');
  });
});

describe('the code of the Glue job', () => {
  test('is the script and the zip of its modules, under keys that their content names', async () => {
    const { script, modules } = await jobPackage();
    expect(script.key).toMatch(/^glue\/merge_changes-[0-9a-f]{16}\.py$/);
    expect(modules.key).toMatch(/^glue\/cdc_merge-[0-9a-f]{16}\.zip$/);
    expect(modules.body.includes('cdc_merge/__init__.py')).toBe(true);
    expect(modules.body.includes('.pyc')).toBe(false);
    expect(await jobPackage()).toEqual({ script, modules });
  });

  test('that is not there is said, with its cure', async () => {
    await expect(jobPackage('/nowhere/glue')).rejects.toMatchObject({ code: 'aws.job-not-built' });
  });
});
