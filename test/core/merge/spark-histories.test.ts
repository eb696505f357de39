/** Two engines on one table, by turns: batch for batch what the local engine does alone. */

import fc from 'fast-check';
import { describe, it } from 'vitest';
import { checkHistory } from '../../support/check-history.ts';
import { daySample } from '../../support/day-sample.ts';
import { hasDeltaReader } from '../../support/python.ts';
import { hasSpark } from '../../support/spark-parts.ts';
import { inFolders } from '../../support/table-place.ts';
import { captureCase, turnsOnCapture } from '../../support/turns-on-capture.ts';
import { dmsCase, turnsOnDms } from '../../support/turns-on-dms.ts';

/** `npm run proof -- engines` sets it: a history of each kind for each seed. */
const SEEDS = process.env.CDC_PROOF_SEEDS;
const given = SEEDS?.split(',').map(Number);
const between = (minLength: number, maxLength: number): fc.ArrayConstraints => ({ minLength, maxLength, size: 'max' });
const OF_CAPTURE = { seeds: given ?? [21], events: given === undefined ? between(6, 8) : between(12, 24) };
/** The one of `npm test` has two changes of a key, a resumed task and a reload in it. */
const OF_DMS = { seeds: given ?? [337], events: given === undefined ? between(8, 10) : between(12, 24) };
/** A mirror one day, a history the next. */
const append = given === undefined ? fc.constantFrom(...daySample([false, true], 1)) : fc.boolean();

const isThere = (await hasSpark()) && (await hasDeltaReader());

describe.runIf(isThere)('a table on which the engines take turns', () => {
  for (const seed of OF_CAPTURE.seeds)
    it(`is, batch for batch, what the local engine alone makes of it, and in the end the source (seed ${seed})`, async () => {
      const history = captureCase(OF_CAPTURE.events);
      await checkHistory({ history: seed }, { seed, history }, (one, engine, root) =>
        turnsOnCapture(engine, inFolders(root), root, one),
      );
    }, 1_200_000);

  for (const seed of OF_DMS.seeds)
    it(`is so too where DMS follows the source, its tasks resume and its files come late (seed ${seed})`, async () => {
      const history = dmsCase(OF_DMS.events, append);
      await checkHistory({ history: seed, writer: 'dms' }, { seed, history }, (one, engine, root) =>
        turnsOnDms(engine, inFolders(root), root, one),
      );
    }, 1_200_000);
});
