// Comparing texts.

/** Returns how many characters two texts have in common at the start and at the end, cut between words. */
export function common(one, other) {
  const most = Math.min(one.length, other.length);
  let start = 0;
  while (start < most && one[start] === other[start]) start += 1;
  let end = 0;
  while (end < most - start && one.at(-1 - end) === other.at(-1 - end)) end += 1;
  // A word that differs is marked as a whole.
  while (start > 0 && /\S/.test(one[start - 1])) start -= 1;
  while (end > 0 && /\S/.test(one.at(-end))) end -= 1;
  return { start, end };
}
