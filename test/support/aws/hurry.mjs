/**
 * Loaded into the built command line by NODE_OPTIONS=--import: what looks every few seconds whether AWS is ready looks ten
 * times as often. The emulator is ready at the second look, and a test would only sit and wait for that.
 */

import { syncBuiltinESMExports } from 'node:module';
import timers from 'node:timers/promises';

const sleep = timers.setTimeout;
timers.setTimeout = (milliseconds, ...rest) => sleep(milliseconds >= 2000 ? milliseconds / 10 : milliseconds, ...rest);
syncBuiltinESMExports();
