/**
 * The command line as it is compiled, file by file: a client of the SDK that lies within the bundle is out of preload.mjs's
 * reach, and beside the bundle it is the one of node_modules. The code is the same.
 */

import { main } from '../../../dist/cli.js';

await main(process.argv.slice(2));
