/**
 * How large a coinbase each make of machine takes, by what it calls itself in mining.subscribe. A larger one makes every share of
 * it miss its target. Figures are those that the datum gateway sorts machines by; NerdMiner's is the size of its buffer.
 */

/** The first that matches holds. */
const CLASSES: readonly (readonly [userAgent: RegExp, bytesMax: number])[] = [
  [/^NiceHash\//, 500],
  [/^NerdMinerV2\//, 512],
  [/bosminer-plus-tuner/, 2250],
  [/^Antminer S21/, 2250],
  [/^Antminer /, 750],
  [/^whatsminer\//, 6500],
  [/^bitaxe\//, 6500],
  [/^PowerPlay-BM\//, 16_384],
  [/^xminer-1\./, 16_384],
];

/** Bytes of the whole coinbase transaction; undefined for a make that nothing is known of. */
export function coinbaseBytesMax(userAgent: string): number | undefined {
  return CLASSES.find(([pattern]) => pattern.test(userAgent))?.[1];
}
