/** The ledger's series arrive as they are, though names travel once: whatever is lost, asked twice, or begun anew. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../config/world.ts';
import { SeriesBook, type LedgerSeries } from '../../accounting/series.ts';
import { SeriesReceiver, SeriesSender, type PackedSeries } from '../../accounting/series-wire.ts';

const name = fc.constantFrom('', 'north', 'south', 'a');
const delivered = fc.record({
  site: name, lessee: name, leases: fc.constantFrom('', 'a', 'a,b', 'c'), pool: fc.constantFrom('', 'main'), verdict: fc.constantFrom('accepted', 'stale', 'unknown-job'),
  exponent: fc.integer({ min: -32, max: 62 }), n: fc.nat(), last_ms: fc.nat(), worth: fc.bigInt({ min: 0n, max: 10n ** 24n }),
});
const credited = fc.record({ pool: name, verdict: fc.constantFrom('accepted', 'rejected'), reason: fc.constantFrom('none', 'stale'), difficulty: fc.constantFrom('16.5', '1'), n: fc.nat() });
const event = fc.oneof(
  { weight: 3, arbitrary: fc.record({ type: fc.constant('delivered'), row: delivered }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('credited'), row: credited }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constantFrom('scrape', 'lost scrape', 'two scrapes at once') }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constantFrom('other book', 'other accountant') }) },
);

/** As a message between processes. */
const sent = (packed: PackedSeries): PackedSeries => JSON.parse(JSON.stringify(packed)) as PackedSeries;

describe('series on the wire', () => {
  it('arrive as they are', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40 }), (events) => {
        const random = seededRandom(1);
        let [book, sender] = [new SeriesBook(), new SeriesSender(random)];
        const receiver = new SeriesReceiver();
        const [arrived, read]: [LedgerSeries[], LedgerSeries[]] = [[], []];
        for (const each of events) {
          if (each.type === 'delivered') book.delivered({ ...each.row });
          else if (each.type === 'credited') book.credited({ ...each.row });
          else if (each.type === 'other book') book = new SeriesBook();
          else if (each.type === 'other accountant') [book, sender] = [new SeriesBook(), new SeriesSender(random)];
          else {
            const known = receiver.known;
            const packed = Array.from({ length: each.type === 'two scrapes at once' ? 2 : 1 }, () => sent(sender.pack(book, known)));
            if (each.type === 'lost scrape') continue;
            for (const one of packed) arrived.push(receiver.unpack(one));
            read.push(...packed.map(() => book.read()));
          }
        }
        expect(arrived).toEqual(read);
      }),
      { numRuns: 500 },
    );
  });

  it('name a group once', () => {
    const [book, sender, receiver] = [new SeriesBook(), new SeriesSender(seededRandom(1)), new SeriesReceiver()];
    const row = { lessee: 'acme', leases: 'a', pool: 'main', verdict: 'accepted', exponent: 0, n: 1, last_ms: 1, worth: 1n } as const;
    const names = (): readonly (readonly string[])[] => {
      const packed = sender.pack(book, receiver.known);
      receiver.unpack(packed);
      return packed.tables.delivered.names;
    };
    book.delivered({ ...row, site: 'north' });
    expect(names()).toEqual([['north', 'acme', 'accepted']]);
    book.delivered({ ...row, site: 'north' });
    expect(names()).toEqual([]);
    book.delivered({ ...row, site: 'south' });
    expect(names()).toEqual([['south', 'acme', 'accepted']]);
  });
});
