/** Time in which nothing is owed: curtailment within its yearly cap, and suspension. */

/** [from, to), milliseconds since 1970. */
export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Something stated by a party. The proxy never guesses a cause. */
export interface Statement extends Span {
  /** Paid: by a grid for these hours, and the party received it. */
  readonly what: 'curtailed' | 'suspended' | 'paid';
  readonly by: string;
  readonly reason: string;
  /** Name of a document; '' without one. */
  readonly document: string;
  /** What a grid paid, such as `9500.00 USD`; '' or left out for what is no payment. */
  readonly amount?: string;
}

export interface ExcusedTime {
  /** Within the yearly cap. */
  readonly curtailed: readonly Span[];
  /** Beyond it: stated, and owed all the same. */
  readonly beyondCap: readonly Span[];
  readonly suspended: readonly Span[];
}

/** Spans joined where they touch or overlap, in order. */
function joined(spans: readonly Span[]): Span[] {
  const result: { fromMs: number; toMs: number }[] = [];
  for (const { fromMs, toMs } of spans.toSorted((a, b) => a.fromMs - b.fromMs)) {
    const last = result.at(-1);
    if (fromMs >= toMs) continue;
    if (last !== undefined && fromMs <= last.toMs) last.toMs = Math.max(last.toMs, toMs);
    else result.push({ fromMs, toMs });
  }
  return result;
}

/** What of `spans` is in none of `cut`. */
export function without(spans: readonly Span[], cut: readonly Span[]): Span[] {
  let left = joined(spans);
  for (const { fromMs, toMs } of cut) {
    left = left.flatMap((span) => [
      { fromMs: span.fromMs, toMs: Math.min(span.toMs, fromMs) },
      { fromMs: Math.max(span.fromMs, toMs), toMs: span.toMs },
    ]).filter((span) => span.fromMs < span.toMs);
  }
  return joined(left);
}

/** Milliseconds of joined spans within [fromMs, toMs). */
export function msWithin(spans: readonly Span[], fromMs: number, toMs: number): number {
  return spans.reduce((sum, span) => sum + Math.max(0, Math.min(span.toMs, toMs) - Math.max(span.fromMs, fromMs)), 0);
}

/**
 * What was stated, divided. `yearStartsMs` are the first moments of the contract's years: in each, curtailment counts in
 * order of time until the cap is reached. Suspended time is not curtailed as well.
 */
export function excusedTime(stated: readonly Statement[], capMs: number, yearStartsMs: readonly number[]): ExcusedTime {
  const suspended = joined(stated.filter(({ what }) => what === 'suspended'));
  const asked = without(stated.filter(({ what }) => what === 'curtailed'), suspended);
  const curtailed: Span[] = [];
  yearStartsMs.forEach((startMs, index) => {
    const endMs = yearStartsMs[index + 1] ?? Number.POSITIVE_INFINITY;
    let leftMs = capMs;
    for (const { fromMs, toMs } of asked) {
      const from = Math.max(fromMs, startMs);
      const to = Math.min(toMs, endMs, from + leftMs);
      if (from >= to) continue;
      curtailed.push({ fromMs: from, toMs: to });
      leftMs -= to - from;
    }
  });
  const counted = joined(curtailed);
  return { curtailed: counted, beyondCap: without(asked, counted), suspended };
}
