/** The configuration that `init` and `plan` speak of: the cdc.yaml that is there, or the one that would be written. */

import { access } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { type Config, parseConfig } from '../core/config.ts';
import { refusePasswordOnCommandLine } from '../core/config-source.ts';
import { configTemplate, pipelineName } from '../core/config-template.ts';
import { CdcError, UsageError } from '../core/errors.ts';
import type { Context } from './command.ts';

/** Values of a new cdc.yaml as options give them; with one that is there, they must agree with it. */
export interface ConfigWishes {
  target?: string | undefined;
  source?: string | undefined;
  tables?: string[];
  name?: string | undefined;
  region?: string | undefined;
  profile?: string | undefined;
}

/** The configuration that is there, which the options must agree with, or the text of a new one. */
export async function chooseConfig(
  options: ConfigWishes,
  context: Pick<Context, 'config' | 'configFile'>,
): Promise<{ config: Config; text: string; isNew: boolean }> {
  if (options.source !== undefined) refusePasswordOnCommandLine('--source', options.source);
  if (await exists(context.configFile)) {
    const config = await context.config();
    refuseOther(options, config);
    return { config, text: '', isNew: false };
  }
  const { target = 'local' } = options;
  if (target !== 'local' && target !== 'aws')
    throw new UsageError(`--target ${target}: there is no such target`, 'write --target local or --target aws');
  const text = configTemplate({
    target,
    name: options.name ?? pipelineName(basename(dirname(context.configFile))),
    source: options.source ?? (target === 'aws' ? 'rds' : 'private'),
    tables: options.tables ?? [],
    ...(options.region === undefined ? {} : { region: options.region }),
    ...(options.profile === undefined ? {} : { profile: options.profile }),
  });
  return { config: parseConfig({ file: context.configFile, text }), text, isNew: true };
}

/** An option that says something else than the file would be lost in silence. */
function refuseOther(options: ConfigWishes, config: Config): void {
  const { source } = config;
  const url = source.kind !== 'url' ? source.kind : `mysql://${source.user}@${source.host}:${source.port}`;
  const tables = options.tables ?? [];
  const patterns = config.tables.map((rule) => rule.pattern);
  const others = [
    ...(options.target !== undefined && options.target !== config.target ? [`target is ${config.target}`] : []),
    ...(options.name !== undefined && options.name !== config.name ? [`name is ${config.name}`] : []),
    ...(options.source !== undefined && options.source.replace(/\/$/, '') !== url ? [`source is ${url}`] : []),
    ...(tables.length > 0 && tables.join() !== patterns.join() ? [`tables is [${patterns.join(', ')}]`] : []),
  ];
  if (others.length > 0)
    throw new CdcError(
      'config.exists',
      `making the pipeline: ${config.file} is there, and in it ${others.join(', ')}`,
      { hint: `edit ${config.file}, or leave the options out` },
    );
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
