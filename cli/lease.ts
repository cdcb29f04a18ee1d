/** `lease`: contracts as sentences, what was stated of them, and what the inventory says of their machines. */
import { resolve } from 'node:path';
import { readInventory } from '../config/inventory.ts';
import type { Config } from '../config/schema.ts';
import { findLease, isUnder } from '../accounting/leases/draft.ts';
import { decimal, exact, over } from '../accounting/leases/exact.ts';
import { leaseSentences, machinesText, paymentSentences, rateText } from '../accounting/leases/sentences.ts';
import { someOf } from '../accounting/leases/some-of.ts';
import { digestOf, leaseTerms, partyName, type LeaseTerms } from '../accounting/leases/terms.ts';
import { agreedTerms } from '../accounting/leases/agreed.ts';
import { eventsOf, isRetroactive, leaseHistory, withTermination, type LeaseEvent, type LeaseHistory } from '../accounting/leases/history.ts';
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
  if (file === undefined && data !== undefined) return onRecord(resolve(data), action, id, options, io);
  if (file === undefined || data !== undefined) throw usageError('Say whose leases: --config FILE, or --data DIR for what is on record there.');
  const config = readConfig(file);
  const chosen = chosenLeases(config, id);
  const event = eventOfAction(action);
  if (event !== undefined) {
    const [terms] = chosen;
    if (id === undefined || terms === undefined) throw usageError(`Say which lease: lease ${action} ID.`);
    return recordEvent(event, terms, config.data, options, io, config.inventory);
  }
  const nowMs = io.world.wallMs();
  if (action === 'list') io.out(json ? jsonText(chosen, leaseHistory(config.data)) : listTable(chosen, leaseHistory(config.data), nowMs));
  else if (action === 'show') io.out(json ? jsonText(chosen, leaseHistory(config.data)) : showText(chosen, leaseHistory(config.data)));
  else if (action === 'now') await leaseNow(chosen, config, options, io);
  else if (action === 'check') io.out(chosen.map((terms) => checkText(terms, config, nowMs)).join('\n\n'));
  else throw usageError(`There is no \`lease ${action}\`; there are list, show, now, check, curtail, grid, suspend, terminate and amend.`);
  return EXIT.ok;
}

/** Without a configuration, by the terms on record now. */
async function onRecord(dataDir: string, action: string, id: string | undefined, options: ParsedOptions, io: Io): Promise<ExitCode> {
  const history = leaseHistory(dataDir);
  const nowMs = io.world.wallMs();
  const all = [...new Set(history.terms.map(({ lease: each }) => each))].toSorted().flatMap((each) => agreedTerms(history, each, nowMs)?.terms ?? []);
  if (all.length === 0) throw new CommandError(`${dataDir} has no terms of leases on record: an instance writes them down when it starts; or give --config FILE.`);
  const chosen = all.filter((terms) => id === undefined || terms.id === id);
  const [first] = chosen;
  if (first === undefined) throw new CommandError(`there is no lease ${JSON.stringify(id)} on record: there is ${all.map((terms) => terms.id).join(', ')}`);
  const event = eventOfAction(action);
  if (event === 'amendment') throw usageError('An amendment records the terms that a configuration has: --config FILE.');
  if (event !== undefined && id === undefined) throw usageError(`Say which lease: lease ${action} ID.`);
  if (event !== undefined) return recordEvent(event, first, dataDir, options, io);
  if (action !== 'list' && action !== 'show') throw usageError(`\`lease ${action}\` needs the configuration: --config FILE.`);
  const text = action === 'list' ? listTable(chosen, history, nowMs) : showText(chosen, history);
  io.out(options.flags.has('json') ? jsonText(chosen, history) : text);
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

function listTable(chosen: readonly LeaseTerms[], history: LeaseHistory, nowMs: number): string {
  if (chosen.length === 0) return 'This configuration has no leases.';
  const rows = chosen.map((terms) => {
    const { lease: each } = terms;
    const { toMs } = withTermination(each, eventsOf(history, terms.id)).term;
    const state = nowMs < each.term.fromMs ? 'begins later' : nowMs < toMs ? 'in force' : toMs < each.term.toMs ? 'terminated' : 'ended';
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
  return [...lines, `${now.length} ${now.length === 1 ? 'machine' : 'machines'} of the inventory now (${someOf(now.map(({ worker }) => worker))}): ${rateText(String(hashes))} by their plates, ${percent}% of what is contracted.`].join('\n');
}
