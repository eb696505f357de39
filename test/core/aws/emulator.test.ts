import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AwsEmulator, hasAwsEmulator, startAwsEmulator } from '../../support/aws/emulator.ts';

describe.skipIf(!(await hasAwsEmulator()))('the emulated AWS account', () => {
  let aws: AwsEmulator;
  beforeAll(async () => {
    aws = await startAwsEmulator();
  });
  afterAll(() => aws?.stop());

  it('holds nothing at the start', async () => {
    expect(await aws.alive()).toEqual({});
  });
});
