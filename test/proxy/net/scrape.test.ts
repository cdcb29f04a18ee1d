/** Scrapes beside each other: what is remembered of them, for the counters never to go back, is the latest that was shown. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SeriesBook } from '../../../accounting/series.ts';
import { SeriesSender } from '../../../accounting/series-wire.ts';
import { realWorld } from '../../../config/world.ts';
import { Scrapes } from '../../../proxy/net/scrape.ts';
import type { PackedMetrics } from '../../../proxy/net/messages.ts';
import { scene, type Scene } from './instance-fixture.ts';

let its: Scene;
beforeEach(() => {
  its = scene();
});
afterEach(() => its.end());

/** An answer of an accountant whose machines delivered so many shares of difficulty 1 at each of some sites. */
function accountant(sites: number, shares: number): PackedMetrics {
  const book = new SeriesBook();
  for (let i = 0; i < sites; i += 1) book.delivered({ site: `site-${i}`, lessee: 'acme', leases: '', pool: 'main', verdict: 'accepted', exponent: 0, n: shares, last_ms: 1, worth: 0n });
  return {
    pid: 1, caughtUp: true, opens: 1, lagBytes: 0, lagMs: 0, foldedRecords: 0, corruptRanges: 0, unjournaledShares: 0, problem: '', leases: [],
    vitals: { residentBytes: 0, cpuSeconds: 0, loop: { bounds: [], counts: [0], sumSeconds: 0 } }, series: new SeriesSender(realWorld.random).pack(book, undefined),
  };
}

/** Scrapes that find these answers of the accountant, in order. */
function scrapes(...answers: PackedMetrics[]): Scrapes {
  return new Scrapes({
    config: its.config, world: realWorld, metrics: () => Promise.resolve(answers.shift()), proxies: () => [], states: () => [], machines: () => Promise.resolve(undefined),
    restarts: () => ({}), complain: () => undefined,
  });
}

const sample = /weighbridge_shares_total\{site="site-0",lessee="acme",verdict="accepted"\} (\d+)/;

describe('two scrapes at once', () => {
  it('are remembered in the order of what they show, however long each takes to write', async () => {
    // The first gives way to others on its way; the second has little to write.
    const both = scrapes(accountant(20_000, 5), accountant(1, 6));
    const answers = await Promise.all([both.answer(''), both.answer('')]);
    expect(answers.map(({ body }) => sample.exec(body.toString())?.[1])).toEqual(['5', '6']);
    expect(sample.exec(readFileSync(join(its.data, 'exported'), 'utf8'))?.[1]).toBe('6');
  });
});

describe('a scrape', () => {
  it('that fails does not stop the next one', async () => {
    const broken = { ...accountant(0, 0), leases: undefined as unknown as PackedMetrics['leases'] };
    const three = scrapes(broken, accountant(1, 7));
    await expect(three.answer('')).rejects.toThrow(/undefined/);
    expect(sample.exec((await three.answer('')).body.toString())?.[1]).toBe('7');
    expect((await three.answer('')).code).toBe(503);
  });
});
