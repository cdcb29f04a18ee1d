/** `lease list|show|check`: contracts as sentences, and what the inventory says of their machines. */
import { readInventory } from '../config/inventory.ts';
import type { Config } from '../config/schema.ts';
import { findLease, isUnder } from '../accounting/leases/draft.ts';
import { decimal, exact, over } from '../accounting/leases/exact.ts';
import { leaseSentences, machinesText, paymentSentences, rateText } from '../accounting/leases/sentences.ts';
import { digestOf, leaseTerms, partyName, type LeaseTerms } from '../accounting/leases/terms.ts';
import { table } from './format.ts';
import { readConfig } from './instance.ts';
import { CommandError, EXIT, type ExitCode, type Io, usageError } from './io.ts';
import type { ParsedOptions } from './options.ts';

export function lease(options: ParsedOptions, io: Io): Promise<ExitCode> {
  const file = options.text['config'];
  if (file === undefined) throw usageError('Say whose leases: --config FILE.');
  const config = readConfig(file);
  const json = options.flags.has('json');
  const action = options.argument ?? 'list';
  const chosen = chosenLeases(config, options.text['lease']);
  const nowMs = io.world.wallMs();
  if (action === 'list') io.out(json ? jsonText(chosen) : listTable(chosen, nowMs));
  else if (action === 'show') io.out(json ? jsonText(chosen) : chosen.map((terms) => [...leaseSentences(terms), `Terms ${digestOf(terms).slice(0, 16)}.`].join('\n')).join('\n\n'));
  else if (action === 'check') io.out(chosen.map((terms) => checkText(terms, config, nowMs)).join('\n\n'));
  else throw usageError(`There is no \`lease ${action}\`; there are list, show and check.`);
  return Promise.resolve(EXIT.ok);
}

function chosenLeases(config: Config, id: string | undefined): LeaseTerms[] {
  if (id === undefined) return leaseTerms(config);
  const found = findLease(config, id);
  if ('refused' in found) throw new CommandError(found.refused);
  return [found];
}

function jsonText(chosen: readonly LeaseTerms[]): string {
  return JSON.stringify(chosen.map((terms) => ({ ...terms, digest: digestOf(terms), sentences: leaseSentences(terms) })), null, 2);
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
