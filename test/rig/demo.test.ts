/** What the demo shows is what the ledger's totals say, whatever the machines were set to. */
import { describe, expect, it } from 'vitest';
import { realWorld } from '../../config/world.ts';
import { parseInventory } from '../../config/inventory.ts';
import { parseConfig } from '../../config/load.ts';
import type { DeliveredTotal } from '../../proxy/net/messages.ts';
import { composeFarm, setRate } from './demo-farm.ts';
import { RateWindow } from './demo-rates.ts';
import { drawView, introduction, rateText, readings, summaryLine, type DemoView } from './demo-table.ts';

function total(count: number, verdict: DeliveredTotal['verdict'] = 'accepted', exponent = -20): DeliveredTotal {
  return { site: 'north', lessee: 'acme', leases: '', pool: 'main', verdict, exponent, count };
}

describe('the rate window', () => {
  it('is what was accepted between its ends over the time between them', () => {
    const window = new RateWindow();
    window.add(1000, [total(1000), total(5, 'duplicate')]);
    window.add(11_000, [total(1100), total(50, 'duplicate'), total(25, 'accepted', -18)]);
    const { rate, low, high, shares } = window.rate(() => true);
    expect(shares).toBe(125);
    // 100 shares of 2^-20 and 25 of 2^-18 in 10 s: 200·2^-20·c hashes.
    expect(rate).toBeCloseTo((200 * 2 ** -20 * (2 ** 48 / 65535)) / 10, -1);
    expect(low).toBeLessThan(rate ?? 0);
    expect(high).toBeGreaterThan(rate ?? 0);
    expect(window.rate(({ site }) => site === 'south').shares).toBe(0);
  });

  it('is a minute long and no longer', () => {
    const window = new RateWindow();
    for (let second = 0; second <= 200; second += 1) window.add(second * 1000, [total(second)]);
    expect(window.span).toEqual({ fromMs: 140_000, toMs: 200_000 });
    expect(window.rate(() => true).shares).toBe(60);
  });
});

describe('the demo farm', () => {
  it('has a configuration without a problem and forty machines of unequal strength', async () => {
    const farm = await composeFarm(realWorld, '/var/lib/demo');
    await farm.pools.main.stop();
    await farm.pools.backup.stop();
    const inventory = parseInventory(farm.inventory);
    const { config, problems } = parseConfig(farm.yaml, '/var/lib/demo/demo.yaml', {}, () => inventory);
    expect(problems).toBeUndefined();
    expect(config?.routes.map(({ lessee, pools }) => [lessee, ...pools])).toEqual([
      ['acme', 'main', 'backup'],
      ['borealis', 'main', 'backup'],
      ['cobalt', 'backup', 'main'],
    ]);
    expect(inventory.rows).toHaveLength(40);
    expect(Object.keys(config?.leases ?? {})).toEqual(['acme-leaseback', 'borealis-leaseback', 'cobalt-purchase']);
    const rates = farm.machines.map(({ member }) => member.hashesPerSecond);
    expect(rates).toHaveLength(40);
    expect(Math.max(...rates) / Math.min(...rates)).toBeGreaterThan(4);
    expect(new Set(farm.machines.map(({ member }) => member.user)).size).toBe(40);
    const dark = farm.machines.find(({ member }) => member.user === farm.darkUser)?.member.hashesPerSecond ?? 0;
    const only = (machine: { readonly member: { readonly user: string } }): number => (machine.member.user === farm.darkUser ? 1 : 0);
    expect(setRate(farm, only, 0, 40_000)).toBeCloseTo(dark);
    expect(setRate(farm, only, 20_000, 60_000)).toBeCloseTo(dark / 2);
    expect(setRate(farm, only, 50_000, 60_000)).toBe(0);
    expect(setRate(farm, (machine) => only(machine) / 4, 0, 40_000)).toBeCloseTo(dark / 4);
  });
});

describe('a demo that is part of a stack', () => {
  it('serves metrics where it is told, with a split to be seen there, and publishes under a prefix of its own', async () => {
    const farm = await composeFarm(realWorld, '/data/demo', { http: '0.0.0.0:9280', redis: 'redis://redis:6379' });
    await farm.pools.main.stop();
    await farm.pools.backup.stop();
    const { config } = parseConfig(farm.yaml, '/data/demo/demo.yaml', {});
    expect(config?.http).toEqual({ host: '0.0.0.0', port: 9280 });
    expect(config?.redis?.prefix).toBe('demo');
    expect(config?.routes[1]?.pools).toEqual([{ pool: 'main', weight: 65 }, { pool: 'backup', weight: 35 }]);
    expect(farm.parts.borealis).toEqual({ main: 65, backup: 35 });
  });
});

describe('the table', () => {
  const estimate = { hashes: 1n, rate: 51_234, low: 49_000, high: 53_500, shares: 2000 };
  const view: DemoView = {
    elapsedSeconds: 61,
    windowSeconds: 60,
    machines: 40,
    sessions: 40,
    rows: [
      { what: 'site', name: 'north', estimate, set: 50_900, accepted: 12_345, rejected: 6 },
      { what: 'lessee', name: 'cobalt', estimate: { ...estimate, rate: undefined, low: undefined, high: undefined }, set: 800, accepted: 0, rejected: 0 },
    ],
    verdicts: [['accepted', 12_345], ['duplicate', 6]],
    downstreamMessages: 25_000,
    upstreamMessages: 1000,
    fsyncP99Ms: 3.25,
    lagMs: 200,
    blocks: 1,
    problems: [],
    darkUser: 'acme.north-03',
    badUser: 'cobalt.south-05',
    darkSinceSeconds: 21,
  };

  it('shows the estimate with its interval beside what was set', () => {
    const lines = drawView(view);
    expect(lines).toContainEqual(expect.stringMatching(/^site +north +51\.2 kH\/s +±4\.4 % +49\.0 kH\/s – 53\.5 kH\/s +50\.9 kH\/s +12,345 +6$/));
    expect(lines).toContainEqual(expect.stringMatching(/^lessee +cobalt +– +– +– +800 H\/s +0 +0$/));
    expect(lines).toContain('messages   25,000 downstream, 1,000 upstream, 25.0 : 1');
    expect(summaryLine(view)).toContain('north 51.2 kH/s ±4.4 % (set 50.9 kH/s)');
  });

  it('names commands that a shell takes as they stand', () => {
    expect(introduction('/a/b', '127.0.0.1:9280')).toContain('  bin/weighbridge machines --data /a/b --rejects');
    expect(introduction('/a/b', '127.0.0.1:9280')[0]).toContain('http://127.0.0.1:9280/metrics');
    expect(readings("/it's here")).toContain("bin/weighbridge audit --data '/it'\\''s here'");
  });

  it('writes rates with three digits', () => {
    expect([0, 12.34, 999, 1000, 123_456, 2.5e14].map(rateText)).toEqual(['0.00 H/s', '12.3 H/s', '999 H/s', '1.00 kH/s', '123 kH/s', '250 TH/s']);
  });
});
