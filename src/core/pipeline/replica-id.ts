/** Our id among the source's replicas: any number no other replica has; derived from the pipeline's name, so that two pipelines on one server differ. */

export function replicaId(name: string): number {
  let hash = 2166136261;
  for (const char of name) hash = Math.imul(hash ^ char.charCodeAt(0), 16777619) >>> 0;
  return 1_000_000 + (hash % 4_000_000_000);
}
