/** `lease`: contracts as sentences, what was stated of them, and what the inventory says of their machines. */
import { resolve } from 'node:path';
import { readInventory } from '../config/inventory.ts';
import type { Config } from '../config/schema.ts';
import { findLease, isUnder } from '../accounting/leases/draft.ts';
import { decimal, exact, over } from '../accounting/leases/exact.ts';
import { leaseSentences, machinesText, paymentSentences, rateText } from '../accounting/leases/sentences.ts';
import { digestOf, leaseTerms, partyName, type LeaseTerms } from '../accounting/leases/terms.ts';
import { eventsOf, isRetroactive, leaseHistory, type LeaseEvent, type LeaseHistory } from '../accounting/leases/history.ts';
import { table } from './format.ts';
import { readConfig } from './instance.ts';
import { leaseNow, watchedLeases } from './lease-now.ts';
import { eventOfAction, eventSentence, recordEvent } from './lease-events.ts';
import { CommandError, EXIT, type ExitCode, type Io, usageError } from './io.ts';
import type { ParsedOptions } from './options.ts';
import { isoTime } from './time.ts';

export async function lease(options: ParsedOptions, io: Io): Promise<ExitCode> {
  const { config: file, data } = options.text;
  const json = options.flags.has('json');
  const action = options.argument ?? 'list';
  const id = options.second ?? options.text['lease'];
  if (file === undefined && data !== undefined && action === 'now') {
    await watchedLeases(resolve(data), id, options, io);
    return EXIT.ok;
  }
  if (file === undefined || data !== undefined) throw usageError('Say whose leases: --config FILE, or with `lease now` of a running instance --data DIR.');
  const config = readConfig(file);
  const chosen = chosenLeases(config, id);
  const event = eventOfAction(action);
  if (event !== undefined) {
    const [terms] = chosen;
    if (id === undefined || terms === undefined) throw usageError(`Say which lease: lease ${action} ID.`);
    return recordEvent(event, terms, config.data, options, io);
  }
  const nowMs = io.world.wallMs();
  if (action === 'list') io.out(json ? jsonText(chosen, leaseHistory(config.data)) : listTable(chosen, nowMs));
  else if (action === 'show') io.out(json ? jsonText(chosen, leaseHistory(config.data)) : showText(chosen, leaseHistory(config.data)));
  else if (action === 'now') await leaseNow(chosen, config, options, io);
  else if (action === 'check') io.out(chosen.map((terms) => checkText(terms, config, nowMs)).join('\n\n'));
  else throw usageError(`There is no \`lease ${action}\`; there are list, show, now, check, curtail, suspend, terminate and amend.`);
  return EXIT.ok;
}

function chosenLeases(config: Config, id: string | undefined): LeaseTerms[] {
  if (id === undefined) return leaseTerms(config);
  const found = findLease(config, id);
  if ('refused' in found) throw new CommandError(found.refused);
  return [found];
}

function jsonText(chosen: readonly LeaseTerms[], history: LeaseHistory): string {
  return JSON.stringify(chosen.map((terms) => ({ ...terms, digest: digestOf(terms), sentences: leaseSentences(terms), events: eventsOf(history, terms.id).map(eventRow) })), null, 2);
}

/** One event as printed by --json. */
function eventRow(event: LeaseEvent) {
  const { recorded_ms, from_ms, to_ms, party, reason, document } = event;
  return { event: event.event, from: isoTime(from_ms), to: isoTime(to_ms), by: party, reason, document, recorded: isoTime(recorded_ms), retroactive: isRetroactive(event) };
}

/** Every term, and what was stated since. */
function showText(chosen: readonly LeaseTerms[], history: LeaseHistory): string {
  const texts = chosen.map((terms) => {
    const events = eventsOf(history, terms.id).map(({ lease: id, event, from_ms, to_ms, party, reason, document, terms: amended, recorded_ms }) =>
      eventSentence({ lease: id, event, fromMs: from_ms, toMs: to_ms, by: party, reason, document, terms: amended, atMs: recorded_ms }));
    return [...leaseSentences(terms), ...events, `Terms ${digestOf(terms).slice(0, 16)}.`].join('\n');
  });
  return texts.join('\n\n');
}

function listTable(chosen: readonly LeaseTerms[], nowMs: number): string {
  if (chosen.length === 0) return 'This configuration has no leases.';
  const rows = chosen.map((terms) => {
    const { lease: each } = terms;
    const state = nowMs < each.term.fromMs ? 'begins later' : nowMs < each.term.toMs ? 'in force' : 'ended';
    return [terms.id, each.kind, partyName(terms, each.lessor), partyName(terms, each.lessee), rateText(each.contracted), each.term.from, each.term.to, state];
  });
  return table([{ title: 'lease' }, { title: 'kind' }, { title: 'lessor' }, { title: 'lessee' }, { title: 'contracted', right: true }, { title: 'from' }, { title: 'to' }, { title: 'state' }], rows);
}

/** Who pays whom, what for, and which machines of the inventory are meant now. */
function checkText(terms: LeaseTerms, config: Config, nowMs: number): string {
  const { lease: each } = terms;
  const lines = [`${terms.id}: ${machinesText(each)}.`, ...paymentSentences(terms)];
  if (config.inventory === undefined) return [...lines, 'There is no inventory, so nothing can be said of what is installed.'].join('\n');
  const now = readInventory(config.inventory).rows.filter((row) => row.fromMs <= nowMs && nowMs < row.toMs && isUnder(each, row));
  if (now.length === 0) return [...lines, 'No machine of the inventory is under it now.'].join('\n');
  const hashes = now.reduce((sum, row) => sum + row.nameplateHashes, 0n);
  const part = over(exact(hashes), decimal(each.contracted));
  const percent = Number((part.numerator * 1000n) / part.denominator) / 10;
  const names = now.slice(0, 5).map(({ worker }) => worker).join(', ');
  const more = now.length > 5 ? ` and ${now.length - 5} more` : '';
  return [...lines, `${now.length} ${now.length === 1 ? 'machine' : 'machines'} of the inventory now (${names}${more}): ${rateText(String(hashes))} by their plates, ${percent}% of what is contracted.`].join('\n');
}
