/** Downloads one artifact from Maven Central, whatever this network lets through, and checks what came. */
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { CdcError, messageOf, throwIfCancelled } from '../errors.ts';
import type { FetchContext } from './debian-package.ts';

export interface MavenArtifact {
  group: string;
  name: string;
  version: string;
  sha256: string;
}

type Way = (context: FetchContext, artifact: MavenArtifact) => Promise<Buffer>;

/** Node's own fetch knows no proxies; curl obeys https_proxy, and mvn the mirrors of settings.xml. */
const WAYS: [string, Way][] = [
  ['https', byFetch],
  ['curl', byCurl],
  ['mvn', byMaven],
];

export async function downloadFromMavenCentral(context: FetchContext, artifact: MavenArtifact): Promise<Buffer> {
  const reasons: string[] = [];
  for (const [name, way] of WAYS) {
    throwIfCancelled(context.signal);
    try {
      const bytes = await way(context, artifact);
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      if (sha256 === artifact.sha256) return bytes;
      reasons.push(
        `${name}: what came is not ${artifact.name} ${artifact.version} (${bytes.length} bytes, SHA-256 ${sha256})`,
      );
    } catch (error) {
      if (error instanceof CdcError && error.code === 'cancelled') throw error;
      throwIfCancelled(context.signal);
      reasons.push(`${name}: ${messageOf(error)}`);
    }
  }
  throw new Error(reasons.join('; '));
}

function addressOf(artifact: MavenArtifact): string {
  const { group, name, version } = artifact;
  return `https://repo1.maven.org/maven2/${group.replaceAll('.', '/')}/${name}/${version}/${name}-${version}.jar`;
}

async function byFetch(context: FetchContext, artifact: MavenArtifact): Promise<Buffer> {
  const { progress, signal } = context;
  // A network that swallows packets must not hold up the ways that follow.
  const patience = AbortSignal.timeout(300_000);
  const response = await fetch(addressOf(artifact), {
    signal: signal === undefined ? patience : AbortSignal.any([signal, patience]),
  });
  if (!response.ok || response.body === null) throw new Error(`HTTP ${response.status}`);
  const total = Number(response.headers.get('content-length') ?? 0);
  const chunks: Uint8Array[] = [];
  let received = 0;
  let shown = 0;
  for await (const chunk of response.body) {
    chunks.push(chunk);
    received += chunk.byteLength;
    const percent = total > 0 ? Math.floor((received / total) * 100) : 0;
    if (percent > shown) progress.update(`fetching ${artifact.name} ${percent} %`);
    shown = percent;
  }
  return Buffer.concat(chunks);
}

async function byCurl(context: FetchContext, artifact: MavenArtifact): Promise<Buffer> {
  return inTemporaryFolder(context, async (folder) => {
    const file = path.join(folder, 'artifact.jar');
    const args = ['--fail', '--silent', '--show-error', '--location', '--output', file, addressOf(artifact)];
    const result = await context.run('curl', args, { signal: context.signal });
    if (result.exitCode !== 0) throw new Error(result.stderr.trim() || `exit ${result.exitCode}`);
    return readFile(file);
  });
}

async function byMaven(context: FetchContext, artifact: MavenArtifact): Promise<Buffer> {
  return inTemporaryFolder(context, async (folder) => {
    const args = [
      '-q',
      '-B',
      'dependency:copy',
      `-Dartifact=${artifact.group}:${artifact.name}:${artifact.version}`,
      `-DoutputDirectory=${folder}`,
    ];
    const result = await context.run('mvn', args, { signal: context.signal });
    const jar = (await readdir(folder)).find((name) => name.endsWith('.jar'));
    if (result.exitCode !== 0 || jar === undefined) {
      throw new Error((result.stderr.trim() || result.stdout.trim()).split('\n')[0] || `exit ${result.exitCode}`);
    }
    return readFile(path.join(folder, jar));
  });
}

async function inTemporaryFolder<T>(context: FetchContext, work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(path.join(context.cacheDir, 'unfinished-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
