// Usage: node scripts/house-rules.mjs
// What no linter of ours can say: no file names a path of the machine it was written on, and only src/cli.ts and src/cli/
// know the process (core and commands read no environment, write to no stream, and nothing but cli.ts exits).

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';

const TEXT = /\.(ts|mjs|cjs|js|json|ya?ml|md|sql|py|sh)$|^\.ci\//;
const machinePaths = ['home', 'root', 'Users', 'work', 'mnt'].map((folder) => `/${folder}/`);

const RULES = [
  {
    says: 'names a path of one machine',
    in: (file) => file !== 'package-lock.json' && !file.includes('/fixtures/'),
    breaks: (line) =>
      // A path begins where no word ends: `staging/work/x` is none.
      machinePaths.some((path) => new RegExp(`(^|[\\s'"\`(=:,])${path}[\\w.-]`).test(line)) ||
      [`${homedir()}/`, process.cwd()].some((path) => path.length > 2 && line.includes(path)),
  },
  {
    says: 'knows the process; take what you need from the context or an argument',
    in: (file) => /^src\/(core|commands)\//.test(file),
    breaks: (line) => /\bprocess\.(env|exit|exitCode|stdout|stderr|stdin|argv)\b|\bconsole\./.test(code(line)),
  },
  {
    says: 'ends the process; only src/cli.ts does',
    in: (file) => file.startsWith('src/') && file !== 'src/cli.ts',
    breaks: (line) => /\bprocess\.exit\(/.test(code(line)),
  },
];

/** The line without a comment at its end or of its own. */
function code(line) {
  return line.replace(/(^|\s)(\/\/|\/?\*).*$/, '');
}

const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { encoding: 'utf8' });
let broken = 0;
for (const file of files.split('\n').filter((name) => TEXT.test(name))) {
  const rules = RULES.filter((rule) => rule.in(file));
  if (rules.length === 0) continue;
  for (const [index, line] of read(file).split('\n').entries())
    for (const rule of rules)
      if (rule.breaks(line)) {
        broken++;
        console.error(`${file}:${index + 1}: ${rule.says}\n  ${line.trim().slice(0, 120)}`);
      }
}
if (broken > 0) process.exitCode = 1;

/** A file that git knows may be deleted in the work tree. */
function read(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
