#!/usr/bin/env node
// The only file that must run on any Node: it says in one sentence when this one is too old, before anything newer is parsed.
if (Number(process.versions.node.split('.')[0]) < 20) {
  process.stderr.write(
    `cdc needs Node 20 or newer, and this is Node ${process.versions.node}: install a newer one from https://nodejs.org\n`,
  );
  process.exitCode = 1;
} else {
  import('../dist/bundle/cli.js').then((cli) => cli.main(process.argv.slice(2)));
}
