/** How much was delivered, on a printed statement: against what was owed and the target, and day by day. */
import { facts, heading, name, percent, printable, quantity, small, table, workPlaces, type Column, type Document } from './pdf-kit.ts';
import type { StatementDraft } from './statement.ts';

const LOSS_WORDS: Readonly<Record<string, string>> = {
  poolStale: 'refused by the pool as stale', poolOther: 'refused otherwise or unanswered', noPool: 'found no pool', unjournaled: 'could not be journaled',
};

/** Delivery ratio below which a day missed its service level; undefined where none is agreed for it. */
export function targetOn({ parts, contract, service }: StatementDraft, date: string): number | undefined {
  const part = parts.findLast(({ from }) => from <= date) ?? parts[0];
  if ((part?.contract ?? contract).lease.service === undefined) return undefined;
  const row = service.find((each) => each.date === '' || each.date === date || within(each.date, date));
  return row === undefined ? undefined : Number(row.target);
}

function within(span: string, date: string): boolean {
  const [from = '', to = ''] = span.split(' to ');
  return to !== '' && from <= date && date <= to;
}

export function delivery(document: Document, statement: StatementDraft): void {
  heading(document, 'Delivery');
  const { total, losses, contract } = statement;
  const places = workPlaces(statement);
  const excused = ([[total.curtailedHours, 'curtailed'], [total.suspendedHours, 'suspended'], [total.excusedUnmeasuredHours, 'not observed and excused']] as const)
    .filter(([hours]) => Number(hours) > 0).map(([hours, what]) => `${quantity(hours, 2)} hours ${what}`);
  const lost = losses.filter(({ terahashDays }) => Number(terahashDays) > 0).map(({ cause, bearer, terahashDays }) => `${quantity(terahashDays, places + 1)} TH-days ${LOSS_WORDS[cause] ?? cause} (borne by ${name(statement, bearer)})`);
  const rows: [string, string][] = [
    ['Owed', `${quantity(total.owed, places)} TH-days${excused.length === 0 ? '' : `: ${quantity(total.contracted, places)} contracted, less ${excused.join(' and ')}`}`],
    ['Delivered', `${quantity(total.delivered, places)} TH-days by ${quantity(String(total.shares), 0)} shares; between ${quantity(total.deliveredLow, places)} and ${quantity(total.deliveredHigh, places)} with 95\u00a0% confidence`],
    ['Credited by pools', `${quantity(total.credited, places)} TH-days, measured at the pools' own difficulty`],
    ...(lost.length === 0 ? [] : [['Lost on the way', lost.join('; ')] as [string, string]]),
    ['Settled', `${quantity(total.settled, places)} TH-days: what was ${contract.lease.basis === 'credited' ? 'credited' : 'delivered'}, as losses are borne; ${percent(total.ratio)} of what is owed`],
    ...serviceRows(statement),
    ...(total.availability === null ? [] : [['Machines', `half of the nameplate or more was reached in ${percent(total.availability)} of ${quantity(String(total.machineHours), 0)} machine-hours`] as [string, string]]),
  ];
  facts(document, rows.map(([label, text]) => [label, printable(text)]));
}

/** One for the period, or for each part of it by its own terms; those of single days stand in the file. */
function serviceRows(statement: StatementDraft): [string, string][] {
  const { service, days } = statement;
  if (days.every(({ date }) => targetOn(statement, date) === undefined)) return [['Service level', 'none is agreed']];
  const single = service.filter(({ date }) => date !== '' && !date.includes(' to '));
  const short = single.filter(({ pointsBelowTarget }) => Number(pointsBelowTarget) > 0);
  const rows = service.filter((each) => !single.includes(each)).map(({ date, target, ratio, noise, shortfallBeyondNoise, pointsBelowTarget }): [string, string] => {
    const outcome = Number(pointsBelowTarget) > 0
      ? `missed by ${quantity(pointsBelowTarget, 2)} percentage points (${quantity(shortfallBeyondNoise, workPlaces(statement))} TH-days), with ${percent(noise)} of what is settled excused as chance`
      : Number(ratio) < Number(target) ? `missed by no more than chance excuses, ${percent(noise)} of what is settled` : 'met';
    return ['Service level', `${date === '' ? '' : `${date}: `}${percent(ratio)} settled against a target of ${percent(target)}: ${ratio === null ? 'nothing was owed' : outcome}`];
  });
  return single.length === 0 ? rows : [...rows, ['Service level', `measured by day: ${short.length} of ${single.length} days missed the target of ${percent(single[0]?.target ?? null)} beyond chance; the figures of each stand in the file`]];
}

export function dayTable(document: Document, statement: StatementDraft): void {
  heading(document, 'Day by day, in TH-days');
  const places = workPlaces(statement);
  const listed = statement.total.installed !== null;
  const columns: Column[] = [
    { title: 'day', width: listed ? 0.12 : 0.14 }, { title: 'contracted', width: listed ? 0.105 : 0.14, right: true }, { title: 'owed', width: listed ? 0.1 : 0.13, right: true },
    ...(listed ? [{ title: 'installed', width: 0.1, right: true }, { title: 'seen', width: 0.1, right: true }] : []),
    { title: 'delivered', width: listed ? 0.105 : 0.14, right: true }, { title: '95 % interval', width: listed ? 0.175 : 0.2, right: true }, { title: 'credited', width: listed ? 0.1 : 0.13, right: true }, { title: 'ratio', width: listed ? 0.095 : 0.12, right: true },
  ];
  const cells = (date: string, row: StatementDraft['total'] | StatementDraft['days'][number]): string[] => [
    date, quantity(row.contracted, places), quantity(row.owed, places), ...(listed ? [quantity(row.installed, places), quantity(row.seen, places)] : []), quantity(row.delivered, places),
    row.deliveredHigh === '' ? '–' : `${quantity(row.deliveredLow, places - 1)} – ${quantity(row.deliveredHigh, places - 1)}`, quantity(row.credited, places), row.ratio === null ? '–' : `${(Number(row.ratio) * 100).toFixed(1)} %`,
  ];
  table(document, columns, [...statement.days.map((day) => cells(day.date, day)), cells('total', statement.total)], 7.5, true);
  const odd = statement.days.filter(({ hours }) => Number(hours) !== 24).map(({ date, hours }) => `${date} has ${Number(hours)} hours`);
  const terms = ['1 TH-day is 1 TH/s for 86,400 seconds', 'owed: contracted less excused time', ...(listed ? ['installed and seen: by nameplates of the inventory, as its owner states them'] : []), 'ratio: settled over owed', ...odd];
  small(document, `${terms.join('; ')}.`);
}
