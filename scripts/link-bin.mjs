// Usage: node scripts/link-bin.mjs   (run by npm's prepare)
// Puts this package's own command where npx looks first. Without it `npx cdc` in this folder would build the package again.

import { mkdirSync, rmSync, symlinkSync } from 'node:fs';

mkdirSync('node_modules/.bin', { recursive: true });
rmSync('node_modules/.bin/cdc', { force: true });
symlinkSync('../../bin/cdc.js', 'node_modules/.bin/cdc');
