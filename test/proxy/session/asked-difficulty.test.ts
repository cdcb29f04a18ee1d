/** The difficulty that pools are asked for, so that a link which stands by does not begin too low when a fleet comes to it. */
import { describe, expect, it } from 'vitest';
import type { Link } from '../../../proxy/session/link.ts';
import { Fixture, yamlOf } from '../../simulation/fixture.ts';

describe('a pool that is asked for a difficulty', () => {
  const yaml = yamlOf().replace('user: farm }, b', 'user: farm, difficulty: 65536 }, b');
  /** Difficulties that the pool was asked for since the last look. */
  const asked = (fixture: Fixture, link: Link): unknown[] => fixture.sentTo(link).filter(({ method }) => method === 'mining.suggest_difficulty').map(({ params }) => params?.[0]);

  it('is asked with every connection, and again when it has gone below, once a minute at most', () => {
    const fixture = new Fixture(yaml);
    const link = fixture.live('a', '65536');
    expect(asked(fixture, link)).toEqual([65536]);
    fixture.wait(600_000);
    expect(asked(fixture, link)).toEqual([]);
    for (const difficulty of ['4096', '1000', '500']) fixture.difficulty(link, difficulty);
    fixture.wait(1000);
    expect(asked(fixture, link)).toEqual([65536]);
    // That was its answer, and that it says it again is no news.
    for (let minute = 0; minute < 5; minute += 1) {
      fixture.difficulty(link, '500');
      fixture.wait(60_000);
    }
    expect(asked(fixture, link)).toEqual([]);
    for (const difficulty of ['65536', '32768']) {
      fixture.difficulty(link, difficulty);
      fixture.wait(30_000);
    }
    expect(asked(fixture, link)).toEqual([65536]);
    // Less than before, and yet not less than was asked for.
    for (const difficulty of ['262144', '131072']) fixture.difficulty(link, difficulty);
    fixture.wait(120_000);
    expect(asked(fixture, link)).toEqual([]);
    fixture.kill('a');
    fixture.wait(3000);
    fixture.authorise('a');
    expect(asked(fixture, fixture.link('a'))).toEqual([65536]);
  });

  it('is not asked again where it refused, nor where nothing is wished for', () => {
    const fixture = new Fixture(yaml);
    const [a, b] = [fixture.live('a', '65536'), fixture.live('b', '65536')];
    fixture.fromPool(a, { id: 4, result: null, error: [40, 'unfit, ignore', null] });
    fixture.wait(90_000);
    for (const link of [a, b]) fixture.difficulty(link, '1000');
    fixture.wait(90_000);
    expect([asked(fixture, a), asked(fixture, b)]).toEqual([[65536], []]);
  });
});
