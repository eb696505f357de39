/** The source endpoint of DMS (guide, section 5.1): the database, by the secret that names it. */

import type { EndpointSettings } from '../../../aws/dms.ts';
import type { AwsContext, Resource } from '../resource.ts';
import { endpoint } from './endpoint.ts';

export function sourceEndpoint(id: string, options: { hasTls: boolean; isPrivate: boolean }): Resource {
  const settings = (ids: AwsContext['ids']): EndpointSettings => {
    const secret = ids.get('secret');
    const role = ids.get('role_dms_secret');
    // How DMS reaches Secrets Manager from an instance that is not public.
    const host = options.isPrivate ? ids.get('secrets_host') : undefined;
    return {
      kind: 'mysql',
      // No DatabaseName: it would fold all tables into one schema.
      mysql: {
        ...(secret === undefined ? {} : { SecretsManagerSecretId: secret }),
        ...(role === undefined ? {} : { SecretsManagerAccessRoleArn: role }),
        ServerTimezone: 'UTC',
        EventsPollInterval: 5,
      },
      certificateArn: options.hasTls ? ids.get('certificate') : undefined,
      extraAttributes: host === undefined ? undefined : `secretsManagerEndpointOverride=${host}`,
    };
  };
  return endpoint({
    step: 'source-endpoint',
    idName: 'source_endpoint',
    id,
    guideSection: '5.1',
    title: `source endpoint ${id} (MySQL${options.hasTls ? ', TLS verified' : ', without TLS'})`,
    needs: [
      'secret',
      'dms-roles',
      ...(options.hasTls ? (['certificate'] as const) : []),
      ...(options.isPrivate ? (['vpc-endpoints'] as const) : []),
    ],
    settings: async ({ ids }) => settings(ids),
    inWords: ({ ids }) => ({ settings: settings(ids) }),
  });
}
