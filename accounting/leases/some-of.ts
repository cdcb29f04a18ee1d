/** A list in a sentence: its first entries, and how many there are beside them. */
const NAMED_MAX = 5;

/** `a, b and 3 more`, with a word for what they are behind it. */
export function someOf(entries: readonly string[], what = ''): string {
  const left = entries.length - NAMED_MAX;
  return `${entries.slice(0, NAMED_MAX).join(', ')}${left > 0 ? ` and ${left} more${what === '' ? '' : ` ${what}`}` : ''}`;
}
