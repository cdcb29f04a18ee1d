/** Oddities of firmware met in the wild (reference §13), as lines in and words out. */
import { describe, expect, it } from 'vitest';
import { Fixture, jobIn, type Said } from '../../simulation/fixture.ts';

const SUBSCRIBE = '{"id":1,"method":"mining.subscribe","params":["x"]}';
const AUTHORIZE = '{"id":2,"method":"mining.authorize","params":["acme.r1","x"]}';

function wordOf({ id, method, result, error }: Said): string {
  if (method !== undefined) return method.replace('mining.', '');
  if (error !== null && error !== undefined) return `${JSON.stringify(id)}:${String(error[0])}`;
  if (Array.isArray(result)) return `${JSON.stringify(id)}:${result.length === 3 ? 'subscribed' : '[]'}`;
  return `${JSON.stringify(id)}:${JSON.stringify(result)}`;
}

const GRANTED = '{"version-rolling":true,"version-rolling.mask":"1fffe000"}';

describe.each([
  ['Bitaxe pipelines all of it', [
    '{"id":1,"method":"mining.configure","params":[["version-rolling"],{"version-rolling.mask":"ffffffff"}]}',
    '{"id":2,"method":"mining.subscribe","params":["bitaxe/BM1370/v2.9"]}',
    '{"id":3,"method":"mining.authorize","params":["acme.bitaxe","x"]}',
    '{"id":4,"method":"mining.suggest_difficulty","params":[1000]}',
    '{"id":5,"method":"mining.extranonce.subscribe","params":[]}',
  ], [`1:${GRANTED}`, '2:subscribed', '3:true', 'set_difficulty', 'notify', '4:true', '5:true']],
  ['authorize comes before subscribe', [AUTHORIZE, SUBSCRIBE], ['2:true', '1:subscribed', 'set_difficulty', 'notify']],
  ['subscribe has no params', ['{"id":"a","method":"mining.subscribe","params":[]}', AUTHORIZE], ['"a":subscribed', '2:true', 'set_difficulty', 'notify']],
  ['WhatsMiner sends a session of odd length', ['{"id":1,"method":"mining.subscribe","params":["whatsminer/v1.0","b08cf00d1"]}'], ['1:subscribed']],
  ['LuxOS and Braiins send four params', ['{"id":1,"method":"mining.subscribe","params":["Antminer S19k Pro|LUXminer",null,"pool.example:3333",null]}'], ['1:subscribed']],
  ['NiceHash signs its subscribe', ['{"id":1,"method":"mining.subscribe","params":["NiceHash/1.0.0","1700000000000","00aa"]}'], ['1:subscribed']],
  ['cpuminer counts bits in text and mask alone', [
    '{"id":1,"method":"mining.configure","params":[["version-rolling"],{"version-rolling.min-bit-count":"2","version-rolling.mask":"00c00000"}]}',
  ], ['1:{"version-rolling":true,"version-rolling.mask":"00c00000"}']],
  ['configure asks for one other extension', ['{"id":1,"method":"mining.configure","params":[["subscribe-extranonce"],{}]}'], ['1:{"subscribe-extranonce":true}']],
  ['configure comes last', [SUBSCRIBE, AUTHORIZE, '{"id":3,"method":"mining.configure","params":[["version-rolling"],{}]}'],
    ['1:subscribed', '2:true', 'set_difficulty', 'notify', `3:${GRANTED}`, 'notify']],
  ['the S9 blocks until multi_version is answered', [SUBSCRIBE, '{"id":7,"method":"mining.multi_version","params":[4]}'], ['1:subscribed', '7:20']],
  ['BFGMiner suggests a target before subscribe, with id null', [`{"id":null,"method":"mining.suggest_target","params":["${'0'.repeat(8)}${'f'.repeat(56)}"]}`, SUBSCRIBE], ['1:subscribed']],
  ['BFGMiner asks for transactions', [SUBSCRIBE, '{"id":"txlist1","method":"mining.get_transactions","params":["1"]}'], ['1:subscribed', '"txlist1":[]']],
  ['a suggestion stands in the method’s name', ['{"id":1,"method":"mining.suggest_difficulty(512)","params":[]}'], ['1:true']],
  ['a suggestion is bare and has no id', ['{"method":"mining.suggest_difficulty","params":512}'], []],
  ['Bitaxe answers a ping with a method', [SUBSCRIBE, '{"id":9,"method":"pong","params":[]}'], ['1:subscribed']],
  ['all messages carry one id', [SUBSCRIBE, AUTHORIZE.replace('2', '1'), '{"id":1,"method":"mining.ping","params":[]}'], ['1:subscribed', '1:true', 'set_difficulty', 'notify', '1:"pong"']],
  ['a miner subscribes twice', [SUBSCRIBE, AUTHORIZE, SUBSCRIBE], ['1:subscribed', '2:true', 'set_difficulty', 'notify', '1:subscribed', 'notify']],
  ['other coins knock', ['{"id":1,"method":"eth_submitHashrate","params":[]}', '{"id":2,"method":"login","params":{}}'], ['1:20', '2:20']],
])('%s', (_name, lines, words) => {
  it('is answered in order', () => {
    const fixture = new Fixture();
    fixture.live('a');
    fixture.monoMs += 5000;
    const session = fixture.connect();
    for (const line of lines) fixture.send(session, line);
    expect(fixture.heard(session).map(wordOf)).toEqual(words);
    expect(fixture.closed).toEqual([]);
  });
});

describe.each([
  ['a browser', 'GET / HTTP/1.1'],
  ['a TLS hello', '\u0016\u0003\u0001\u0002'],
  ['a remote desktop', '\u0003\u0000\u0000/*\u00e0 Cookie: mstshash=hello'],
  ['a batch', '[{"id":1}]'],
  ['nothing sensible', 'hello'],
])('%s', (_name, line) => {
  it('is closed with a counted reason', () => {
    const fixture = new Fixture();
    const session = fixture.connect();
    fixture.send(session, line);
    expect(fixture.closed).toHaveLength(1);
    expect(fixture.closed[0]).toMatch(/^not Stratum: /);
    expect(fixture.farm.state.sessions.size).toBe(0);
    expect(fixture.farm.state.byHost.size).toBe(0);
  });
});

describe('an extranonce2 of the wrong size', () => {
  it.each(['', '00', '00'.repeat(5), '00'.repeat(16)])('is refused in the words of ckpool: %j', (extranonce2) => {
    const fixture = new Fixture();
    fixture.live('a');
    const { session, heard } = fixture.miner();
    const job = jobIn(heard);
    fixture.send(session, { id: 9, method: 'mining.submit', params: ['acme.r1', job.id, extranonce2, job.ntime.toString(16).padStart(8, '0'), '00000000'] });
    expect(fixture.heard(session)).toMatchObject([{ id: 9, error: [20, 'Invalid nonce2 length', null] }]);
  });
});
