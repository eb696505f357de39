import { describe, it, onTestFinished } from 'vitest';
import { openEngine } from '../../../src/core/engine/engine.ts';
import { mergeTable } from '../../../src/core/merge/merge-table.ts';
import { silent } from '../../../src/core/progress.ts';
import { mergeCases } from '../../support/merge-cases.ts';
import { recordResult } from '../../support/proof-result.ts';
import { type CaseOptions, runMergeCase } from '../../support/run-merge-case.ts';
import { temporaryFolder } from '../../support/temp-folder.ts';

describe('merge case', () => {
  it.each(mergeCases().map((one) => [one.name, one.about, one] as const))('%s: %s', async (_name, _about, one) => {
    const engine = await openEngine({ tempDirectory: await temporaryFolder(), threads: 1 });
    onTestFinished(() => engine.close());
    const merge = (options: CaseOptions) => mergeTable({ ...options, engine, progress: silent });
    await recordResult({ case: one.name, engine: 'local' }, () => runMergeCase(one, { merge, firstVersion: 0 }));
  });
});
