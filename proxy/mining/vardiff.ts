/**
 * Variable difficulty: a power of two per session that keeps its shares near a wished number a minute. It looks at past
 * shares only, so that the sum of credits stays unbiased (measurement.md, estimator), and it is control, not accounting:
 * floating point is allowed here and nowhere near a ledger.
 *
 * Two phases. *Seeking* (a new session, or after a jump): change as soon as the count is off at about 1 σ, by as many
 * powers of two as the estimate says (two at a time in silence). *Settled*: change only at 3 σ beyond a dead band that is wider than one power of
 * two, so that neither noise nor a rate between two powers makes it flap.
 *
 * What is asked for is not at once in force: one work keeps one k, and a pool may send the same work for minutes. Silence is
 * evidence about the k in force alone, and none at all while the machine has nothing to do.
 */

export interface VardiffPolicy {
  readonly sharesPerMinute: number;
  readonly minExponent: number;
  readonly maxExponent: number;
}

/** The rate may be this factor above or below the wish. Its square exceeds 2: after a change the new rate is inside the band. */
const SETTLED_BAND = 1.6;
const SETTLED_SIGMA = 3;
/** Seeking is impatient; √2 is the least band that holds one power of two. */
const SEEKING_BAND = Math.SQRT2;
const SEEKING_SIGMA = 1;
/** Fewer shares than these do not raise the difficulty, however quickly they came. */
const RAISE_SHARES_MIN = 8;
/** This many in-band shares end the search. */
const SETTLED_SHARES_MIN = 16;
/** The window then forgets half of itself at this age, so that a real change of hash rate shows within minutes. */
const WINDOW_MS = 600_000;
const MINUTE_MS = 60_000;
/** Silence lowers at most this far below the last exponent that shares came at: a dark machine must not come back as a flood. */
const SILENT_STEPS_MAX = 6;

export class Vardiff {
  /** The k asked for. */
  exponent: number;
  #fromMs: number;
  /** Shares of the window, in units of one share at `#unit`. */
  #shares = 0;
  /** The k in force; undefined until the machine has work. */
  #told: number | undefined;
  #settled = false;
  /** Exponent of the last share; undefined before the first one. */
  #shown: number | undefined;

  constructor(startExponent: number, nowMs: number) {
    this.exponent = startExponent;
    this.#fromMs = nowMs;
  }

  /** The k that shares are counted in: a lower one that is only asked for has no shares of its own yet. */
  get #unit(): number {
    return Math.max(this.exponent, this.#told ?? this.exponent);
  }

  /** The machine was sent work at this k. */
  told(exponent: number, nowMs: number): void {
    const [first, unit] = [this.#told === undefined, this.#unit];
    this.#told = exponent;
    if (first || this.#unit !== unit) this.idle(nowMs);
  }

  /** Until now the machine had nothing to do: its silence says nothing. */
  idle(nowMs: number): void {
    this.#fromMs = nowMs;
    this.#shares = 0;
  }

  /** Counts an accepted share, with the k of its own job (which may be older than the k in force). */
  share(exponent: number, nowMs: number): void {
    if (nowMs < this.#fromMs) this.#fromMs = nowMs;
    this.#shown = exponent;
    // A straggler from a higher k counts as one: as the many it is worth it would look like a burst.
    this.#shares += exponent < this.#unit ? 2 ** (exponent - this.#unit) : 1;
  }

  /**
   * The k to ask for from now on, or undefined when it stays. `ceilingExponent` is the most that the upstream
   * difficulty allows. Cheap enough to be called at every share, and to be called from time to time because silence
   * counts too.
   */
  retarget(policy: VardiffPolicy, ceilingExponent: number, nowMs: number): number | undefined {
    const highest = Math.max(policy.minExponent, Math.min(policy.maxExponent, ceilingExponent));
    const wished = this.#wished(policy.sharesPerMinute, nowMs);
    const floor = this.#shown === undefined ? wished : Math.max(wished, Math.min(this.exponent, this.#shown - SILENT_STEPS_MAX));
    const next = Math.min(Math.max(floor, policy.minExponent), highest);
    if (next === this.exponent) return undefined;
    // A jump of several powers of two is a rough estimate from few shares: look again soon.
    if (Math.abs(next - this.exponent) > 1) this.#settled = false;
    this.exponent = next;
    this.idle(nowMs);
    return next;
  }

  /** The exponent that the window asks for; closes or ages the window on the way. */
  #wished(sharesPerMinute: number, nowMs: number): number {
    if (this.#told === undefined) return this.exponent;
    const elapsedMs = Math.max(0, nowMs - this.#fromMs);
    const expected = (sharesPerMinute * elapsedMs * 2 ** (this.exponent - this.#unit)) / MINUTE_MS;
    const sigma = this.#settled ? SETTLED_SIGMA : SEEKING_SIGMA;
    const band = this.#settled ? SETTLED_BAND : SEEKING_BAND;
    const high = expected * band;
    const low = expected / band;
    if (this.#shares >= RAISE_SHARES_MIN && this.#shares - high > sigma * Math.sqrt(high)) {
      return this.exponent + Math.max(1, Math.round(Math.log2(this.#shares / Math.max(expected, 0.01))));
    }
    if (low - this.#shares > sigma * Math.sqrt(low)) {
      // Half a share more than seen: silence says that the rate is low, not that it is zero.
      return this.exponent + Math.min(-1, Math.round(Math.log2((this.#shares + 0.5) / expected)));
    }
    if (this.#shares >= SETTLED_SHARES_MIN && expected >= SETTLED_SHARES_MIN) this.#settled = true;
    if (elapsedMs >= WINDOW_MS) {
      this.#fromMs = nowMs - elapsedMs / 2;
      this.#shares /= 2;
    }
    return this.exponent;
  }
}
