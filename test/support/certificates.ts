/** A certificate authority of a test's own, and a database server's certificate signed by it. */

import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

export interface TestCertificates {
  /** The authority, as PEM. */
  ca: string;
  /** Its file: what CDC_TLS_CA takes. */
  caFile: string;
  /** Options of mysqld: `startTestServer(flavor, { extraArgs })`. */
  serverArgs: string[];
  remove(): Promise<void>;
}

/** `names` are subject alternative names: `IP:127.0.0.1,DNS:db.example`. */
export async function makeCertificates(names = 'IP:127.0.0.1'): Promise<TestCertificates> {
  const folder = await mkdtemp(join(tmpdir(), 'cdc-test-tls-'));
  const file = (name: string) => join(folder, name);
  const [caKey, caFile, key, request, certificate, extensions] = [
    'ca.key',
    'ca.pem',
    'server.key',
    'server.csr',
    'server.pem',
    'names',
  ].map(file) as [string, string, string, string, string, string];
  const openssl = (...args: string[]) => promisify(execFile)('openssl', args);
  const newKey = ['-newkey', 'rsa:2048', '-nodes'];
  await openssl('req', '-x509', ...newKey, '-days', '2', '-subj', '/CN=test CA', '-keyout', caKey, '-out', caFile);
  await openssl('req', ...newKey, '-subj', '/CN=server', '-keyout', key, '-out', request);
  await writeFile(extensions, `subjectAltName=${names}`);
  const signer = ['-CA', caFile, '-CAkey', caKey, '-CAcreateserial', '-days', '2', '-extfile', extensions];
  await openssl('x509', '-req', '-in', request, ...signer, '-out', certificate);
  // The server runs as another user when the tests run as root.
  await chmod(folder, 0o755);
  await chmod(key, 0o644);
  return {
    ca: await readFile(caFile, 'utf8'),
    caFile,
    serverArgs: [`--ssl-ca=${caFile}`, `--ssl-cert=${certificate}`, `--ssl-key=${key}`],
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
