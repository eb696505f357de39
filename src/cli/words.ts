/** Finds the command's name among the words of a command line. Kept apart from commander, which --help and --version do without. */

import { GLOBAL_OPTIONS } from './options.ts';

/** The command's name among the words, and the others in order; flags may stand before it. */
export function splitWords(words: readonly string[]): { name: string | undefined; rest: string[] } {
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? '';
    if (!word.startsWith('-')) return { name: word, rest: [...words.slice(0, index), ...words.slice(index + 1)] };
    if (takesValue(word)) index++;
  }
  return { name: undefined, rest: [...words] };
}

function takesValue(word: string): boolean {
  return Object.entries(GLOBAL_OPTIONS).some(([name, spec]) => spec.value !== undefined && word === `--${name}`);
}
