import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { lambdaPackage } from '../../../../src/core/pipeline/aws-run/lambda-package.ts';
import { zipArchive } from '../../../../src/core/pipeline/aws-run/zip-archive.ts';
import { readZipEntry } from '../../../../src/core/server/zip-entry.ts';
import { ensureLambdaBundled } from '../../../support/build.ts';

test('the function is one file, under 200 KB, with the same hash each time', async () => {
  await ensureLambdaBundled();
  const staging = { bucket: 'shop-staging', prefix: 'p' };
  const first = await lambdaPackage({ job: 'shop-merge', staging });
  const second = await lambdaPackage({ job: 'shop-merge', staging });
  expect(first.zip.length).toBeLessThan(200_000);
  expect(readZipEntry(first.zip, 'index.mjs').toString()).toContain('@aws-sdk/client-glue');
  expect(first.sha256).toBe(createHash('sha256').update(first.zip).digest('base64'));
  expect(second.sha256).toBe(first.sha256);
  expect(first.environment).toEqual({
    CDC_GLUE_JOB: 'shop-merge',
    CDC_STAGING_BUCKET: 'shop-staging',
    CDC_STAGING_PREFIX: 'p',
  });
});

test('a zip gives back each of its files, also an empty one and one with a name beyond ASCII', () => {
  const files = [
    { name: 'index.mjs', body: Buffer.from('export const a = 1;\n') },
    { name: 'empty', body: Buffer.alloc(0) },
    { name: 'ñandú.txt', body: Buffer.from('x') },
  ];
  const zip = zipArchive(files);
  for (const { name, body } of files) expect(readZipEntry(zip, name)).toEqual(body);
});
