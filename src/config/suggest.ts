// "Did you mean …?": the nearest of the words that would have been right.

// A longer word is no slip of the keyboard, and the table grows with the square of the length.
const WORD_CHARS_MAX = 64;

/** The nearest candidate as `did you mean "…"?`; undefined where none is near enough. */
export function suggest(word: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  // A third of the word may differ: one slip in a short word, three in a long one.
  let bound = Math.max(1, Math.min(3, Math.floor(word.length / 3))) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bound) {
      best = candidate;
      bound = distance;
    }
  }
  return best === undefined ? undefined : `did you mean "${best}"?`;
}

/**
 * Damerau-Levenshtein distance (optimal string alignment): insertions, deletions, substitutions and
 * swaps of neighbours, each counting one. Infinity for words longer than 64 characters.
 */
export function editDistance(a: string, b: string): number {
  if (a.length > WORD_CHARS_MAX || b.length > WORD_CHARS_MAX) return Infinity;
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1));
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) cost = Math.min(cost, beforeLast[j - 2]! + 1);
      row.push(cost);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length]!;
}
