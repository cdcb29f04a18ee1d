/** The contracts of the demo: who leases which machines from whom, and the inventory they stand in. */
import type { DemoMachine } from './demo-farm.ts';

/** Contracted for each hundred set: one lessee owes less than the machines can do, one just as much, one more. */
const CONTRACTED_PERCENT: Readonly<Record<string, number>> = { acme: 95, borealis: 100, cobalt: 115 };

/** The new year some years before or after a moment, as a date: the same text for all runs of a year on one data directory. */
function newYear(nowMs: number, years: number): string {
  return `${new Date(nowMs).getUTCFullYear() + years}-01-01`;
}

/** Parties and leases as the configuration has them: two leasebacks of one lessor, and a purchase whose seller owes more than it has. */
export function demoLeases(machines: readonly DemoMachine[], nowMs: number): string {
  const contracted = (lessee: string): string => {
    const set = machines.filter((machine) => machine.lessee === lessee).reduce((sum, { member }) => sum + member.hashesPerSecond, 0);
    return `${((set * (CONTRACTED_PERCENT[lessee] ?? 100)) / 100_000).toFixed(1)} kH/s`;
  };
  const term = `term: { from: ${newYear(nowMs, -1)}, to: ${newYear(nowMs, 2)} }`;
  // Prices are as far above real ones as the demo's hash rate is below, and in proportion to what its pools pay.
  return `inventory: inventory.csv
parties:
  granite: { name: Granite Machines LLC }
  basalt: { name: Basalt Hash Farm GmbH }
  acme: { name: Acme Mining Inc }
  borealis: { name: Borealis Compute AS }
  cobalt: { name: Cobalt Hashrate Fund }
leases:
  acme-leaseback:
    kind: leaseback
    lessor: granite
    lessee: acme
    machines: { workers: [ "acme.*" ] }
    ${term}
    timezone: America/Chicago
    contracted: ${contracted('acme')}
    rent:
      - { fixed: 100000000 BTC/TH/day, payer: acme, payee: granite }
      - { revenueShare: 10%, of: expected, poolFee: 1%, payer: acme, payee: granite }
    service: { target: 95%, creditPerPoint: 10%, of: fixed, cap: 50% }
  borealis-leaseback:
    kind: leaseback
    lessor: granite
    lessee: borealis
    machines: { workers: [ "borealis.*" ] }
    ${term}
    timezone: Europe/Oslo
    contracted: ${contracted('borealis')}
    rent:
      - { fixed: 110000000 BTC/TH/day, payer: borealis, payee: granite }
    service: { target: 95%, creditPerPoint: 10%, of: fixed, cap: 50% }
  cobalt-purchase:
    kind: purchase
    lessor: basalt
    lessee: cobalt
    machines: { workers: [ "cobalt.*" ] }
    ${term}
    timezone: UTC
    contracted: ${contracted('cobalt')}
    rent:
      - { delivered: 150000000 BTC/TH/day, payer: cobalt, payee: basalt }
    service: { target: 97%, creditPerPoint: 2%, of: delivered, cap: 25% }
`;
}

/** The inventory: every machine with what it was set to do as its plate. */
export function demoInventory(machines: readonly DemoMachine[], nowMs: number): string {
  const rows = machines.map(({ site, lessee, member }, index) => {
    const plate = (Math.round(member.hashesPerSecond) / 1e12).toFixed(12);
    const owner = lessee === 'cobalt' ? 'basalt' : 'granite';
    return `DEMO-${String(index + 1).padStart(3, '0')},,${member.user},${site},simulated,${plate},3500,${owner},active,${newYear(nowMs, -1)},`;
  });
  return ['serial,mac,worker,site,model,nameplate_th,watts,owner,status,from,to', ...rows, ''].join('\n');
}
