/** Nothing that a machine or a pool sends, in whatever order, makes the farm throw or stop serving others. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Session } from '../../../proxy/session/session.ts';
import { exponentIn, find, Fixture, jobIn, submitParams, yamlOf } from '../../simulation/fixture.ts';

const hex = (bytes: number): fc.Arbitrary<string> => fc.uint8Array({ minLength: 0, maxLength: bytes }).map((raw) => Buffer.from(raw).toString('hex'));
const word = fc.oneof(fc.constantFrom('ffffffff', '00000000', '1fffe000', '20000000', '', 'zz', '685468d7', '0'), hex(8));
const id = fc.oneof(fc.nat(20), fc.constantFrom(null, 'x', 1.5, -1, 1e300));
const number = fc.constantFrom<unknown>(0, -1, 1, 0.5, 1e-9, 1e-300, 1e300, 16, 65536, '1e400', '7', null, true, {}, 'NaN');
const junk = fc.jsonValue({ maxDepth: 2 });

const call = (method: string, params: fc.Arbitrary<unknown>): fc.Arbitrary<string> =>
  fc.record({ id, method: fc.constant(method), params: fc.oneof({ weight: 8, arbitrary: params }, { weight: 1, arbitrary: junk }) }).map((one) => JSON.stringify(one));

const worker = fc.constantFrom('acme.r1', 'acme.r2', '', 'x'.repeat(3000), 'ж\u0000\n');
/** The ids the farm gives out: its boot tag and a counter. */
const jobId = fc.tuple(fc.constantFrom('a0c8', 'ffff', ''), fc.nat(12)).map(([tag, at]) => `${tag}${at.toString(16).padStart(4, '0')}`);

const machineLine = fc.oneof(
  call('mining.configure', fc.tuple(fc.subarray(['version-rolling', 'minimum-difficulty', 'subscribe-extranonce', 'info', 'zzz']), fc.record({ 'version-rolling.mask': word, 'minimum-difficulty.value': number }))),
  call('mining.subscribe', fc.array(fc.oneof(worker, hex(16), fc.constant(null)), { maxLength: 4 })),
  call('mining.authorize', fc.tuple(worker, fc.constantFrom('x', 'd=0', 'd=99999999999999999999;md=5', 'd=0.00000000000001', ''))),
  call('mining.submit', fc.tuple(worker, jobId, fc.oneof(hex(8), fc.constant('00000000')), word, word, fc.oneof(word, fc.constant(undefined)))),
  call('mining.extranonce.subscribe', fc.constant([])),
  call('mining.suggest_difficulty', fc.tuple(number)),
  call('mining.suggest_target', fc.tuple(fc.oneof(hex(32), fc.constant('f'.repeat(64))))),
  call('mining.ping', fc.constant([])),
  call('mining.multi_version', junk),
  fc.constantFrom('{}', '[]', 'null', 'GET / HTTP/1.1', '\u0016\u0003\u0001', '{"id":1,"result":true}', '{"method":"pong"}'),
  junk.map((one) => JSON.stringify(one)),
);

const coinb1 = fc.oneof(hex(60), fc.constant(`0200000001${'00'.repeat(32)}ffffffff20${'03a0860104deadbeef'}`), fc.constant('00'.repeat(2000)));
const coinb2 = fc.oneof(hex(60), fc.constant(`${'00'.repeat(16)}ffffffff0100f2052a01000000015100000000`));
const branches = fc.oneof(fc.array(fc.constant('11'.repeat(32)), { maxLength: 33 }), junk);
const prevhash = fc.oneof(fc.constantFrom('00'.repeat(32), 'ab'.repeat(32)), hex(32));
const nBits = fc.oneof(word, fc.constantFrom('1d00ffff', '207fffff', 'ff7fffff', '01003456', '04923456', '00000001', '1d80ffff', '217fffff', '227fffff'));
const ntime = fc.oneof(word, fc.constant(Math.floor(1_760_000_000).toString(16)));

const poolLine = fc.oneof(
  { weight: 4, arbitrary: call('mining.notify', fc.tuple(fc.oneof(worker, fc.nat()), prevhash, coinb1, coinb2, branches, word, nBits, ntime, fc.boolean())) },
  call('mining.set_difficulty', fc.tuple(number)),
  fc.constantFrom('{"id":null,"method":"mining.set_difficulty","params":[1e400]}', '{"id":null,"method":"mining.set_difficulty","params":[1e-99]}', '{"id":null,"method":"mining.set_difficulty","params":[1e99]}'),
  call('mining.set_extranonce', fc.tuple(fc.oneof(hex(8), hex(100)), fc.oneof(fc.nat(40), number))),
  call('mining.set_version_mask', fc.tuple(word)),
  call('client.reconnect', fc.tuple(fc.constantFrom('pool.a.example', 'evil.example', '', 7), number, number)),
  call('client.show_message', fc.tuple(worker)),
  call('client.get_version', fc.constant([])),
  call('mining.ping', fc.constant([])),
  fc.record({ id: fc.oneof(fc.nat(5), fc.integer({ min: 16, max: 24 })), result: junk, error: fc.oneof(fc.constant(null), junk) }).map((one) => JSON.stringify(one)),
  fc.record({ id: fc.constant(2), result: fc.tuple(fc.constant([]), hex(40), fc.oneof(fc.nat(40), number)), error: fc.constant(null) }).map((one) => JSON.stringify(one)),
  fc.constantFrom('{"id":1,"result":{"version-rolling":true,"version-rolling.mask":"ffffffff"},"error":null}', '{"id":3,"result":true,"error":null}', 'x', '{}', '[1]'),
);

type Step =
  | { readonly do: 'machine'; readonly who: number; readonly line: string }
  | { readonly do: 'pool'; readonly line: string }
  | { readonly do: 'connect' | 'disconnect' | 'open' | 'work' | 'kill' | 'wait' | 'commit' | 'fail'; readonly who: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 10, arbitrary: fc.record({ do: fc.constant('machine' as const), who: fc.nat(3), line: machineLine }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('pool' as const), line: poolLine }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('connect', 'disconnect', 'open', 'work', 'work', 'kill', 'wait', 'commit', 'fail'), who: fc.nat(3) }) },
);

class Abuse {
  readonly fixture = new Fixture(yamlOf('limits: { jobsPerLinkMax: 4, duplicatesMax: 1000, workersPerSessionMax: 2, journaledRejectsMax: 2 }'));
  readonly live = new Set<string>();
  private readonly sessions: (Session | undefined)[] = [undefined, undefined, undefined, undefined];

  apply(one: Step): void {
    const { fixture } = this;
    if (one.do === 'pool') {
      fixture.fromPool(fixture.link('a'), one.line);
      return;
    }
    const session = this.sessions[one.who];
    if (one.do === 'machine') {
      if (session !== undefined) fixture.send(session, one.line);
    } else if (one.do === 'connect') this.sessions[one.who] = fixture.connect();
    else if (one.do === 'disconnect' && session !== undefined) fixture.farm.disconnected(session, 'closed by the machine', fixture.now);
    else if (one.do === 'open' && fixture.link('a').state === 'dialling') fixture.authorise('a');
    else if (one.do === 'work' && ['live', 'authorised'].includes(fixture.link('a').state)) fixture.job(fixture.link('a'));
    else if (one.do === 'kill') fixture.kill('a');
    else if (one.do === 'wait') fixture.wait(1000 + 30_000 * one.who, one.who % 2 === 0);
    else if (one.do === 'commit') fixture.commit();
    else if (one.do === 'fail') fixture.recorder.fail(fixture.farm, fixture.now);
    // What a new segment would begin with can always be told.
    for (const fact of fixture.farm.liveFacts()) this.live.add(fact.type);
  }
}

describe('hostile peers', () => {
  it('cannot make the farm throw, nor stop it from serving an honest machine', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 120 }), (steps) => {
        const abuse = new Abuse();
        abuse.apply({ do: 'open', who: 0 });
        abuse.apply({ do: 'work', who: 0 });
        for (const one of steps) abuse.apply(one);
        const { fixture } = abuse;
        fixture.kill('b');
        while (fixture.link('b').state !== 'dialling') fixture.wait(1000);
        fixture.live('b', '0.0000001');
        const { session, heard } = fixture.miner('acme.honest');
        const job = jobIn(heard);
        const [share] = find(session, job, exponentIn(heard) ?? 0);
        fixture.send(session, { id: 77, method: 'mining.submit', params: submitParams(share!, 'acme.honest') });
        fixture.commit();
        expect(fixture.heard(session).find(({ id: at }) => at === 77)).toMatchObject({ result: true, error: null });
      }),
      { seed: 20261123, numRuns: 250 },
    );
  });
});
