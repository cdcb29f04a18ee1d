/** Whether a statement's contract, its period, the hours it excuses and its amendments are those that were on record when it was issued. */
import { dateAt, periodDates } from '../../config/calendar.ts';
import { daysOf, periodSpan } from './draft.ts';
import { eventsOf, knownAt, type LeaseHistory } from './history.ts';
import type { IssuedStatement } from './issue.ts';
import { rateText } from './sentences.ts';
import { amendmentsWithin, noteOf, partsOf, situationOf, type AmendmentNote, type Situation } from './situation.ts';
import type { LeaseTerms } from './terms.ts';
import { canonicalJson, digestOf } from './terms.ts';
import type { Finding } from './verify.ts';

/** Differing terms that are named. */
const NAMED_MAX = 6;
/** Characters of a value that are shown. */
const VALUE_MAX = 100;

/** @param records What they are found in: "journals" or "ledger". */
export function recordFindings({ statement }: IssuedStatement, whole: LeaseHistory, records: 'journals' | 'ledger'): Finding[] {
  const { lease, period, issuedAt } = statement;
  const issuedMs = Date.parse(issuedAt);
  const known = knownAt(whole, issuedMs);
  const { fromMs, toMs } = periodSpan(period.name, period.timezone);
  const situation = periodDates(period.name) === undefined ? undefined : situationOf(known, lease, { fromMs, toMs });
  if (situation === undefined) return [{ ok: false, sentence: `The ${records} hold no terms of ${lease} for ${period.name} from before it was issued: nothing shows that its terms were agreed.` }];
  const amendments = amendmentsWithin(eventsOf(known, lease), fromMs, toMs).map((event) => noteOf(event, false));
  const later = amendmentsWithin(eventsOf(whole, lease), fromMs, toMs).filter(({ recorded_ms }) => recorded_ms > issuedMs);
  return [
    ...termsFindings(statement, situation, issuedMs),
    ...statedFindings(statement, situation, records),
    ...amendmentFindings(statement.amendments, amendments, records),
    ...later.map((event) => ({ ok: true, sentence: `An ${event.event === 'amendment' ? 'amendment' : `amendment (${event.event})`} recorded at ${iso(event.recorded_ms)}, after it was issued, reaches its period: a correction shows both results.` })),
  ];
}

function termsFinding(contract: LeaseTerms, terms: LeaseTerms, agreed: Situation['agreed']): Finding {
  const amendment = agreed?.amendment;
  const recorded = iso(agreed?.recordedMs ?? 0);
  const unlike = differences('', contract, terms);
  if (unlike.length > 0) {
    const more = unlike.length > NAMED_MAX ? `, and ${unlike.length - NAMED_MAX} more` : '';
    return { ok: false, sentence: `Its terms are not those on record for its period, which were ${amendment === undefined ? 'journaled' : 'amended'} at ${recorded}: ${unlike.slice(0, NAMED_MAX).join('; ')}${more}.` };
  }
  if (amendment !== undefined) return { ok: true, sentence: `Its terms are those of the amendment that was recorded at ${recorded}: ${amendment.reason}.` };
  return { ok: true, sentence: `Its terms were journaled at ${recorded}.` };
}

/** `contracted is "12 PH/s" in the statement and "12.5 PH/s" on record`, for each value that differs. */
function differences(path: string, stated: unknown, recorded: unknown): string[] {
  if (canonicalJson(stated ?? null) === canonicalJson(recorded ?? null)) return [];
  const [a, b] = [entriesOf(stated), entriesOf(recorded)];
  if (a === undefined || b === undefined) {
    const name = path.replace(/^\.(lease\.(?!term\.(from|to)Ms$))?/, '');
    return [`${name} is ${valueText(name, stated)} in the statement and ${valueText(name, recorded)} on record`];
  }
  const keys = [...new Set([...a.keys(), ...b.keys()])].toSorted();
  return keys.flatMap((key) => differences(/^\d+$/.test(key) ? `${path}[${key}]` : `${path}.${key}`, a.get(key), b.get(key)));
}

function entriesOf(value: unknown): Map<string, unknown> | undefined {
  return typeof value === 'object' && value !== null ? new Map(Object.entries(value)) : undefined;
}

function valueText(name: string, value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (name.endsWith('Ms') && typeof value === 'number' && Math.abs(value) <= 8.64e15) return iso(value);
  const text = name === 'contracted' && typeof value === 'string' && /^\d+$/.test(value) ? rateText(value) : canonicalJson(value);
  return text.length > VALUE_MAX ? `${text.slice(0, VALUE_MAX)}…` : text;
}

/** The contract and its parts, and the days that the terms on record make of the period. */
function termsFindings({ contract, parts, period }: IssuedStatement['statement'], { terms, parts: all, agreed }: Situation, issuedMs: number): Finding[] {
  const found = daysOf(terms.lease, { lease: terms.id, period: period.name, nowMs: issuedMs });
  const recorded = 'refused' in found ? [] : partsOf(all, found.days);
  const finding = termsFinding(contract, recorded.at(-1)?.terms ?? terms, agreed);
  const [stated, held] = [parts.map(({ from }) => from), recorded.length < 2 ? [] : recorded.map((part) => dateAt(part.fromMs, part.terms.lease.timezone))];
  const changes = (dates: readonly string[]): string => (dates.length === 0 ? 'one set of terms' : `terms from ${dates.join(' and from ')}`);
  const cut = stated.join() === held.join() ? [] : [{ ok: false, sentence: `It settles the period by ${changes(stated)}, and on record are ${changes(held)}.` }];
  const earlier = cut.length > 0 ? [] : parts.flatMap((part, index): Finding[] => {
    const unlike = differences('', part.contract, recorded[index]?.terms);
    return unlike.length === 0 ? [] : [{ ok: false, sentence: `Its terms from ${part.from} are not those on record: ${unlike.slice(0, NAMED_MAX).join('; ')}.` }];
  });
  if ('refused' in found) return [finding, { ok: false, sentence: `By the terms on record ${found.refused}.` }];
  const [from, to] = [iso(found.days[0]?.fromMs ?? 0), iso(found.days.at(-1)?.toMs ?? 0)];
  return [finding, ...cut, ...earlier, ...(period.from === from && period.to === to ? [] : [{ ok: false, sentence: `It is from ${period.from} to ${period.to}, and by the terms on record ${period.name} is from ${from} to ${to}.` }])];
}

/** Without a record of what excuses hours, the figures would rest on the statement's own word for it. */
function statedFindings({ stated, period }: IssuedStatement['statement'], situation: Situation, records: string): Finding[] {
  const endMs = Date.parse(period.to);
  const recorded = situation.stated.filter(({ fromMs }) => fromMs < endMs).map(({ fromMs, toMs, what, by, reason, document, amount }) => ({ from: iso(fromMs), to: iso(toMs), what, by, reason, document, amount: amount ?? '' }));
  const named = (list: typeof recorded): string => list.map(({ what, from, to, by }) => `${what} ${from} to ${to} by ${by}`).join(', ');
  const [invented, leftOut] = [beyond(stated, recorded, digestOf), beyond(recorded, stated, digestOf)];
  return [
    ...(invented.length === 0 ? [] : [{ ok: false, sentence: `The ${records} have no record of what was stated: ${named(invented)}.` }]),
    ...(leftOut.length === 0 ? [] : [{ ok: false, sentence: `It leaves out what is on record as stated: ${named(leftOut)}.` }]),
    ...(stated.length === 0 || invented.length > 0 ? [] : [{ ok: true, sentence: `What was stated of hours (${stated.length}) is on record in the ${records}.` }]),
  ];
}

/** What is in a list beyond what is in another; of equal ones each counts. */
function beyond<Row>(list: readonly Row[], others: readonly Row[], key: (row: Row) => string): Row[] {
  const left = new Map<string, number>();
  for (const each of others) left.set(key(each), (left.get(key(each)) ?? 0) + 1);
  return list.filter((each) => {
    const n = left.get(key(each)) ?? 0;
    left.set(key(each), n - 1);
    return n <= 0;
  });
}

function amendmentFindings(shown: readonly AmendmentNote[], recorded: readonly AmendmentNote[], records: string): Finding[] {
  const key = (note: AmendmentNote): string => canonicalJson({ ...note, signed: false });
  const [invented, hidden] = [beyond(shown, recorded, key), beyond(recorded, shown, key)];
  const named = (notes: readonly AmendmentNote[]): string => notes.map(({ event, from, recorded: at }) => `${event} from ${from}, recorded at ${at}`).join('; ');
  return [
    ...(invented.length === 0 ? [] : [{ ok: false, sentence: `The ${records} have no record of amendments that it shows: ${named(invented)}.` }]),
    ...(hidden.length === 0 ? [] : [{ ok: false, sentence: `It does not show amendments that reach its period and are on record: ${named(hidden)}.` }]),
  ];
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
