/** A machine none of whose shares fits its job is told of, once, with what its make can take. */
import { describe, expect, it } from 'vitest';
import { coinbaseBytesMax } from '../../../proxy/mining/coinbase-limits.ts';
import type { Session } from '../../../proxy/session/session.ts';
import { hex8 } from '../../rig/work.ts';
import { Fixture, jobIn, share, type Said } from '../../simulation/fixture.ts';

describe('the largest coinbase of a machine', () => {
  it.each([
    ['Antminer S19 Pro/Mon', 750],
    ['Antminer S21/Mon Mar 18 2024', 2250],
    ['bosminer-plus-tuner 0.2', 2250],
    ['NiceHash/1.0.0', 500],
    ['NerdMinerV2/1.7.0', 512],
    ['whatsminer/v1.0', 6500],
    ['bitaxe/BM1370/v2.9.0', 6500],
    ['PowerPlay-BM/1', 16_384],
    ['xminer-1.2.6', 16_384],
    ['cgminer/4.12', undefined],
    ['', undefined],
  ])('%s: %s', (userAgent, bytes) => {
    expect(coinbaseBytesMax(userAgent)).toBe(bytes);
  });
});

describe('a machine whose shares all miss their target', () => {
  const started = (): { fixture: Fixture; session: Session; heard: Said[]; miss: (count: number) => void; told: () => unknown[] } => {
    const fixture = new Fixture();
    fixture.live('a');
    const session = fixture.connect();
    fixture.send(session, { id: 1, method: 'mining.subscribe', params: ['Antminer S19/1'] });
    fixture.authorize(session);
    const heard = fixture.heard(session);
    const { id, ntime } = jobIn(heard);
    let counter = 0;
    const miss = (count: number): void => {
      for (const end = counter + count; counter < end; counter += 1) {
        fixture.send(session, { id: counter, method: 'mining.submit', params: ['acme.r1', id, hex8(counter), hex8(ntime), '00000000'] });
      }
    };
    const told = (): unknown[] => fixture.recorder.logs.filter(({ event }) => event === 'machine refused throughout').map(({ fields }) => fields);
    return { fixture, session, heard, miss, told };
  };

  it('is told of at the twentieth, once, with the size of its coinbase', () => {
    const { session, heard, miss, told } = started();
    miss(19);
    expect(told()).toEqual([]);
    miss(30);
    const { coinb1, coinb2 } = jobIn(heard);
    const coinbaseBytes = coinb1.length + 8 + coinb2.length;
    expect(told()).toEqual([{ worker: 'acme.r1', address: session.address, firmware: 'Antminer S19/1', pool: 'a', coinbaseBytes, coinbaseBytesMax: 750 }]);
  });

  it('is not, once it has had a good one', () => {
    const { fixture, session, heard, miss, told } = started();
    miss(19);
    expect(share(fixture, session, heard)).toMatchObject({ result: true });
    miss(30);
    expect(told()).toEqual([]);
  });
});
