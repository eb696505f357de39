/** The library: the same core that the commands call, for programs that have a pipeline of their own. */

export { type Config, type ConfigOverride, parseConfig, readConfig } from './core/config.ts';
export { CancelledError, CdcError, ConfigError, UsageError } from './core/errors.ts';
export { type Progress, silent } from './core/progress.ts';
