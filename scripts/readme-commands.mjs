// Usage: node scripts/readme-commands.mjs [--check]
// Writes README.md's command reference from the help of the built commands (npm run build first).
// --check changes nothing and fails when README.md says something else than the help.

import { readFileSync, writeFileSync } from 'node:fs';
import { manualPage } from '../dist/cli/help.js';
import { COMMANDS } from '../dist/commands/index.js';

const README = new URL('../README.md', import.meta.url);
const BEGIN = '<!-- commands: written by npm run help:update -->';
const END = '<!-- /commands -->';

const pages = await Promise.all(
  COMMANDS.map(async (entry) => ({ ...entry, page: manualPage(entry, await entry.load()).trimEnd() })),
);
const groups = [...new Set(pages.map(({ group }) => group))];
const section = groups
  .flatMap((group) => {
    const commands = pages.filter((command) => command.group === group);
    return [
      `### ${group}`,
      '',
      '| command | |',
      '|---|---|',
      ...commands.map(({ name, summary }) => `| \`cdc ${name}\` | ${summary} |`),
      '',
      ...commands.flatMap(({ name, page }) => [
        `<details><summary><code>cdc help ${name}</code></summary>`,
        '',
        '```text',
        page,
        '```',
        '',
        '</details>',
        '',
      ]),
    ];
  })
  .join('\n');

const text = readFileSync(README, 'utf8');
const [before, rest] = text.split(BEGIN);
const after = rest?.split(END)[1];
if (after === undefined) throw new Error(`README.md lacks the lines ${BEGIN} and ${END}`);
const fresh = `${before}${BEGIN}\n\n${section}\n${END}${after}`;

if (process.argv.includes('--check')) {
  if (fresh !== text) {
    console.error('README.md: the command reference is not what the help says: npm run help:update');
    process.exitCode = 1;
  }
} else writeFileSync(README, fresh);
