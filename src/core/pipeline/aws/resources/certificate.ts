/** The authorities that signed the source, as DMS is told them (guide, section 5.1: there DMS speaks without TLS). */

import { certificateInput, deleteCertificate, findCertificate, importCertificate } from '../../../aws/dms.ts';
import type { SourceConfig } from '../../../config.ts';
import { CdcError } from '../../../errors.ts';
import { owned, type Resource } from '../resource.ts';
import { authoritiesOf } from '../source-address.ts';

export function certificate(id: string, source: SourceConfig): Resource {
  return {
    id: 'certificate',
    guideSection: '5.1',
    title: `certificate ${id} (who signed the source)`,
    needs: [],
    expectedSeconds: 5,
    rights: ['dms:ImportCertificate', 'dms:DeleteCertificate', 'dms:AddTagsToResource'],
    async look(context) {
      const [found, wanted] = await Promise.all([
        findCertificate(context.session, id),
        authoritiesOf(source, context.place.region),
      ]);
      if (found === undefined) return { state: 'absent' };
      const isSame = squeeze(found.pem) === squeeze(wanted ?? '');
      return owned(context, `certificate ${id}`, found.tags, {
        ids: { certificate: found.arn },
        // A certificate cannot be changed while an endpoint uses it.
        differences: isSame
          ? []
          : [{ what: 'authorities', is: 'others', wanted: 'those of source.tls.ca', isMendable: false }],
      });
    },
    async create({ session, tags, place }) {
      const pem = await authoritiesOf(source, place.region);
      if (pem === undefined) throw new CdcError('source.tls', 'telling DMS who signed the source: nobody is named');
      await importCertificate(session, { id, pem, tags });
    },
    commands({ place, tags }) {
      const own = source.kind === 'private' ? undefined : source.tls.ca;
      const pem = own ?? 'rds-ca.pem';
      return [
        ...(own === undefined
          ? [`curl -fso ${pem} https://truststore.pki.rds.amazonaws.com/${place.region}/${place.region}-bundle.pem`]
          : []),
        {
          service: 'dms',
          operation: 'ImportCertificate',
          input: certificateInput({ id, pem: `file://${pem}`, tags }),
          assigns: { id: 'certificate', query: 'Certificate.CertificateArn' },
        },
      ];
    },
    async remove({ session }) {
      const found = await findCertificate(session, id);
      if (found !== undefined) await deleteCertificate(session, found.arn);
    },
  };
}

function squeeze(pem: string): string {
  return pem.replace(/\s+/g, '');
}
