/** What cdc.yaml names as the user's own, as steps of the plan that nobody takes: it is used as it is, and never deleted. */

import type { AwsConfig, UrlSource } from '../../../config.ts';
import type { Resource } from '../resource.ts';

const BROUGHT = { needs: [], expectedSeconds: 0, rights: [] } as const;

export function yourNetwork(network: NonNullable<AwsConfig['network']>): Resource {
  const { vpc, subnets } = network;
  const parts = [...(vpc === undefined ? [] : [`VPC ${vpc}`]), ...(subnets === undefined ? [] : [subnets.join(', ')])];
  return {
    ...BROUGHT,
    id: 'network',
    guideSection: '3',
    title: `network: ${parts.join(', ')}`,
    // That it is there was found with the place.
    look: async () => ({ state: 'brought', ids: {}, differences: [] }),
    create: nobody,
  };
}

export function yourSource({ host, port, user }: UrlSource): Resource {
  return {
    ...BROUGHT,
    id: 'source',
    guideSection: '3',
    title: `database at ${host}:${port}, as ${user}`,
    look: async () => ({ state: 'brought', ids: {}, differences: [] }),
    create: nobody,
  };
}

async function nobody(): Promise<void> {}
