/** A pool that gives two runs one extranonce1 and one job: what one of them has counted, the other never counts again. */
import { describe, expect, it } from 'vitest';
import type { RunsElsewhere } from '../../../proxy/session/repeats.ts';
import { lowestPrefix } from '../../../proxy/session/prefixes.ts';
import type { Run } from '../../../proxy/session/run.ts';
import type { Session } from '../../../proxy/session/session.ts';
import { EASY, exponentIn, find, Fixture, jobIn, share, submitParams, yamlOf, type Said } from '../../simulation/fixture.ts';

/** The begin of time in fixtures, s. */
const NOW_S = 1_760_000_000;
const FIXED = { prevhash: Buffer.alloc(32, 7), ntime: NOW_S };

/** Runs of one instance, with one place where they note what they have. */
function runs(count: number): Fixture[] {
  const noted = new Map<string, Map<number, number>>();
  return Array.from({ length: count }, (_, index) => {
    const elsewhere: RunsElsewhere = {
      note: (extranonce1, lastNtime) => {
        const byRun = noted.get(extranonce1) ?? new Map<number, number>();
        noted.set(extranonce1, byRun.set(index, Math.max(lastNtime, byRun.get(index) ?? 0)));
      },
      lastNtime: (extranonce1) => {
        const others = [...(noted.get(extranonce1) ?? [])].filter(([run]) => run !== index).map(([, ntime]) => ntime);
        return others.length === 0 ? undefined : Math.max(...others);
      },
    };
    const run: Run = {
      bootTag: `b00${index}`,
      sessionKey: '5a'.repeat(32),
      prefixes: { 1: { first: 1, count: 255 }, ...Object.fromEntries([2, 3, 4].map((length) => [length, { first: lowestPrefix(length) + 1000 * index, count: 1000 }])) },
    };
    return new Fixture(yamlOf(), new Map(), undefined, run, elsewhere);
  });
}

/** The same job as at every other run, under the same extranonce1. */
function live(fixture: Fixture, room = 8): void {
  const link = fixture.authorise('a', room);
  fixture.difficulty(link, EASY);
  fixture.job(link, FIXED);
}

function resubscribe(fixture: Fixture, sessionId: string): { session: Session; heard: Said[] } {
  const session = fixture.connect();
  fixture.subscribe(session, sessionId);
  fixture.authorize(session);
  return { session, heard: fixture.heard(session) };
}

/** Whether a share that was found for one job is answered true for another. */
function takes(fixture: Fixture, session: Session, heard: readonly Said[], extranonce2: string, ntime: number, nonce: number): boolean {
  fixture.send(session, { id: 'again', method: 'mining.submit', params: submitParams({ jobId: jobIn(heard).id, extranonce2, ntime, nonce, version: 0, headerHex: '' }) });
  fixture.commit();
  return fixture.heard(session).find(({ id }) => id === 'again')?.result === true;
}

describe('a pool that gives two runs one extranonce1', () => {
  it('has no machine under a prefix that it had with the other run: it gets a new one at subscribe', () => {
    const [old, next] = runs(2) as [Fixture, Fixture];
    live(old);
    live(next);
    const { session, heard } = old.miner();
    const [found] = find(session, jobIn(heard), exponentIn(heard)!);
    expect(takes(old, session, heard, found!.extranonce2, found!.ntime, found!.nonce)).toBe(true);
    const back = resubscribe(next, session.sessionId);
    expect(back.session.prefix).not.toEqual(session.prefix);
    expect(takes(next, back.session, back.heard, found!.extranonce2, found!.ntime, found!.nonce)).toBe(false);
    expect(share(next, back.session, back.heard)).toMatchObject({ result: true });
  });

  it('keeps such a machine off where it shows only later, and does so without a word more where it can be told', () => {
    const [old, next] = runs(2) as [Fixture, Fixture];
    live(old);
    const { session } = old.miner();
    const [told, closed] = [resubscribe(next, session.sessionId), resubscribe(next, old.miner('acme.r2').session.sessionId)];
    expect(told.session.prefix).toEqual(session.prefix);
    next.send(told.session, { id: 1, method: 'mining.extranonce.subscribe', params: [] });
    next.heard(told.session);
    live(next);
    next.wait(2000);
    const said = next.heard(told.session);
    expect(said.map(({ method }) => method)).toEqual(['mining.set_extranonce', 'mining.set_difficulty', 'mining.notify']);
    expect(told.session.prefix).not.toEqual(session.prefix);
    expect(next.closed).toEqual(['its extranonce does not fit the pools left']);
    const again = resubscribe(next, closed.session.sessionId);
    expect(again.session.link).toBe(next.link('a'));
    expect(share(next, again.session, again.heard)).toMatchObject({ result: true });
  });

  it('keeps a machine off that comes back from another run to its own', () => {
    const [old, next] = runs(2) as [Fixture, Fixture];
    live(next);
    live(old);
    const { session } = old.miner();
    old.farm.takenElsewhere(session.sessionId, old.now.wallMs, old.now);
    // It was with the other run, whoever heard of it first.
    const back = resubscribe(old, session.sessionId);
    expect(back.session.prefix).not.toEqual(session.prefix);
    expect(back.session.link).toBe(old.link('a'));
  });

  it('leaves machines alone that were here all the time', () => {
    const [old, next] = runs(2) as [Fixture, Fixture];
    live(old);
    live(next);
    const { session } = next.miner();
    next.farm.disconnected(session, 'gone', next.now);
    expect(resubscribe(next, session.sessionId).session.prefix).toEqual(session.prefix);
    next.setExtranonce(next.link('a'), '0a0b0c0d', 8);
    next.wait(5000);
    expect(next.closed).toEqual([]);
  });

  it('changes to such an extranonce1 on a living link: machines of the other run leave it', () => {
    const [old, next] = runs(2) as [Fixture, Fixture];
    live(old);
    const link = next.authorise('a');
    next.setExtranonce(link, '01020304', 8);
    const { session } = resubscribe(next, old.miner().session.sessionId);
    expect(session.link).toBe(link);
    next.setExtranonce(link, '0a0b0c0d', 8);
    next.wait(2000);
    expect(next.closed).toEqual(['its extranonce does not fit the pools left']);
  });
});

describe('a pool that gives two runs one extranonce1 and leaves few prefixes', () => {
  it('is worked for with later ntimes than the other run can have had', () => {
    const [old, next] = runs(2) as [Fixture, Fixture];
    live(old, 4);
    const { session, heard } = old.miner();
    const [found] = find(session, jobIn(heard), exponentIn(heard)!);
    expect(takes(old, session, heard, found!.extranonce2, found!.ntime, found!.nonce)).toBe(true);
    // The very same job leaves no time: every header of it may have been found.
    live(next, 4);
    const other = next.miner();
    expect(other.session.prefix).toEqual(session.prefix);
    expect(other.session.link).toBeUndefined();
    // Half a minute later there is half a minute.
    next.job(next.link('a'), { ...FIXED, ntime: NOW_S + 30 });
    const later = next.heard(other.session);
    expect(jobIn(later).ntime).toBe(NOW_S + 7001);
    expect(takes(next, other.session, later, found!.extranonce2, found!.ntime, found!.nonce)).toBe(false);
    expect(share(next, other.session, later)).toMatchObject({ result: true });
  });

  it('is left alone where prefixes tell runs apart', () => {
    const [old, next] = runs(2) as [Fixture, Fixture];
    live(old);
    live(next);
    expect(jobIn(next.miner().heard).ntime).toBe(NOW_S);
  });
});
