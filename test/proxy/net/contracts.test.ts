/** What the configuration adds to metrics: leases in their term, what power costs, and rates by worker name where allowed. */
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../config/load.ts';
import type { Config } from '../../../config/schema.ts';
import { Contracts } from '../../../proxy/net/contracts.ts';
import type { MachineSnapshot } from '../../../proxy/net/messages.ts';
import { WorkerWatch, workerRates } from '../../../proxy/net/worker-rates.ts';

function configOf(power: string, directory = '/nowhere'): Config {
  const yaml = `
sites: { north: { listen: [ "127.0.0.1:1" ], power: { watts: 3600000, price: ${power} } } }
pools: { main: { url: stratum+tcp://127.0.0.1:1, user: u } }
routes: [ { pools: [ main ] } ]
prices: { file: prices.csv }
`;
  const { config, problems } = parseConfig(yaml, join(directory, 'weighbridge.yaml'), {});
  if (config === undefined) throw new Error(JSON.stringify(problems));
  return config;
}

describe('power', () => {
  const nowMs = Date.parse('2026-11-20T12:00:00Z');

  it('costs satoshi by its price in bitcoin', () => {
    // One kilowatt-hour a second.
    expect(new Contracts(configOf('0.0000005 BTC/kWh')).power(nowMs)).toEqual([{ site: 'north', watts: 3_600_000, satoshisPerSecond: 50 }]);
  });

  it('costs what the latest price makes of another currency, and nothing known where that is old or missing', () => {
    const directory = mkdtempSync(join(tmpdir(), 'wb-prices-'));
    try {
      const contracts = new Contracts(configOf('0.05 USD/kWh', directory));
      const cost = (): number | undefined => contracts.power(nowMs)[0]?.satoshisPerSecond;
      expect(cost()).toBeUndefined();
      const file = join(directory, 'prices.csv');
      const write = (rows: string[], second: number): void => {
        writeFileSync(file, ['instant,pair,price,source', ...rows, ''].join('\n'));
        utimesSync(file, second, second);
      };
      write(['2026-11-19T00:00:00Z,BTC/USD,50000,a', '2026-11-20T00:00:00Z,BTC/USD,100000,a', '2026-11-20T00:00:00Z,BTC/EUR,1,a', '2026-11-21T00:00:00Z,BTC/USD,1,a'], 1);
      expect(cost()).toBeCloseTo(50, 9);
      write(['2026-11-20T06:00:00Z,BTC/USD,200000,a'], 2);
      expect(cost()).toBeCloseTo(25, 9);
      write(['2026-11-12T00:00:00Z,BTC/USD,100000,a'], 3);
      expect(cost()).toBeUndefined();
      write(['nonsense'], 4);
      expect(cost()).toBeUndefined();
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
});

describe('rates by worker name', () => {
  const machine = (worker: string, n: number): MachineSnapshot => ({
    process: 1, worker, site: 'north', lessee: '', leases: [], address: '10.0.0.1:1', firmware: '', exponent: 0, pool: 'main', link: 1, connectedMs: 0, lastShareMs: undefined,
    windowMs: 60_000, accepted: [[0, n]], rejects: {}, acceptedTotal: n,
  });

  it('add up machines of one name, and stop at the limit', () => {
    const { rates, dropped } = workerRates([machine('b', 60), machine('a', 60), machine('b', 120), machine('c', 1)], 2);
    expect(rates.map(({ worker, hashesPerSecond }) => [worker, Math.round(hashesPerSecond)])).toEqual([['a', 4_295_032_833], ['b', 12_885_098_499]]);
    expect(dropped).toBe(1);
  });

  it('are asked for now and then, and not at all where they are off', async () => {
    let [nowMs, asked] = [0, 0];
    const ask = (): Promise<readonly MachineSnapshot[]> => {
      asked += 1;
      return Promise.resolve([machine('a', asked)]);
    };
    expect(new WorkerWatch(0, { monoMs: () => nowMs }, ask).read()).toBeUndefined();
    const watch = new WorkerWatch(5, { monoMs: () => nowMs }, ask);
    watch.read();
    await Promise.resolve();
    nowMs = 14_999;
    expect(watch.read()?.rates).toHaveLength(1);
    expect(asked).toBe(1);
    nowMs = 15_000;
    watch.read();
    expect(asked).toBe(2);
  });
});
