/** The comparisons that the end-to-end tests trust find what they are there to find. */
import { describe, expect, it } from 'vitest';
import type { OwnVerdict } from '../../proxy/mining/verdict.ts';
import type { ShareFact } from '../../proxy/session/facts.ts';
import type { MachineRecord } from '../rig/fleet.ts';
import type { JournalContent, JournaledShare } from './journal-shares.ts';
import { compareFleet } from './truth.ts';

function share(headerHex: string, verdict: OwnVerdict = 'accepted', exponent = -20): JournaledShare {
  const fact: ShareFact = {
    type: 'share', share: 1, bind: 1, job: 1, exponent, verdict, forwarding: 'below-target', block: false,
    extranonce2: new Uint8Array(), ntime: 0, nonce: 0, version: 0, atMs: 0,
  };
  return { headerHex, fact, worker: '', lessee: '', site: '', pool: '', upstreamExtranonce1: '', run: '', jobAtMs: 0, poolVerdict: undefined };
}

function journal(...shares: JournaledShare[]): JournalContent {
  return { shares, sessions: [], unjournaled: [], corruptRanges: 0 };
}

function machine(told: readonly string[], open: readonly string[] = []): MachineRecord[] {
  const replies = told.map((headerHex) => ({ headerHex, exponent: -20, value: true, code: 0, bad: undefined, atMs: 0 }));
  return [{ user: 'a', replies, unanswered: open.map((headerHex) => ({ headerHex, exponent: -20 })) }];
}

const A = `20000000${'a'.repeat(152)}`;
const B = `20000000${'b'.repeat(152)}`;
const NOTHING = { missing: [], unfounded: [], twice: [], otherExponent: [] };

describe('compareFleet', () => {
  it('finds nothing where nothing differs', () => {
    expect(compareFleet(machine([A], [B]), journal(share(A), share(B)))).toEqual(NOTHING);
    expect(compareFleet(machine([A], [B]), journal(share(A, 'courtesy')))).toEqual(NOTHING);
    expect(compareFleet(machine([A]), journal(share(A), share(A, 'duplicate')))).toEqual(NOTHING);
  });

  it('finds a share that is missing, unfounded, counted twice or at another exponent', () => {
    expect(compareFleet(machine([A]), journal(share(A, 'stale')))).toEqual({ ...NOTHING, missing: [A] });
    expect(compareFleet(machine([A]), journal(share(A), share(B)))).toEqual({ ...NOTHING, unfounded: [B] });
    expect(compareFleet(machine([A]), journal(share(A), share(A)))).toEqual({ ...NOTHING, twice: [A] });
    expect(compareFleet(machine([A]), journal(share(A, 'accepted', -19)))).toEqual({ ...NOTHING, otherExponent: [A] });
  });

  it('takes a header for its twin under another version', () => {
    const twin = `32ef0000${A.slice(8)}`;
    expect(compareFleet(machine([A]), journal(share(twin)))).toEqual(NOTHING);
  });
});
