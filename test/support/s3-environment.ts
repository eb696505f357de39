/** The SDK of a test's own process, told to ask one address on this machine and nobody else. */

import { vi } from 'vitest';

const VARIABLES = {
  AWS_REGION: 'eu-west-1',
  AWS_ACCESS_KEY_ID: 'testing',
  AWS_SECRET_ACCESS_KEY: 'testing',
  AWS_EC2_METADATA_DISABLED: 'true',
  AWS_CONFIG_FILE: '/dev/null',
  AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
  AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
};

/** Until `vi.unstubAllEnvs`. */
export function askOnly(url: string): void {
  for (const [name, value] of Object.entries(VARIABLES)) vi.stubEnv(name, value);
  vi.stubEnv('AWS_ENDPOINT_URL', url);
}
