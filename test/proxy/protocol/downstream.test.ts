/** The downstream parser as a whole: nothing makes it throw, and what it formats it could read again. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatError,
  formatNotify,
  formatPing,
  formatPong,
  formatResult,
  formatSetDifficulty,
  formatSetExtranonce,
  formatSetVersionMask,
  formatTrue,
  notifyWire,
  parseDownstream,
  type Id,
} from '../../../proxy/protocol/downstream.ts';
import { parseUpstream } from '../../../proxy/protocol/upstream.ts';
import { SHARES } from '../mining/fixtures.ts';

const PARAMS_MAX = 16;
const METHODS = [
  'mining.configure',
  'mining.subscribe',
  'mining.authorize',
  'mining.submit',
  'mining.extranonce.subscribe',
  'mining.suggest_difficulty',
  'mining.suggest_difficulty(7)',
  'mining.suggest_target',
  'mining.get_transactions',
  'mining.ping',
  'pong',
  'mining.notify',
  'mining.set_difficulty',
  'mining.set_extranonce',
  'mining.set_version_mask',
  'client.reconnect',
  'client.show_message',
  'client.get_version',
  'constructor',
  '__proto__',
];

const anything = fc.anything({ maxDepth: 3, withNullPrototype: false });
const hexish = fc.oneof(fc.string({ unit: fc.constantFrom('0', '1', '9', 'a', 'f', 'A', 'F', 'g', ' ') }), fc.constantFrom('00000001', '685468d7', ''));
const envelopes = fc.record(
  {
    id: fc.oneof(fc.integer(), fc.string(), fc.constant(null), anything),
    method: fc.oneof(fc.constantFrom(...METHODS), fc.string()),
    params: fc.oneof(fc.array(fc.oneof(hexish, anything, fc.array(hexish)), { maxLength: 20 }), anything),
    result: anything,
    error: anything,
  },
  { requiredKeys: [] },
);

describe('no input makes a parser throw', () => {
  it('any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (line) => {
        expect(parseDownstream(line, PARAMS_MAX)).toHaveProperty('kind');
        expect(parseUpstream(line)).toHaveProperty('kind');
      }),
      { seed: 7, numRuns: 2000 },
    );
  });

  it('any JSON', () => {
    fc.assert(
      fc.property(fc.json(), (line) => {
        expect(parseDownstream(line, PARAMS_MAX)).toHaveProperty('kind');
        expect(parseUpstream(line)).toHaveProperty('kind');
      }),
      { seed: 8, numRuns: 2000 },
    );
  });

  it('any envelope of a known method', () => {
    fc.assert(
      fc.property(envelopes, (envelope) => {
        let line: string;
        try {
          line = JSON.stringify(envelope) ?? '';
        } catch {
          line = '{}'; // fc.anything may hold a bigint or a throwing toJSON
        }
        const message = parseDownstream(line, PARAMS_MAX);
        expect(message).toHaveProperty('kind');
        expect(parseUpstream(line)).toHaveProperty('kind');
        const id = 'id' in message ? message.id : null;
        expect(JSON.parse(formatTrue(id))).toEqual({ id, result: true, error: null });
      }),
      { seed: 9, numRuns: 5000 },
    );
  });

  it('nesting as deep as a line allows', () => {
    for (const line of ['['.repeat(16384), `{"params":${'['.repeat(8000)}${']'.repeat(8000)}}`]) {
      expect(parseDownstream(line, PARAMS_MAX)).toHaveProperty('kind');
      expect(parseUpstream(line)).toHaveProperty('kind');
    }
  });
});

describe('limits', () => {
  it('params: as many as allowed, and one more', () => {
    const line = (count: number): string => JSON.stringify({ id: 1, method: 'mining.subscribe', params: Array(count).fill(null) });
    expect(parseDownstream(line(PARAMS_MAX), PARAMS_MAX)).toMatchObject({ kind: 'subscribe' });
    expect(parseDownstream(line(PARAMS_MAX + 1), PARAMS_MAX)).toEqual({ kind: 'malformed', id: 1, reason: 'more than 16 params' });
  });

  it('extensions: as many as allowed, and one more', () => {
    const line = (count: number): string => JSON.stringify({ id: 1, method: 'mining.configure', params: [Array(count).fill('x'), {}] });
    expect(parseDownstream(line(PARAMS_MAX), PARAMS_MAX)).toMatchObject({ kind: 'configure' });
    expect(parseDownstream(line(PARAMS_MAX + 1), PARAMS_MAX)).toEqual({ kind: 'malformed', id: 1, reason: 'more than 16 extensions' });
  });
});

describe('an id', () => {
  it.each(['7', '-7', '1.5', '"txlist1"', '""', 'null', '12345678901234567890', '-9007199254740993'])('%s is echoed unchanged', (id) => {
    const message = parseDownstream(`{"id": ${id} ,"method":"mining.ping","params":["\\"id\\":1}"]}`, PARAMS_MAX);
    expect(message.kind).toBe('ping');
    expect(formatTrue((message as { id: Id }).id)).toBe(`{"id":${id},"result":true,"error":null}\n`);
  });
});

describe('malformed messages name their fault', () => {
  it.each([
    ['{"id":1}', 'malformed', 'a message needs a method'],
    ['{"id":1,"method":5}', 'malformed', 'a message needs a method'],
    ['{"id":1,"method":"mining.authorize","params":[]}', 'malformed', 'mining.authorize needs a user name'],
    ['{"id":1,"method":"mining.authorize","params":{"user":"x"}}', 'malformed', 'mining.authorize needs a user name'],
    ['{"id":1,"method":"mining.configure","params":["version-rolling"]}', 'malformed', 'mining.configure needs a list of extension names'],
    ['{"id":1,"method":"mining.configure","params":[[1]]}', 'malformed', 'mining.configure needs a list of extension names'],
    ['{"id":1,"method":"mining.suggest_target","params":["0"]}', 'malformed', 'mining.suggest_target needs a target of 64 hex digits'],
    ['{"id":1,"method":"mining.suggest_difficulty(x)","params":[]}', 'malformed', 'mining.suggest_difficulty needs a positive number'],
    ['{"id":1,"method":"mining.submit"}', 'bad-submit', 'Invalid array size'],
    ['{"id":1,"method":"mining.submit","params":["a","j","00","685468d7"]}', 'bad-submit', 'Invalid array size'],
    ['{"id":1,"method":"mining.submit","params":["a","j","00","685468d7","0","0","0"]}', 'bad-submit', 'Invalid array size'],
    ['{"id":1,"method":"mining.submit","params":[1,"j","00","685468d7","0"]}', 'bad-submit', 'No username'],
    ['{"id":1,"method":"mining.submit","params":["a",7,"00","685468d7","0"]}', 'bad-submit', 'No job_id'],
    ['{"id":1,"method":"mining.submit","params":["a","j","zz","685468d7","0"]}', 'bad-submit', 'Invalid nonce2'],
    ['{"id":1,"method":"mining.submit","params":["a","j","000","685468d7","0"]}', 'bad-submit', 'Invalid nonce2'],
    ['{"id":1,"method":"mining.submit","params":["a","j",0,"685468d7","0"]}', 'bad-submit', 'Invalid nonce2'],
    ['{"id":1,"method":"mining.submit","params":["a","j","00","85468d7","0"]}', 'bad-submit', 'Invalid ntime'],
    ['{"id":1,"method":"mining.submit","params":["a","j","00",-1,"0"]}', 'bad-submit', 'Invalid ntime'],
    ['{"id":1,"method":"mining.submit","params":["a","j","00","685468d7",""]}', 'bad-submit', 'Invalid nonce'],
    ['{"id":1,"method":"mining.submit","params":["a","j","00","685468d7","123456789"]}', 'bad-submit', 'Invalid nonce'],
    ['{"id":1,"method":"mining.submit","params":["a","j","00","685468d7",4294967296]}', 'bad-submit', 'Invalid nonce'],
    ['{"id":1,"method":"mining.submit","params":["a","j","00","685468d7","0","x"]}', 'bad-submit', 'Invalid version bits'],
  ])('%s', (line, kind, reason) => {
    expect(parseDownstream(line, PARAMS_MAX)).toMatchObject({ kind, id: 1, reason });
  });

  it('a bad submit keeps what it says of itself', () => {
    const line = '{"id":9,"method":"mining.submit","params":["a.b","1f","x","685468d7","0"]}';
    expect(parseDownstream(line, PARAMS_MAX)).toMatchObject({ username: 'a.b', jobId: '1f' });
    expect(parseDownstream('{"id":9,"method":"mining.submit","params":[{},[]]}', PARAMS_MAX)).toMatchObject({
      username: undefined,
      jobId: undefined,
    });
  });
});

describe('formats', () => {
  it('answers echo any id', () => {
    for (const id of [0, 4, -1, 1.5, 'txlist"1', '', null]) {
      expect(JSON.parse(formatTrue(id))).toEqual({ id, result: true, error: null });
      expect(JSON.parse(formatResult(id, ['x', 1]))).toEqual({ id, result: ['x', 1], error: null });
      expect(JSON.parse(formatError(id, 23, 'Above "target"'))).toEqual({ id, result: null, error: [23, 'Above "target"', null] });
      expect(JSON.parse(formatPong(id))).toEqual({ id, result: 'pong', error: null });
      expect(JSON.parse(formatPing(id))).toEqual({ id, method: 'mining.ping', params: [] });
    }
  });

  it('every line ends in one line feed and has no other', () => {
    const lines = [
      formatTrue(1),
      formatError('a\nb', 20, 'x\ny'),
      formatSetDifficulty(16),
      formatSetVersionMask(0x1fffe000),
      formatSetExtranonce('4128064f', 4),
      formatPing(null),
    ];
    for (const line of lines) expect(line.indexOf('\n')).toBe(line.length - 1);
  });

  it('notifications carry id null, which LuxOS insists on', () => {
    const wire = { prevhash: '00', coinb1: '00', coinb2: '00', branches: [], version: '20000000', nBits: '1d00ffff' };
    const lines = [
      formatNotify('1f', wire, 5, true),
      formatSetDifficulty(0),
      formatSetExtranonce('00', 4),
      formatSetVersionMask(0),
    ];
    for (const line of lines) expect(JSON.parse(line)).toHaveProperty('id', null);
    expect(lines[0]).toBe(
      '{"id":null,"method":"mining.notify","params":["1f","00","00","00",[],"20000000","1d00ffff","00000005",true]}\n',
    );
  });

  it.each([
    [0, '1'],
    [16, '65536'],
    [53, '9007199254740992'],
    [62, '4611686018427387904'],
    [-1, '0.5'],
    [-20, '0.00000095367431640625'],
    [-32, '0.00000000023283064365386962890625'],
  ])('difficulty 2^%i is written out in full', (exponent, digits) => {
    const line = formatSetDifficulty(exponent);
    expect(line).toBe(`{"id":null,"method":"mining.set_difficulty","params":[${digits}]}\n`);
    expect(parseUpstream(line)).toEqual({ kind: 'set-difficulty', difficulty: digits });
    expect(Number(digits)).toBe(2 ** exponent);
  });

  it.each(SHARES)('the job of $name goes through parser and formatter unchanged', ({ notifyParams }) => {
    const message = parseUpstream(JSON.stringify({ id: null, method: 'mining.notify', params: notifyParams }));
    if (message.kind !== 'notify') throw new Error(JSON.stringify(message));
    const line = formatNotify(message.poolJobId, notifyWire(message), message.ntime, message.clean);
    expect(JSON.parse(line)).toEqual({ id: null, method: 'mining.notify', params: notifyParams });
  });
});
