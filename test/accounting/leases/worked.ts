/** The worked month of docs/leases.md: a sale and leaseback, a fire on the 12th, a curtailment day, a difficulty 11 % lower. */
import { excusedBy } from '../../../accounting/leases/draft.ts';
import type { Statement as Stated } from '../../../accounting/leases/excused.ts';
import { ZERO } from '../../../accounting/leases/exact.ts';
import { gatherLease } from '../../../accounting/leases/gathered.ts';
import { draftStatement, type StatementDraft } from '../../../accounting/leases/statement.ts';
import { leaseTerms } from '../../../accounting/leases/terms.ts';
import { LocalBook } from '../../../accounting/local-book.ts';
import { localDays, midnightMs } from '../../../config/calendar.ts';
import { parseInventory } from '../../../config/inventory.ts';
import type { Config } from '../../../config/schema.ts';
import { HOUR_MS } from '../../../accounting/rows.ts';
import { writeMonth } from './month.ts';

const ZONE = 'America/Chicago';
const at = (date: string, hour = 0): number => midnightMs(date, ZONE) + hour * HOUR_MS;
const FROM_MS = at('2026-11-01');
const TO_MS = at('2026-12-01');
/** nBits whose target is 1/0.89 of the one before: the difficulty falls by 11 %. */
const NBITS_AFTER = 0x170279cb;

/** 54 machines of 234 TH/s, half of them at each site; those of the north burn on the 12th and are replaced by none. */
const INVENTORY = ['serial,mac,worker,site,model,nameplate_th,watts,owner,status,from,to', ...Array.from({ length: 54 }, (_, index) => `SN-${index + 1},,acme.${index + 1},${index < 27 ? 'north' : 'south'},S21 Pro,234,3510,acme,active,2026-10-15,`)].join('\n');

export const CURTAILED: Stated = { fromMs: at('2026-11-07', 14), toMs: at('2026-11-07', 22), what: 'curtailed', by: 'nfx', reason: 'grid dispatch, afternoon of the 7th', document: 'dispatch-1107.pdf' };

/** Puts the month into a data directory. */
export function writeWorkedMonth(dataDir: string): void {
  const fire = at('2026-11-12', 12) / HOUR_MS;
  const [off, on] = [CURTAILED.fromMs / HOUR_MS, CURTAILED.toMs / HOUR_MS];
  const rate = (hour: number): number => (hour >= off && hour < on ? 0 : hour < fire ? 12.55e15 : 6.25e15);
  const retarget = at('2026-11-19', 6) / HOUR_MS;
  const workers = Array.from({ length: 54 }, (_, index) => `acme.${index + 1}`);
  const machines = { zone: ZONE, workers, works: (worker: number, hour: number) => hour < fire || worker >= 27 };
  const ends = [
    { atMs: CURTAILED.fromMs + 1200, n: 54, reason: 'closed by the machine' },
    { atMs: at('2026-11-12', 12) + 2300, n: 27, reason: 'read ECONNRESET' },
  ];
  writeMonth(dataDir, {
    machines, ends, fromMs: FROM_MS, toMs: TO_MS, leases: 'acme-leaseback', rate, nbits: (hour) => (hour < retarget ? 0x17023a04 : NBITS_AFTER) });
}

/** The month's draft, with what was stated by then. */
export async function workedDraft(config: Config, dataDir: string, stated: readonly Stated[]): Promise<StatementDraft> {
  const terms = leaseTerms(config).find(({ id }) => id === 'acme-leaseback');
  if (terms === undefined) throw new Error('examples/leaseback.yaml has acme-leaseback');
  const days = localDays(FROM_MS, TO_MS, ZONE);
  const { rows } = parseInventory(INVENTORY);
  const book = LocalBook.open(dataDir);
  const excused = excusedBy(terms.lease, stated);
  const gathered = await gatherLease(book, terms.id, { days, timezone: ZONE, excused, inventory: rows, earnings: [], readings: [] });
  book.close();
  return draftStatement({ terms, period: '2026-11', gathered, stated, excused, inventory: [], carriedIn: ZERO, prices: [], opening: [], adjustments: [], payments: [], notes: [] });
}
