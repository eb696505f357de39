import { describe, expect, it, onTestFinished } from 'vitest';
import { openSession } from '../../../src/core/aws/session.ts';
import { fakeClock } from '../../support/aws/fake-clock.ts';

/** The environment that the SDK reads, for one test: nothing of this machine, and no endpoint that answers. */
function environment(values: Record<string, string>): void {
  const before = { ...process.env };
  onTestFinished(() => {
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
    Object.assign(process.env, before);
  });
  for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name];
  Object.assign(process.env, {
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    AWS_ENDPOINT_URL: 'http://127.0.0.1:9',
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
    ...values,
  });
}

const KEYS = { AWS_ACCESS_KEY_ID: 'testing', AWS_SECRET_ACCESS_KEY: 'testing' };
const open = (options = {}) => openSession({ clock: fakeClock(), ...options });

describe('a session with AWS', () => {
  it('says that no region is chosen, and where to choose one', async () => {
    environment(KEYS);
    await expect(open()).rejects.toMatchObject({
      code: 'aws.region-missing',
      hint: expect.stringContaining('AWS_REGION'),
    });
  });

  it('says that there are no credentials, and how to get some', async () => {
    environment({ AWS_REGION: 'eu-west-1' });
    await expect(open()).rejects.toMatchObject({
      code: 'aws.credentials-missing',
      message: expect.stringContaining('asking AWS who we are'),
      hint: expect.stringContaining('aws configure'),
    });
  });

  it('names the profile that it looked for', async () => {
    environment({ AWS_REGION: 'eu-west-1' });
    await expect(open({ profile: 'work' })).rejects.toMatchObject({
      code: 'aws.credentials-missing',
      message: expect.stringContaining('(profile work)'),
    });
  });

  it('says that nothing answers where AWS should be', async () => {
    environment({ ...KEYS, AWS_REGION: 'eu-west-1' });
    await expect(open()).rejects.toMatchObject({ code: 'aws.unreachable' });
  });

  it('is given up when the user aborts', async () => {
    environment({ ...KEYS, AWS_REGION: 'eu-west-1' });
    await expect(open({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'cancelled' });
  });
});
