/** Globs compared with globs: whether two can match one name, and whether one matches all that another does. */

/** Whether some text matches both globs (`*` any run of characters, `?` one). Work is the product of their lengths. */
export function globsMeet(a: string, b: string): boolean {
  const reached = new Set<string>();
  const meet = (i: number, j: number): boolean => {
    const key = `${i},${j}`;
    if (reached.has(key)) return false;
    reached.add(key);
    const [left, right] = [a[i], b[j]];
    if (left === undefined && right === undefined) return true;
    if (left === '*' && (meet(i + 1, j) || (right !== undefined && meet(i, j + 1)))) return true;
    if (right === '*' && (meet(i, j + 1) || (left !== undefined && meet(i + 1, j)))) return true;
    if (left === undefined || right === undefined || left === '*' || right === '*') return false;
    return (left === right || left === '?' || right === '?') && meet(i + 1, j + 1);
  };
  return meet(0, 0);
}

/** Whether every text that `narrow` matches is matched by `wide` too; false where that is not plain to see. */
export function globCovers(wide: string, narrow: string): boolean {
  if (wide === narrow || /^\*+$/.test(wide)) return true;
  const fixed = wide.slice(0, -1);
  // "acme.*" covers "acme.rack1.*" and "acme.17", the forms that people write.
  return wide.endsWith('*') && !/[*?]/.test(fixed) && narrow.startsWith(fixed);
}
