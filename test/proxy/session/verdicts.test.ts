/** Verdicts of pools with `reply: pool`, and what machines are told when the journal cannot be written. */
import { describe, expect, it } from 'vitest';
import { answer, Fixture, mining, yamlOf } from '../../simulation/fixture.ts';

describe('reply: pool', () => {
  const yaml = yamlOf('reply: pool\ntimeouts: { poolReply: 3s, poolSilent: 20s }');

  it('tells the pool’s verdict, once it is durable, with its own code and text', () => {
    const fixture = new Fixture(yaml);
    const link = fixture.live('a');
    const { session, send } = mining(fixture, 3);
    for (const index of [0, 1, 2]) send(index);
    const submits = fixture.submitted(link);
    fixture.commit();
    expect(fixture.heard(session)).toEqual([]);
    answer(fixture, link, submits[1]!, [37, 'Stale share', null]);
    answer(fixture, link, submits[0]!);
    answer(fixture, link, submits[2]!, ['-x', '', null]);
    expect(fixture.heard(session)).toEqual([]);
    fixture.commit();
    expect(fixture.heard(session)).toEqual([
      { id: 1, result: null, error: [37, 'Stale share', null] },
      { id: 0, result: true, error: null },
      { id: 2, result: null, error: [20, 'Other', null] },
    ]);
    expect(fixture.recorder.of('pool-verdict').map(({ share, verdict, reason, code, text, reply }) => [share, verdict, reason, code, text, reply])).toEqual([
      [2, 'rejected', 'stale', '37', 'Stale share', { value: false, source: 'pool' }],
      [1, 'accepted', 'none', '', '', { value: true, source: 'pool' }],
      [3, 'rejected', 'other', '-x', '', { value: false, source: 'pool' }],
    ]);
    expect(session.pendingReplies).toBe(0);
    expect(session.pendingPool).toBe(0);
  });

  it('has a deadline, after which the late verdict is only written down', () => {
    const fixture = new Fixture(yaml);
    const link = fixture.live('a');
    const { session, send } = mining(fixture);
    send(0);
    const [submit] = fixture.submitted(link);
    fixture.wait(2000);
    expect(fixture.heard(session)).toEqual([]);
    fixture.wait(2000);
    expect(fixture.heard(session)).toEqual([{ id: 0, result: true, error: null }]);
    answer(fixture, link, submit!, [21, 'late', null]);
    fixture.commit();
    expect(fixture.heard(session)).toEqual([]);
    expect(fixture.recorder.of('pool-verdict')).toMatchObject([{ verdict: 'rejected', reply: { value: true, source: 'deadline' } }]);
    answer(fixture, link, submit!);
    expect(fixture.recorder.of('pool-verdict')).toHaveLength(1);
  });

  it('ends with the link: our verdict is told at once', () => {
    const fixture = new Fixture(yaml);
    fixture.live('a');
    const { session, send } = mining(fixture);
    send(0);
    fixture.kill('a');
    fixture.commit();
    expect(fixture.heard(session)).toMatchObject([{ id: 0, result: true }]);
    expect(fixture.recorder.of('pool-verdict')).toMatchObject([{ verdict: 'unanswered', reply: { value: true, source: 'proxy' } }]);
  });

  it('gives up a share that a living pool never answers', () => {
    const fixture = new Fixture(yaml);
    const link = fixture.live('a');
    mining(fixture).send(0);
    fixture.wait(21_000);
    expect(link.pending.size).toBe(0);
    expect(fixture.recorder.of('pool-verdict')).toMatchObject([{ verdict: 'unanswered', reply: { value: true, source: 'deadline' } }]);
  });

  it.each([[true, 'live'], [false, 'ended']])('leaves a pool that answers no share at all, though it sends work (answers others: %s)', (answers, state) => {
    const fixture = new Fixture(yaml);
    const link = fixture.live('a');
    const { send } = mining(fixture, 2);
    send(0);
    fixture.wait(1000);
    send(1);
    const submits = fixture.submitted(link);
    if (answers) answer(fixture, link, submits[1]!);
    for (let second = 0; second < 20; second += 1) {
      fixture.wait(1000);
      fixture.job(link);
    }
    expect(link.state).toBe(state);
  });

  it('answers what is under way when the process stops, and hears nothing afterwards', () => {
    const fixture = new Fixture(yaml);
    const link = fixture.live('a');
    const { session, send } = mining(fixture, 2);
    send(0);
    const [submit] = fixture.submitted(link);
    fixture.farm.stop(fixture.now);
    send(1);
    answer(fixture, link, submit!);
    fixture.commit();
    expect(fixture.heard(session)).toMatchObject([{ id: 0, result: true }]);
    expect(fixture.recorder.of('share')).toHaveLength(1);
    expect(fixture.recorder.of('pool-verdict')).toMatchObject([{ verdict: 'unanswered' }]);
  });
});

describe('a journal that cannot be written', () => {
  it('is answered all the same, counted, and admitted when it can', () => {
    const fixture = new Fixture();
    fixture.live('a');
    const { session, send } = mining(fixture, 2);
    fixture.commit();
    send(0);
    fixture.recorder.fail(fixture.farm, fixture.now);
    expect(fixture.heard(session)).toMatchObject([{ id: 0, result: true }]);
    expect(fixture.farm.state.counters.unjournaledShares).toBe(1);
    const entry = { site: 'north', lessee: 'acme', exponent: -24, verdict: 'accepted', count: 1 };
    expect(fixture.recorder.unadmitted).toMatchObject({ waiting: [entry], entries: [] });
    fixture.monoMs += 1000;
    fixture.farm.tick(fixture.now);
    expect(fixture.recorder.unadmitted).toMatchObject({ waiting: [], entries: [entry] });
    fixture.recorder.fail(fixture.farm, fixture.now);
    expect(fixture.recorder.unadmitted).toMatchObject({ waiting: [entry], entries: [] });
    fixture.wait(2000);
    expect(fixture.recorder.unadmitted).toEqual({ waiting: [], entries: [] });
    const admitted = fixture.recorder.facts.filter((fact, index) => fact.type === 'unjournaled' && !fixture.recorder.lost.has(index + 1));
    expect(admitted).toMatchObject([{ site: 'north', lessee: 'acme', exponent: -24, count: 1 }]);
  });
});
