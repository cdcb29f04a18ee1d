/** `earnings`, `payments` and `meters`: rows taken from a file once and for all, their digest journaled before they count. */
import { readFileSync } from 'node:fs';
import { payersOf } from '../accounting/leases/accounts.ts';
import { recordedTerms } from '../accounting/leases/agreed.ts';
import { earningsImport, importedEarnings, overlapProblems } from '../accounting/leases/earnings.ts';
import { minorText } from '../accounting/leases/exact.ts';
import { leaseHistory } from '../accounting/leases/history.ts';
import { importedRows, importFile, keepImport, parseImport, planImport, type Importable, type Placed } from '../accounting/leases/imports.ts';
import { importedReadings, METERS_IMPORT, overlapsOfReadings } from '../accounting/leases/meters.ts';
import { importedPayments, paymentsImport } from '../accounting/leases/payments.ts';
import { leaseTerms } from '../accounting/leases/terms.ts';
import type { Config } from '../config/schema.ts';
import { table } from './format.ts';
import { readConfig } from './instance.ts';
import { CommandError, EXIT, type ExitCode, type Io, usageError } from './io.ts';
import type { ParsedOptions } from './options.ts';
import { recordDocument } from './record.ts';

interface Imports<Row> {
  readonly kind: Importable<Row>;
  readonly problems: (before: readonly Placed<Row>[], fresh: readonly Placed<Row>[]) => readonly string[];
  readonly list: (json: boolean) => string;
}

export function earnings(options: ParsedOptions, io: Io): Promise<ExitCode> {
  const config = configOf(options);
  const users = new Map(Object.entries(config.pools).map(([name, { user }]) => [name, user]));
  return perform(options, io, config, { kind: earningsImport(users), problems: overlapProblems, list: (json) => earningsText(config.data, json) });
}

export function payments(options: ParsedOptions, io: Io): Promise<ExitCode> {
  const config = configOf(options);
  const history = leaseHistory(config.data);
  const leases = new Map(leaseTerms(config).map((terms) => [terms.id, payersOf([terms, ...recordedTerms(history, terms.id)])]));
  return perform(options, io, config, { kind: paymentsImport({ leases, nowMs: io.world.wallMs() }), problems: () => [], list: (json) => paymentsText(config.data, json) });
}

export function meters(options: ParsedOptions, io: Io): Promise<ExitCode> {
  const config = configOf(options);
  return perform(options, io, config, { kind: METERS_IMPORT, problems: overlapsOfReadings, list: (json) => readingsText(config.data, json) });
}

function configOf({ text }: ParsedOptions): Config {
  const file = text['config'];
  if (file === undefined) throw usageError('Say which instance: --config FILE.');
  return readConfig(file);
}

async function perform<Row extends object>(options: ParsedOptions, io: Io, { data }: Config, { kind, problems, list }: Imports<Row>): Promise<ExitCode> {
  const action = options.argument ?? 'list';
  if (action === 'list') {
    io.out(list(options.flags.has('json')));
    return EXIT.ok;
  }
  if (action !== 'import') throw usageError(`There is no \`${kind.folder} ${action}\`; there are import and list.`);
  const source = options.second;
  if (source === undefined) throw usageError(`Say which file: \`weighbridge ${kind.folder} import FILE\`.`);
  const parsed = parseImport(kind, textOf(source));
  if ('problems' in parsed) throw refused(source, parsed.problems);
  const before = importedRows(data, kind);
  const plan = planImport(kind, before, parsed.rows);
  const found = [...plan.problems, ...problems(before, plan.fresh)];
  if (found.length > 0) throw refused(source, found);
  if (plan.fresh.length > 0) {
    const made = importFile(data, kind, plan.fresh);
    await recordDocument(data, kind.folder, made.name, made.digest, io.world);
    keepImport(data, made);
  }
  io.out(`${plan.fresh.length} ${plan.fresh.length === 1 ? 'row' : 'rows'} imported, ${plan.known} known already.`);
  return EXIT.ok;
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new CommandError(`${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'}).`);
  }
}

function refused(file: string, problems: readonly string[]): CommandError {
  return new CommandError(`Nothing was imported. ${problems.map((problem) => `${file} ${problem}.`).join('\n')}`);
}

function earningsText(dataDir: string, json: boolean): string {
  const btc = (nano: bigint): string => minorText(nano, 17);
  const rows = importedEarnings(dataDir).map(({ fromMs, toMs, gross, fee, net, ...row }) => ({ ...row, from: iso(fromMs), to: iso(toMs), gross: btc(gross), fee: btc(fee), net: btc(net) }));
  if (json) return JSON.stringify(rows, null, 2);
  if (rows.length === 0) return 'No earnings were imported. `weighbridge earnings import FILE` takes what a pool exports.';
  const cells = rows.map(({ pool, account, scheme, from, to, net, paidAt, payoutId }) => [pool, account, scheme, from.slice(0, 16), to.slice(0, 16), net, paidAt.slice(0, 16), payoutId]);
  return table([{ title: 'pool' }, { title: 'account' }, { title: 'scheme' }, { title: 'earned from (UTC)' }, { title: 'to' }, { title: 'net BTC', right: true }, { title: 'paid' }, { title: 'payout' }], cells);
}

function paymentsText(dataDir: string, json: boolean): string {
  const rows = importedPayments(dataDir).map(({ paidMs, ...row }) => ({ ...row, paidAt: iso(paidMs) }));
  if (json) return JSON.stringify(rows, null, 2);
  if (rows.length === 0) return 'No payments were imported.';
  const cells = rows.map(({ lease, payer, payee, paidAt, amount, currency, reference }) => [lease, payer, payee, paidAt.slice(0, 16), `${amount} ${currency}`, reference]);
  return table([{ title: 'lease' }, { title: 'payer' }, { title: 'payee' }, { title: 'paid (UTC)' }, { title: 'amount', right: true }, { title: 'reference' }], cells);
}

function readingsText(dataDir: string, json: boolean): string {
  const rows = importedReadings(dataDir).map(({ meter, fromMs, toMs, kwh }) => ({ meter, from: iso(fromMs), to: iso(toMs), kwh }));
  if (json) return JSON.stringify(rows, null, 2);
  if (rows.length === 0) return 'No readings were imported.';
  return table([{ title: 'meter' }, { title: 'from (UTC)' }, { title: 'to' }, { title: 'kWh', right: true }], rows.map(({ meter, from, to, kwh }) => [meter, from.slice(0, 16), to.slice(0, 16), kwh]));
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
