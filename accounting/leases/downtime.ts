/**
 * When less than all of a lease worked, in two columns: what was observed, and what a party stated of that time. A cause is
 * never guessed: a session ended or nothing was found, and why machines stood still only people know.
 */
import { HOUR_MS, type EndedHourRow, type ObservedMinuteRow } from '../rows.ts';
import { msWithin, type Span, type Statement as Stated } from './excused.ts';
import type { SilentStretch } from './machines.ts';

export interface Downtime extends Span {
  readonly observed: string;
  /** '' when nobody stated anything of that time. */
  readonly stated: string;
}

/** Stretches that a statement lists; of more the longest by machine-hours. */
const STRETCHES_MAX = 30;
/** Ends of links that it lists. */
const LINKS_MAX = 20;
/** Names of a stretch that are written out. */
const NAMES_MAX = 3;
/** Pulses come once a second, and a restart takes a few: less, at once or in a day, is no gap. */
export const GAP_MIN_MS = 10_000;

/** Times in which no proxy process observed: from the last pulse of one to the first that follows, of any. Rows are those of the minutes of the span, in any order. */
export function unobserved(rows: readonly ObservedMinuteRow[], { fromMs, toMs }: Span): Span[] {
  const gaps: Span[] = [];
  let reachedMs = fromMs;
  const gapUntil = (ms: number): void => {
    if (ms - reachedMs >= GAP_MIN_MS) gaps.push({ fromMs: reachedMs, toMs: ms });
  };
  for (const { first_ms, last_ms } of rows.toSorted((a, b) => a.first_ms - b.first_ms)) {
    gapUntil(Math.min(first_ms, toMs));
    reachedMs = Math.max(reachedMs, last_ms);
  }
  gapUntil(toMs);
  return gaps;
}

export interface Downtimes {
  readonly list: readonly Downtime[];
  /** Sentences about what the list leaves out. */
  readonly notes: readonly string[];
}

/** @param ended Sessions of the lease that ended, and links of the pools that its work went to. */
export function downtimes(gaps: readonly Span[], stretches: readonly SilentStretch[], ended: readonly EndedHourRow[], stated: readonly Stated[], nameOf: (party: string) => string): Downtimes {
  const weight = ({ fromMs, toMs, workers }: SilentStretch): number => (toMs - fromMs) * workers.length;
  const longest = stretches.toSorted((a, b) => weight(b) - weight(a) || a.fromMs - b.fromMs);
  const [shown, left] = [longest.slice(0, STRETCHES_MAX), longest.slice(STRETCHES_MAX)];
  const sessions = ended.filter(({ what }) => what === 'session');
  const links = ended.filter(({ what }) => what === 'link').toSorted((a, b) => b.n - a.n || a.first_ms - b.first_ms);
  const observed = [
    ...gaps.map((gap) => ({ ...gap, observed: 'No proxy process observed: unmeasured.' })),
    ...shown.map((stretch) => ({ fromMs: stretch.fromMs, toMs: stretch.toMs, observed: silentText(stretch, sessions) })),
    ...links.slice(0, LINKS_MAX).map(({ pool, reason, n, first_ms, last_ms }) => ({ fromMs: first_ms, toMs: last_ms, observed: `Pool ${pool}: ${n === 1 ? 'a link' : `${n} links`} ended (${reason}).` })),
  ];
  const hours = left.reduce((sum, stretch) => sum + weight(stretch), 0) / HOUR_MS;
  return {
    list: observed.toSorted((a, b) => a.fromMs - b.fromMs || a.toMs - b.toMs || (a.observed < b.observed ? -1 : 1)).map((each) => ({ ...each, stated: statedText(each, stated, nameOf) })),
    notes: [
      ...(left.length === 0 ? [] : [`${left.length} shorter stretches without a share, ${Math.round(hours)} machine-hours in all, are not listed.`]),
      ...(links.length <= LINKS_MAX ? [] : [`${links.length - LINKS_MAX} further hours in which links ended are not listed.`]),
    ],
  };
}

function clock(ms: number): string {
  return new Date(ms).toISOString().slice(11, 19);
}

function span([from, to]: readonly [number, number]): string {
  return clock(from) === clock(to) ? clock(from) : `${clock(from)} to ${clock(to)}`;
}

function silentText({ fromMs, workers, lastMs }: SilentStretch, sessions: readonly EndedHourRow[]): string {
  const names = workers.length <= NAMES_MAX + 1 ? workers.join(', ') : `${workers.slice(0, NAMES_MAX).join(', ')} and ${workers.length - NAMES_MAX} more`;
  const last = lastMs === undefined ? '' : `; last shares ${span(lastMs)} UTC`;
  const near = sessions.filter(({ hour }) => hour * HOUR_MS >= fromMs - HOUR_MS && hour * HOUR_MS <= fromMs);
  const closings = near.map(({ n, reason, first_ms, last_ms }) => `${n === 1 ? 'a session' : `${n} sessions`} of the lease ended ${span([first_ms, last_ms])} UTC (${reason})`);
  return `${workers.length === 1 ? 'One name' : `${workers.length} names`} found no share: ${names}${last}${closings.map((text) => `; ${text}`).join('')}.`;
}

function statedText(time: Span, stated: readonly Stated[], nameOf: (party: string) => string): string {
  const meant = stated.filter(({ what, fromMs, toMs }) => what !== 'paid' && msWithin([{ fromMs, toMs }], time.fromMs, Math.max(time.toMs, time.fromMs + 1)) > 0);
  return meant.map(({ what, by, reason, document }) => `${what}, by ${nameOf(by)}: ${reason}${document === '' ? '' : ` (${document})`}`).join('; ');
}
