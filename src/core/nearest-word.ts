/** The valid word a mistyped one most likely meant. */

/** undefined when nothing is near enough to be worth suggesting. */
export function nearestWord(typed: string, words: Iterable<string>): string | undefined {
  const wanted = typed.toLowerCase();
  let best: { word: string; distance: number } | undefined;
  for (const word of words) {
    const distance = editDistance(wanted, word.toLowerCase());
    if (best === undefined || distance < best.distance) best = { word, distance };
  }
  // Two slips in a short word make it any other word; longer ones forgive more.
  if (best === undefined || best.distance > Math.max(1, Math.floor(Math.max(wanted.length, best.word.length) / 3)))
    return [...words].find((word) => wanted.length >= 3 && word.toLowerCase().startsWith(wanted));
  return best.word;
}

/** ` (did you mean merge?)`, or nothing. */
export function didYouMean(typed: string, words: Iterable<string>): string {
  const word = nearestWord(typed, words);
  return word === undefined ? '' : ` (did you mean ${word}?)`;
}

/** Insertions, deletions, replacements and swaps of neighbours that turn one word into the other. */
function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let distance = Math.min((previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1, replaced);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        distance = Math.min(distance, (beforePrevious[j - 2] ?? 0) + 1);
      current.push(distance);
    }
    beforePrevious = previous;
    previous = current;
  }
  return previous[b.length] ?? 0;
}
