/** docs/leases.md holds the worked month as it is computed; `npx vitest run test/accounting/leases -u` writes its figures anew. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { IssuedBody } from '../../../accounting/leases/issue.ts';
import { issueStatement } from './issuing.ts';
import { signingKey } from '../../../accounting/leases/keys.ts';
import type { StatementDraft } from '../../../accounting/leases/statement.ts';
import { parseConfig } from '../../../config/load.ts';
import { realWorld, seededRandom } from '../../../config/world.ts';
import { CURTAILED, workedDraft, writeWorkedMonth } from './worked.ts';

const BEGIN = '<!-- figures: begin -->';
const END = '<!-- figures: end -->';

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function dayRows({ days }: StatementDraft): string {
  const shown = ['2026-11-01', '2026-11-02', '2026-11-07', '2026-11-11', '2026-11-12', '2026-11-13', '2026-11-18', '2026-11-20', '2026-11-30'];
  return table(
    ['day', 'hours', 'contracted', 'owed', 'installed', 'seen', 'delivered', '95 % interval', 'credited', 'ratio'],
    days.filter(({ date }) => shown.includes(date)).map((day) => [day.date, day.hours, day.contracted, day.owed, day.installed ?? '–', day.seen ?? '–', day.delivered, `${day.deliveredLow} – ${day.deliveredHigh}`, day.credited, day.ratio ?? '–']),
  );
}

function valueRows({ lines }: StatementDraft): string {
  const shown = lines.filter(({ component, date }) => component === 'revenueShare' && ['2026-11-18', '2026-11-20'].includes(date));
  return table(['day', 'expected value', 'Acme\'s share'], shown.map((line) => [line.date, `${line.quantity} BTC`, `${line.amount} BTC`]));
}

function payments({ components }: StatementDraft): string {
  return table(['payment', 'payer', 'payee', 'quantity', 'unit', 'unit price', 'amount'], components.map((row) => [row.component, row.payer, row.payee, row.quantity, row.unit, row.unitPrice, `${row.amount} ${row.currency}`]));
}

function downtime({ downtime: list }: StatementDraft): string {
  return table(['from (UTC)', 'to (UTC)', 'observed', 'stated'], list.map(({ from, to, observed, stated }) => [from.slice(0, 16), to.slice(0, 16), observed, stated || '–']));
}

function ladder({ total }: StatementDraft): string {
  const rows: [string, string][] = [
    ['contracted', total.contracted], ['owed', total.owed], ['installed', total.installed ?? '–'], ['seen', total.seen ?? '–'], ['delivered', `${total.delivered} (${total.deliveredLow} – ${total.deliveredHigh})`], ['credited', total.credited],
    ['shares', `${total.shares}, of which ${total.forwarded} were forwarded = ${total.accepted} accepted + ${total.rejected} rejected + ${total.unanswered} unanswered`], ['availability', `${total.availability ?? '–'} of ${total.machineHours} machine-hours`],
  ];
  return table(['the month', ''], rows);
}

function measures({ service }: StatementDraft): string {
  return table(['ratio', 'target', 'excused as chance', 'short beyond that (TH·day)', 'points', 'credit of rent'], service.map((row) => [row.ratio ?? '–', row.target, row.noise, row.shortfallBeyondNoise, row.pointsBelowTarget, row.creditOfRent]));
}

function page(first: IssuedBody, corrected: IssuedBody): string {
  const difference = corrected.correction?.lines ?? [];
  return [
    `### ${first.number}`, payments(first), measures(first), '### The days, after the correction', ladder(corrected), dayRows(corrected), '### When less worked', downtime(corrected), '### The difficulty falls', valueRows(corrected),
    `### ${corrected.number}`, `Corrects ${corrected.correction?.of}: ${corrected.correction?.reason}.`,
    table(['line', 'old', 'new', 'difference'], difference.map((row) => [row.line.trim(), row.old, row.new, `${row.difference} ${row.currency}`])),
    payments(corrected), measures(corrected), 'Net due: ' + corrected.netDue.map(({ payer, payee, currency, amount }) => `${payer} pays ${payee} ${amount} ${currency}`).join('; ') + '.',
  ].join('\n\n');
}

it('the worked month of docs/leases.md is what the program computes', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'wb-leases-doc-'));
  try {
    const { config } = parseConfig(readFileSync('examples/leaseback.yaml', 'utf8'), join(folder, 'x.yaml'), {});
    if (config === undefined) throw new Error('the example is right');
    writeWorkedMonth(folder);
    const atMs = Date.parse('2026-12-02T09:00:00Z');
    const key = signingKey(folder, { ...realWorld, wallMs: () => atMs, random: seededRandom(3) });
    const first = issueStatement(folder, await workedDraft(config, folder, []), key, atMs);
    const corrected = issueStatement(folder, await workedDraft(config, folder, [CURTAILED]), key, atMs + 7 * 86_400_000, { number: 'acme-leaseback-2026-11/0', reason: 'the curtailment of the 7th was stated after the statement was issued' });
    const text = readFileSync('docs/leases.md', 'utf8');
    const [before = '', rest = ''] = text.split(BEGIN);
    const after = rest.split(END)[1] ?? '';
    await expect(`${before}${BEGIN}\n${page(first.issued.statement, corrected.issued.statement)}\n${END}${after}`).toMatchFileSnapshot('../../../docs/leases.md');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
