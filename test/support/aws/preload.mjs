/**
 * Loaded into the built command line by NODE_OPTIONS=--import: appends each call of the AWS SDK to the file
 * $CDC_TEST_AWS_CALLS as a line of JSON, and lets the ones of $CDC_TEST_AWS_FAULTS (JSON, a list) go wrong.
 */

import { appendFileSync } from 'node:fs';
import { installCallFaults } from './call-faults.mjs';

const { CDC_TEST_AWS_CALLS: file, CDC_TEST_AWS_FAULTS: faults } = process.env;
if (file === undefined) throw new Error('preload.mjs needs CDC_TEST_AWS_CALLS');
const { pid } = process;
const append = (entry) => appendFileSync(file, `${JSON.stringify({ pid, ...entry })}\n`);
installCallFaults({
  faults: JSON.parse(faults ?? '[]'),
  onCall: append,
  onFault: ({ kind, ...where }) => append({ fault: kind, ...where }),
});
