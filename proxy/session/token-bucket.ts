/** A cap on how often something may happen, with a burst. */

export class TokenBucket {
  private readonly perSecond: number;
  private readonly tokensMax: number;
  private tokens: number;
  private atMono: number | undefined;

  /** Full at first: `burstS` seconds' worth may happen at once. */
  constructor(perSecond: number, burstS: number) {
    this.perSecond = perSecond;
    this.tokensMax = perSecond * burstS;
    this.tokens = this.tokensMax;
  }

  /** Takes a token; false when they are used up. */
  take(monoMs: number): boolean {
    const elapsedMs = monoMs - (this.atMono ?? monoMs);
    this.atMono = monoMs;
    this.tokens = Math.min(this.tokensMax, this.tokens + (elapsedMs / 1000) * this.perSecond);
    if (this.tokens < 1) return false;
    this.tokens -= 1;
    return true;
  }
}
