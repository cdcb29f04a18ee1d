/** Lines whose text is remembered from scrape to scrape are, byte for byte, those of prom-client's own metrics. */
import fc from 'fast-check';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { CATALOGUE, type MetricEntry } from '../../metrics/catalogue.ts';
import { Exposition } from '../../metrics/exposition.ts';
import { SeriesTexts, type ContentType } from '../../metrics/texts.ts';

/** prom-client writes whole bounds differently in its two formats; ours are the same in both. */
const BOUNDS = [0.001, 0.25, 1.5];
const [WORK, WORKER, TRIP] = ['weighbridge_lease_work_total', 'weighbridge_worker_hashes_per_second', 'weighbridge_pool_round_trip_seconds'] as const;

interface Scrape {
  readonly type: ContentType;
  readonly work: readonly { readonly lease: string; readonly site: string; readonly verdict: 'accepted' | 'stale'; readonly value: number }[];
  readonly workers: readonly { readonly site: string; readonly worker: string; readonly value: number }[];
  readonly trips: readonly { readonly pool: string; readonly seconds: readonly number[] }[];
}

function entryOf(name: string): { name: string; help: string; labelNames: string[] } {
  const { help, labels } = CATALOGUE.find((entry) => entry.name === name) as MetricEntry;
  return { name, help, labelNames: [...labels] };
}

/** The three metrics as prom-client counts and writes them itself. */
async function byClient({ type, work, workers, trips }: Scrape): Promise<string[]> {
  const registry = new Registry();
  const registers = [registry];
  const [counter, gauge] = [new Counter({ ...entryOf(WORK), registers }), new Gauge({ ...entryOf(WORKER), registers })];
  const histogram = new Histogram({ ...entryOf(TRIP), buckets: BOUNDS, registers });
  for (const { value, ...labels } of work) counter.inc(labels, value);
  for (const { value, ...labels } of workers) gauge.set(labels, value);
  for (const { pool, seconds } of trips) for (const each of seconds) histogram.observe({ pool }, each);
  (registry as Registry<ContentType>).setContentType(type);
  return blocks(await registry.metrics());
}

async function byUs({ type, work, workers, trips }: Scrape, texts: SeriesTexts): Promise<{ readonly all: string; readonly blocks: string[] }> {
  const exposition = new Exposition();
  for (const { value, ...labels } of work) exposition.set(WORK, labels, value);
  for (const { value, ...labels } of workers) exposition.set(WORKER, labels, value);
  for (const { pool, seconds } of trips) {
    const counts = [...BOUNDS, Infinity].map((bound, i) => seconds.filter((each) => each <= bound && each > (BOUNDS[i - 1] ?? -Infinity)).length);
    exposition.histogram(TRIP, { pool }, { bounds: BOUNDS, counts, sumSeconds: seconds.reduce((sum, each) => sum + each, 0) });
  }
  const all = (await exposition.written(type, texts)).text().toString();
  return { all, blocks: blocks(all) };
}

/** One metric each: its help, its type and its samples. */
function blocks(text: string): string[] {
  const names = [WORK, WORKER, TRIP].flatMap((name) => [name, name.replace(/_total$/, '')]);
  const found = text.replace(/# EOF\n$/, '').split(/^(?=# HELP )/m).filter((block) => names.includes(block.split(' ', 3)[2]!));
  return found.map((block) => block.trimEnd()).toSorted();
}

const name = fc.oneof(fc.constantFrom('', 'north', 'a"b', 'c\\d', 'e\nf', 'ü', '0'), fc.string({ maxLength: 6 }));
const value = fc.oneof(fc.nat(), fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }));
const scrape: fc.Arbitrary<Scrape> = fc.record({
  type: fc.constantFrom(Registry.PROMETHEUS_CONTENT_TYPE, Registry.OPENMETRICS_CONTENT_TYPE),
  work: fc.uniqueArray(fc.record({ lease: name, site: name, verdict: fc.constantFrom('accepted', 'stale'), value }), { selector: ({ lease, site, verdict }) => JSON.stringify([lease, site, verdict]), maxLength: 8 }),
  workers: fc.uniqueArray(fc.record({ site: name, worker: name, value: fc.oneof(value, fc.double({ noNaN: true })) }), { selector: ({ site, worker }) => JSON.stringify([site, worker]), maxLength: 8 }),
  trips: fc.uniqueArray(fc.record({ pool: name, seconds: fc.array(fc.double({ min: 0, max: 9, noNaN: true }), { minLength: 1, maxLength: 5 }) }), { selector: ({ pool }) => pool, maxLength: 3 }),
});

describe('remembered texts', () => {
  it("give prom-client's own bytes, however series come, go and change places", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(scrape, { minLength: 1, maxLength: 6 }), async (scrapes) => {
        const texts = new SeriesTexts();
        for (const each of scrapes) expect((await byUs(each, texts)).blocks).toEqual(await byClient(each));
      }),
      { numRuns: 200 },
    );
  });

  it('are not mixed up by two scrapes at once', async () => {
    await fc.assert(
      fc.asyncProperty(scrape, scrape, scrape, async (before, one, other) => {
        const texts = new SeriesTexts();
        await byUs(before, texts);
        const [first, second] = await Promise.all([byUs(one, texts), byUs(other, texts)]);
        expect([first.blocks, second.blocks]).toEqual([await byClient(one), await byClient(other)]);
      }),
      { numRuns: 100 },
    );
  });

  it('make a whole scrape that is the same with and without memory', async () => {
    const texts = new SeriesTexts();
    for (const each of fc.sample(scrape, { numRuns: 20, seed: 5 })) expect((await byUs(each, texts)).all).toBe((await byUs(each, new SeriesTexts())).all);
  });

  it('write what is no number as the formats have it', async () => {
    const exposition = new Exposition();
    [NaN, Infinity, -Infinity].forEach((each, i) => exposition.set(WORKER, { site: 'north', worker: String(i) }, each));
    const lines = (await exposition.written(Registry.PROMETHEUS_CONTENT_TYPE)).samples([WORKER]).toString().trim().split('\n');
    expect(lines.map((line) => line.split(' ')[1])).toEqual(['NaN', '+Inf', '-Inf']);
  });
});
