/** `earnings import|list`: what pools say they paid, taken from a file once and for all. */
import { readFileSync } from 'node:fs';
import { importedEarnings, importFile, keepImport, parseEarnings, planImport, type Earning } from '../accounting/leases/earnings.ts';
import { minorText } from '../accounting/leases/exact.ts';
import { table } from './format.ts';
import { readConfig } from './instance.ts';
import { CommandError, EXIT, type ExitCode, type Io, usageError } from './io.ts';
import type { ParsedOptions } from './options.ts';
import { recordDocument } from './record.ts';

export async function earnings(options: ParsedOptions, io: Io): Promise<ExitCode> {
  const file = options.text['config'];
  if (file === undefined) throw usageError('Say which instance: --config FILE.');
  const config = readConfig(file);
  const action = options.argument ?? 'list';
  if (action === 'list') {
    io.out(listText(importedEarnings(config.data), options.flags.has('json')));
    return EXIT.ok;
  }
  if (action !== 'import') throw usageError(`There is no \`earnings ${action}\`; there are import and list.`);
  const source = options.second;
  if (source === undefined) throw usageError('Say which file: `weighbridge earnings import FILE`.');
  const parsed = parseEarnings(textOf(source), new Map(Object.entries(config.pools).map(([name, { user }]) => [name, user])));
  if ('problems' in parsed) throw refused(source, parsed.problems);
  const { fresh, known, problems } = planImport(config.data, parsed.earnings);
  if (problems.length > 0) throw refused(source, problems);
  if (fresh.length > 0) {
    const made = importFile(config.data, fresh);
    await recordDocument(config.data, 'earnings', made.name, made.digest, io.world);
    keepImport(config.data, made);
  }
  io.out(`${fresh.length} ${fresh.length === 1 ? 'row' : 'rows'} imported, ${known} known already.`);
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

function listText(all: readonly Earning[], json: boolean): string {
  const rows = all.map((earning) => ({ ...earning, from: new Date(earning.fromMs).toISOString(), to: new Date(earning.toMs).toISOString(), net: minorText(earning.net, 17) }));
  if (json) return JSON.stringify(rows.map(({ gross, fee, ...row }) => ({ ...row, gross: minorText(gross, 17), fee: minorText(fee, 17) })), null, 2);
  if (rows.length === 0) return 'No earnings were imported. `weighbridge earnings import FILE` takes what a pool exports.';
  const cells = rows.map(({ pool, account, scheme, from, to, net, paidAt, payoutId }) => [pool, account, scheme, from.slice(0, 16), to.slice(0, 16), net, paidAt.slice(0, 16), payoutId]);
  return table([{ title: 'pool' }, { title: 'account' }, { title: 'scheme' }, { title: 'earned from (UTC)' }, { title: 'to' }, { title: 'net BTC', right: true }, { title: 'paid' }, { title: 'payout' }], cells);
}
