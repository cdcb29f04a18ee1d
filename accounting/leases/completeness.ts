/** The completeness box of a statement: what the days, the pools' answers and the inventory leave open, in sentences. */
import { GAP_MIN_MS } from './downtime.ts';
import { decimalText, total } from './exact.ts';
import type { Machines } from './machines.ts';
import { someOf } from './some-of.ts';
import { answersOf, type DayQuantities, type LeaseDay } from './quantities.ts';

function answerNotes(days: readonly LeaseDay[]): string[] {
  const { forwarded, accepted, rejected, unanswered } = answersOf(days);
  const left = forwarded - accepted - rejected - unanswered;
  return [left === 0 ? 'Every forwarded share is accepted, rejected or unanswered.' : `Of the forwarded shares ${left} have no answer on record, not even that none came.`];
}

/** What the inventory and the names that worked say of each other. */
function machineNotes({ unlisted, silent }: Machines): string[] {
  return [
    ...(unlisted.length === 0 ? [] : [`Worked under the lease and in no row of the inventory: ${someOf(unlisted.map(({ worker }) => worker))}.`]),
    ...(silent.length === 0 ? [] : [`Installed, and their names found no share: ${someOf(silent.map(({ serial, worker }) => `${serial} (${worker})`))}.`]),
  ];
}

/**
 * @param measured The same days as the ledger has them.
 * @param places Decimals of work.
 */
export function completeness(days: readonly DayQuantities[], measured: readonly LeaseDay[], machines: Machines, places: number): string[] {
  const gaps = days.filter(({ fromMs, toMs, observedMs }) => toMs - fromMs - observedMs >= GAP_MIN_MS);
  const list = gaps.map(({ date, fromMs, toMs, observedMs }) => `${date} (${((toMs - fromMs - observedMs) / 3_600_000).toFixed(2)} h)`);
  const excused = days.filter(({ unmeasuredMs }) => unmeasuredMs > 0).map(({ date, unmeasuredMs }) => `${date} (${(unmeasuredMs / 3_600_000).toFixed(2)} h)`);
  const unjournaled = total(days.map((day) => day.losses.unjournaled));
  return [
    gaps.length === 0 ? 'Every day was observed in full.' : `Not observed, and so unmeasured: ${list.join(', ')}.`,
    ...(excused.length === 0 ? [] : [`Excused as unmeasured, and so not owed: ${excused.join(', ')}.`]),
    unjournaled.numerator === 0n ? 'No work went unjournaled.' : `${decimalText(unjournaled, places)} TH·day went unjournaled.`,
    ...answerNotes(measured), ...machineNotes(machines), ...chanceNotes(measured, machines),
  ];
}

/** Of 30 expected shares fewer than half come once in a thousand hours: with fewer, an hour says little of one machine. */
const SHARES_PER_HOUR_MIN = 30;

/** Whether machines find enough shares for figures by machine and hour to say something. */
function chanceNotes(measured: readonly LeaseDay[], { days }: Machines): string[] {
  const hours = days.reduce((sum, { available }) => sum + available, 0);
  const shares = measured.reduce((sum, day) => [...day.shares.values()].reduce((a, b) => a + b, sum), 0);
  if (hours === 0 || shares >= hours * SHARES_PER_HOUR_MIN) return [];
  return [`A machine that worked found about ${(shares / hours).toFixed(1)} shares an hour: with so few, availability and hours without a share are partly chance. The work of the lease is not.`];
}
