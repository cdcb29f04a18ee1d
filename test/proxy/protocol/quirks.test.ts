/** Oddities of devices and pools met in the wild, one row each: the line as it arrives and the message it means. */
import { describe, expect, it } from 'vitest';
import { formatConfigureResult, formatSubscribeResult, parseDownstream } from '../../../proxy/protocol/downstream.ts';
import { passwordOptions } from '../../../proxy/protocol/password.ts';
import { parseUpstream, readConfigureResult, readSubscribeResult } from '../../../proxy/protocol/upstream.ts';

const PARAMS_MAX = 16;
const configure = { kind: 'configure', versionMask: 0xffffffff, minimumDifficulty: undefined, info: {} };
const subscribe = { kind: 'subscribe', userAgent: '', sessionId: undefined };
const share = { kind: 'submit', username: 'a.b', jobId: '1f', extranonce2: '00000001', ntime: 0x685468d7, nonce: 0x7552034c };

const MACHINES: readonly (readonly [oddity: string, line: string, message: object])[] = [
  // §13, by device
  ['Bitaxe asks for every version bit', '{"id":1,"method":"mining.configure","params":[["version-rolling"],{"version-rolling.mask":"ffffffff"}]}', { ...configure, id: 1, extensions: ['version-rolling'] }],
  ['cpuminer: min-bit-count as a string', '{"id":1,"method":"mining.configure","params":[["version-rolling"],{"version-rolling.mask":"1fffe000","version-rolling.min-bit-count":"2"}]}', { ...configure, id: 1, extensions: ['version-rolling'], versionMask: 0x1fffe000 }],
  ['S9: min-bit-count as a number', '{"id":1,"method":"mining.configure","params":[["version-rolling"],{"version-rolling.min-bit-count":2,"version-rolling.mask":"00c00000"}]}', { ...configure, id: 1, extensions: ['version-rolling'], versionMask: 0x00c00000 }],
  ['WhatsMiner: no min-bit-count, no mask', '{"id":1,"method":"mining.configure","params":[["version-rolling"],{}]}', { ...configure, id: 1, extensions: ['version-rolling'] }],
  ['device identity by the info extension', '{"id":1,"method":"mining.configure","params":[["info"],{"info.hw-id":"ab12","info.sw-version":"2.1","info.x":"y"}]}', { ...configure, id: 1, extensions: ['info'], info: { 'hw-id': 'ab12', 'sw-version': '2.1' } }],
  ['Braiins OS: subscribe with four elements', '{"id":2,"method":"mining.subscribe","params":["Braiins OS 23.12",null,"pool.example:3333",null]}', { ...subscribe, id: 2, userAgent: 'Braiins OS 23.12' }],
  ['LuxOS: long composite user agent', '{"id":2,"method":"mining.subscribe","params":["Antminer S19k Pro|LUXminer 2025.7.10|x",null,"pool.example:3333",null]}', { ...subscribe, id: 2, userAgent: 'Antminer S19k Pro|LUXminer 2025.7.10|x' }],
  ['WhatsMiner: session string of odd length', '{"id":2,"method":"mining.subscribe","params":["whatsminer/v1.0","b08cf00d1"]}', { ...subscribe, id: 2, userAgent: 'whatsminer/v1.0', sessionId: 'b08cf00d1' }],
  ['NiceHash: time stamp and mark', '{"id":1,"method":"mining.subscribe","params":["NiceHash/1.0.0","1567503614000","ab12"]}', { ...subscribe, id: 1, userAgent: 'NiceHash/1.0.0', sessionId: '1567503614000' }],
  ['S9: multi_version before BIP 310', '{"id":5,"method":"mining.multi_version","params":[4]}', { kind: 'unsupported', id: 5, method: 'mining.multi_version', silent: false }],
  ['Bitmain #xnsub, Bitaxe: extranonce.subscribe', '{"id":5,"method":"mining.extranonce.subscribe","params":[]}', { kind: 'extranonce-subscribe', id: 5 }],
  ['Bitaxe: ping answered by a method', '{"id":7,"method":"pong","params":[]}', { kind: 'pong' }],
  ['cgminer: ping answered by a result', '{"id":7,"result":"pong","error":null}', { kind: 'response', id: 7 }],
  ['cgminer: answer to get_version', '{"id":8,"result":"cgminer/4.12","error":null}', { kind: 'response', id: 8 }],
  ['a machine that pings', '{"id":9,"method":"mining.ping","params":[]}', { kind: 'ping', id: 9 }],
  ['NerdMiner: nonce without leading zeros', '{"id":4,"method":"mining.submit","params":["a.b","1f","00000001","685468d7","2034c"]}', { ...share, id: 4, nonce: 0x2034c, versionBits: undefined }],
  ['NerdMiner: tiny difficulty', '{"id":3,"method":"mining.suggest_difficulty","params":[0.00015]}', { kind: 'suggest-difficulty', id: 3, difficulty: 0.00015 }],
  ['BFGMiner: suggest_target before subscribe, id null', '{"id":null,"method":"mining.suggest_target","params":["00000000ffff0000000000000000000000000000000000000000000000000000"]}', { kind: 'suggest-target', id: null, difficulty: 1 }],
  ['BFGMiner: string id', '{"id":"txlist1f","method":"mining.get_transactions","params":["1f"]}', { kind: 'get-transactions', id: 'txlist1f' }],
  ['BFGMiner #goalreset: capabilities', '{"id":1,"method":"mining.capabilities","params":[{"notify":[],"malgo":"SHA256d"}]}', { kind: 'unsupported', id: 1, method: 'mining.capabilities', silent: false }],
  ['ckpool client: get_txnhashes', '{"id":1,"method":"mining.get_txnhashes","params":["1f"]}', { kind: 'unsupported', id: 1, method: 'mining.get_txnhashes', silent: false }],
  ['btcagent: capabilities', '{"id":"agent.get_capabilities","method":"agent.get_capabilities","params":[]}', { kind: 'unsupported', id: 'agent.get_capabilities', method: 'agent.get_capabilities', silent: false }],
  ['another ecosystem: login', '{"id":1,"jsonrpc":"2.0","method":"login","params":{"login":"x","pass":"y"}}', { kind: 'unsupported', id: 1, method: 'login', silent: false }],
  ['another ecosystem: eth_submitHashrate', '{"id":1,"method":"eth_submitHashrate","params":["0x1","0x2"]}', { kind: 'unsupported', id: 1, method: 'eth_submitHashrate', silent: false }],
  ['SRI: ntime and nonce as JSON numbers', '{"id":4,"method":"mining.submit","params":["a.b","1f","00000001",1750362327,1968309068]}', { ...share, id: 4, ntime: 1750362327, nonce: 1968309068, versionBits: undefined }],
  ['password absent', '{"id":3,"method":"mining.authorize","params":["a.b"]}', { kind: 'authorize', id: 3, username: 'a.b', password: '' }],
  ['password null', '{"id":3,"method":"mining.authorize","params":["a.b",null]}', { kind: 'authorize', id: 3, username: 'a.b', password: '' }],
  ['password as a number', '{"id":3,"method":"mining.authorize","params":["a.b",123]}', { kind: 'authorize', id: 3, username: 'a.b', password: '123' }],
  ['percent-encoded name is kept raw', '{"id":3,"method":"mining.authorize","params":["a%2Eb%20c","x"]}', { kind: 'authorize', id: 3, username: 'a%2Eb%20c', password: 'x' }],
  ['UTF-8 name', '{"id":3,"method":"mining.authorize","params":["矿场.机器-ü","x"]}', { kind: 'authorize', id: 3, username: '矿场.机器-ü', password: 'x' }],
  ['name with +N behind it', '{"id":3,"method":"mining.authorize","params":["bc1qx+1024","x"]}', { kind: 'authorize', id: 3, username: 'bc1qx+1024', password: 'x' }],

  // §13.1
  ['subscribe [agent, null]', '{"id":1,"method":"mining.subscribe","params":["x",null]}', { ...subscribe, id: 1, userAgent: 'x' }],
  ['subscribe without params', '{"id":1,"method":"mining.subscribe","params":[]}', { ...subscribe, id: 1 }],
  ['subscribe without the member', '{"id":1,"method":"mining.subscribe"}', { ...subscribe, id: 1 }],
  ['malformed extranonce1 as session', '{"id":1,"method":"mining.subscribe","params":["x",{"a":1}]}', { ...subscribe, id: 1, userAgent: 'x' }],
  ['minimum-difficulty alone', '{"id":1,"method":"mining.configure","params":[["minimum-difficulty"],{"minimum-difficulty.value":2048}]}', { ...configure, id: 1, extensions: ['minimum-difficulty'], minimumDifficulty: 2048 }],
  ['subscribe-extranonce alone, no object', '{"id":1,"method":"mining.configure","params":[["subscribe-extranonce"]]}', { ...configure, id: 1, extensions: ['subscribe-extranonce'] }],
  ['suggest_difficulty with a bare number', '{"id":1,"method":"mining.suggest_difficulty","params":1000}', { kind: 'suggest-difficulty', id: 1, difficulty: 1000 }],
  ['suggest_difficulty without id', '{"method":"mining.suggest_difficulty","params":[512]}', { kind: 'suggest-difficulty', id: null, difficulty: 512 }],
  ['suggest_difficulty as text', '{"id":1,"method":"mining.suggest_difficulty","params":["512"]}', { kind: 'suggest-difficulty', id: 1, difficulty: 512 }],
  ['suggest_difficulty inside the method name', '{"id":1,"method":"mining.suggest_difficulty(123)","params":[]}', { kind: 'suggest-difficulty', id: 1, difficulty: 123 }],
  ['suggest_difficulty of nothing', '{"id":1,"method":"mining.suggest_difficulty","params":[]}', { kind: 'malformed', id: 1, reason: 'mining.suggest_difficulty needs a positive number' }],
  ['remote desktop', '\u0003\u0000\u0000/*\u00e0\u0000\u0000\u0000\u0000\u0000Cookie: mstshash=Administr', { kind: 'garbage', reason: 'rdp' }],
  ['browser', 'GET / HTTP/1.1', { kind: 'garbage', reason: 'http' }],
  ['TLS hello', '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\ufffd\u0003\u0003', { kind: 'garbage', reason: 'tls' }],
  ['btcagent binary message', '\u007f\u0001\u0010\u0000', { kind: 'garbage', reason: 'binary' }],
  ['half a message', '{"id":1,"method":"mining.sub', { kind: 'garbage', reason: 'not-json' }],
  ['a batch', '[{"id":1,"method":"mining.subscribe","params":[]}]', { kind: 'garbage', reason: 'not-object' }],
  ['6th parameter without negotiation is just there', '{"id":4,"method":"mining.submit","params":["a.b","1f","00000001","685468d7","7552034c","00b44000"]}', { ...share, id: 4, versionBits: 0x00b44000 }],
  ['old firmware submitting c0000000', '{"id":4,"method":"mining.submit","params":["a.b","1f","00000001","685468d7","7552034c","c0000000"]}', { ...share, id: 4, versionBits: 0xc0000000 }],
  ['6th parameter null', '{"id":4,"method":"mining.submit","params":["a.b","1f","00000001","685468d7","7552034c",null]}', { ...share, id: 4, versionBits: undefined }],
  ['upper-case hex', '{"id":4,"method":"mining.submit","params":["a.b","1f","0000ABCD","685468D7","7552034C"]}', { ...share, id: 4, extranonce2: '0000abcd', versionBits: undefined }],
  ['an unknown notification', '{"method":"mining.hashrate","params":[]}', { kind: 'unsupported', id: null, method: 'mining.hashrate', silent: true }],
  ['an unknown request with id null waits for its answer', '{"id":null,"method":"mining.hashrate","params":[]}', { kind: 'unsupported', id: null, method: 'mining.hashrate', silent: false }],
];

const POOLS: readonly (readonly [oddity: string, line: string, message: object])[] = [
  ['notification without id', '{"method":"mining.set_difficulty","params":[8192]}', { kind: 'set-difficulty', difficulty: '8192' }],
  ['result without error', '{"id":1,"result":true}', { kind: 'response', id: 1, ok: true, result: true, code: '', text: '' }],
  ['fractional difficulty 16383.75', '{"id":null,"method":"mining.set_difficulty","params":[16383.75]}', { kind: 'set-difficulty', difficulty: '16383.75' }],
  ['fractional difficulty 0.087273', '{"params":[ 0.087273 ],"id":null,"method":"mining.set_difficulty"}', { kind: 'set-difficulty', difficulty: '0.087273' }],
  ['more digits than a double holds', '{"id":null,"method":"mining.set_difficulty","params":[0.10000000000000000000001]}', { kind: 'set-difficulty', difficulty: '0.10000000000000000000001' }],
  ['trailing zeros are kept', '{"id":null,"method":"mining.set_difficulty","params":[512.0]}', { kind: 'set-difficulty', difficulty: '512.0' }],
  ['difficulty as text', '{"id":null,"method":"mining.set_difficulty","params":["1024"]}', { kind: 'set-difficulty', difficulty: '1024' }],
  ['difficulty 0', '{"id":null,"method":"mining.set_difficulty","params":[0]}', { kind: 'malformed', reason: 'mining.set_difficulty without a positive number' }],
  ['set_extranonce pushed although never subscribed', '{"id":null,"method":"mining.set_extranonce","params":["4128064f",4]}', { kind: 'set-extranonce', extranonce1: Uint8Array.of(0x41, 0x28, 6, 0x4f), extranonce2Bytes: 4 }],
  ['extranonce.subscribe answered with code −3', '{"id":5,"result":null,"error":[-3,"Method \'subscribe\' not found for service \'mining.extranonce\'",null]}', { kind: 'response', id: 5, ok: false, result: null, code: '-3', text: "Method 'subscribe' not found for service 'mining.extranonce'" }],
  ['result false with error null', '{"id":4,"result":false,"error":null}', { kind: 'response', id: 4, ok: false, result: false, code: '', text: '' }],
  ['AntPool refuses a suggestion', '{"id":6,"result":null,"error":[40,"unfit, ignore",null]}', { kind: 'response', id: 6, ok: false, result: null, code: '40', text: 'unfit, ignore' }],
  ['btcpool: reconnect without params', '{"id":null,"method":"client.reconnect","params":[]}', { kind: 'reconnect', host: undefined, port: undefined, waitMs: 0 }],
  ['reconnect with a port as text', '{"id":null,"method":"client.reconnect","params":["stratum2.pool.example","3333",5]}', { kind: 'reconnect', host: 'stratum2.pool.example', port: 3333, waitMs: 5000 }],
  ['ckpool: show_message', '{"id":null,"method":"client.show_message","params":["hello"]}', { kind: 'show-message', text: 'hello' }],
  ['get_version', '{"id":12,"method":"client.get_version","params":[]}', { kind: 'get-version', id: 12 }],
  ['ping', '{"id":13,"method":"mining.ping","params":[]}', { kind: 'ping', id: 13 }],
  ['set_goal is not for us', '{"id":null,"method":"mining.set_goal","params":["x",{"malgo":"SHA256d"}]}', { kind: 'unsupported', id: null, method: 'mining.set_goal' }],
  ['mask changed by the pool', '{"id":null,"method":"mining.set_version_mask","params":["1fffffe0"]}', { kind: 'set-version-mask', versionMask: 0x1fffffe0 }],
  ['not JSON at all', '<html>', { kind: 'malformed', reason: 'not JSON' }],
];

describe('machines', () => {
  it.each(MACHINES)('%s', (_, line, message) => {
    expect(parseDownstream(line, PARAMS_MAX)).toEqual(message);
  });
});

describe('pools', () => {
  it.each(POOLS)('%s', (_, line, message) => {
    expect(parseUpstream(line)).toEqual(message);
  });

  it('a pool that grants 5fffe000 to a request of 00c00000 (AntPool) is read as it says', () => {
    const result = { 'version-rolling': true, 'version-rolling.mask': '5fffe000' };
    expect(readConfigureResult(result)).toEqual({ versionMask: 0x5fffe000 });
  });

  it.each([[{ 'version-rolling': false }], [{ 'version-rolling': 'no' }], [{ 'version-rolling': true }], [null], [true], [[]]])(
    'a configure result of %j grants no bits',
    (result) => {
      expect(readConfigureResult(result)).toEqual({ versionMask: 0 });
    },
  );

  it('an empty list of subscriptions (Braiins Pool) is fine', () => {
    expect(readSubscribeResult([[], '11650804a6c84c', 8])).toEqual({
      extranonce1: Uint8Array.from(Buffer.from('11650804a6c84c', 'hex')),
      extranonce2Bytes: 8,
    });
  });

  it.each([[null], [[]], [[[], 'zz', 4]], [[[], '00', -1]], [[[], '00', 33]], [[[], '00', 1.5]], [[[], '00'.repeat(33), 4]]])(
    'a subscribe result of %j is refused with a reason',
    (result) => {
      expect(readSubscribeResult(result)).toHaveProperty('reason');
    },
  );
});

describe('answers that firmware looks at closely', () => {
  it('Bitaxe finds mining.notify in the first 1023 bytes of the subscribe answer', () => {
    const line = formatSubscribeResult(2, 'a'.repeat(32), '4128064f', 4);
    expect(line.slice(0, 1023)).toContain('mining.notify');
    expect(JSON.parse(line)).toEqual({
      id: 2,
      result: [[['mining.set_difficulty', 'a'.repeat(32)], ['mining.notify', 'a'.repeat(32)]], '4128064f', 4],
      error: null,
    });
  });

  it('every requested extension gets its member, the same one twice only once', () => {
    const grant = { versionMask: 0x1fffe000, minimumDifficulty: true, subscribeExtranonce: false };
    const names = ['version-rolling', 'minimum-difficulty', 'subscribe-extranonce', 'info', 'x-unknown', 'version-rolling', '__proto__'];
    expect(Object.entries(JSON.parse(formatConfigureResult('a"b', names, grant)).result)).toEqual([
      ['version-rolling', true],
      ['version-rolling.mask', '1fffe000'],
      ['minimum-difficulty', true],
      ['subscribe-extranonce', false],
      ['info', true],
      ['x-unknown', false],
      ['__proto__', false],
    ]);
  });

  it('no mask is granted that upstream has not', () => {
    const grant = { versionMask: 0, minimumDifficulty: false, subscribeExtranonce: false };
    expect(formatConfigureResult(1, ['version-rolling'], grant)).toBe('{"id":1,"result":{"version-rolling":false},"error":null}\n');
  });
});

describe('options in the password', () => {
  it.each([
    ['x', undefined, undefined],
    ['', undefined, undefined],
    ['d=64', 64, undefined],
    ['x,d=65536', 65536, undefined],
    ['x;diff=1024;md=512', 1024, 512],
    ['sd=2048,h=5', undefined, undefined, 2048],
    ['d=64;md=8;sd=16', 64, 8, 16],
    ['D=16383.75', 16383.75, undefined],
    [' d = 8 , md= 4 ', 8, 4],
    ['d=1,d=2', 2, undefined],
    ['d=0', undefined, undefined],
    ['d=-5', undefined, undefined],
    ['d=x', undefined, undefined],
    ['id=7', undefined, undefined],
    ['d=1e9', undefined, undefined],
  ])('%j', (password, difficulty, minimumDifficulty, startDifficulty?) => {
    expect(passwordOptions(password)).toEqual({ difficulty, startDifficulty, minimumDifficulty });
  });
});
