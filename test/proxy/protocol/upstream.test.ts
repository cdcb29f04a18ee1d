/** The upstream side: jobs that must be refused, requests we write, and whom a reconnect may lead to. */
import { describe, expect, it } from 'vitest';
import { parseUpstream, formatRequest, formatSubmit, sameRegistrableDomain } from '../../../proxy/protocol/upstream.ts';
import { parseDownstream } from '../../../proxy/protocol/downstream.ts';
import { vector } from '../mining/fixtures.ts';

const GOOD = vector('public-pool-bitaxe-gamma-bm1370').notifyParams;
const notify = (params: readonly unknown[]): string => JSON.stringify({ id: null, method: 'mining.notify', params });

describe('mining.notify', () => {
  it('gives bytes in header order', () => {
    const message = parseUpstream(notify(GOOD));
    if (message.kind !== 'notify') throw new Error(JSON.stringify(message));
    expect(Buffer.from(message.prevhash).toString('hex').slice(0, 16)).toBe('fd55646bc162b96d');
    expect(message).toMatchObject({ poolJobId: '875b4b7', version: 0x20000000, nBits: 0x17023a04, ntime: 0x685468d7, clean: false });
    expect(message.branches).toHaveLength(12 * 32);
  });

  it.each([
    ['eight params mean not clean', GOOD.slice(0, 8), false],
    ['the last of more than nine is clean_jobs', [...GOOD.slice(0, 8), 'extra', true], true],
    ['1 is true', GOOD.with(8, 1 as never), true],
    ['null is not', GOOD.with(8, null as never), false],
  ])('%s', (_, params, clean) => {
    expect(parseUpstream(notify(params))).toMatchObject({ kind: 'notify', clean });
  });

  it('takes a job id that is a number', () => {
    expect(parseUpstream(notify(GOOD.with(0, 17 as never)))).toMatchObject({ poolJobId: '17' });
  });

  it.each([
    ['too few params', GOOD.slice(0, 7)],
    ['no job id', GOOD.with(0, null as never)],
    ['a short prevhash', GOOD.with(1, '00')],
    ['coinb1 that is not hex', GOOD.with(2, 'xyz')],
    ['coinb2 of odd length', GOOD.with(3, '123')],
    ['branches that are no list', GOOD.with(4, 'x')],
    ['a short branch', GOOD.with(4, ['00'])],
    ['33 branches', GOOD.with(4, Array<string>(33).fill('00'.repeat(32)))],
    ['a version that is not hex', GOOD.with(5, 'x')],
    ['nbits as a number', GOOD.with(6, 5 as never)],
    ['an empty ntime', GOOD.with(7, '')],
  ])('%s is refused with a reason', (_, params) => {
    expect(parseUpstream(notify(params))).toMatchObject({ kind: 'malformed', reason: expect.stringContaining('mining.notify') });
  });

  it('32 branches are still taken', () => {
    expect(parseUpstream(notify(GOOD.with(4, Array<string>(32).fill('00'.repeat(32)))))).toMatchObject({ kind: 'notify' });
  });
});

describe('other malformed lines', () => {
  it.each([
    '[]',
    '5',
    '{"id":1}',
    '{"id":null,"method":"mining.set_difficulty","params":[]}',
    '{"id":null,"method":"mining.set_difficulty","params":[-5]}',
    '{"id":null,"method":"mining.set_difficulty","params":["1e999999999"]}',
    '{"id":null,"method":"mining.set_difficulty","params":[1e400]}',
    '{"id":null,"method":"mining.set_extranonce","params":["0",4]}',
    '{"id":null,"method":"mining.set_extranonce","params":["00"]}',
    '{"id":null,"method":"mining.set_version_mask","params":["x"]}',
  ])('%s', (line) => {
    expect(parseUpstream(line)).toMatchObject({ kind: 'malformed', reason: expect.stringMatching(/./) });
  });

  it.each([
    ['an error text', '{"id":16,"result":null,"error":[20,@]}', { kind: 'response', code: '20', text: '(nested too deep to be shown)' }],
    ['an error code', '{"id":16,"result":null,"error":{"code":@,"message":"no"}}', { kind: 'response', code: '(nested too deep to be shown)', text: 'no' }],
    ['an error', '{"id":16,"result":null,"error":{"x":@}}', { kind: 'response', code: '', text: '(nested too deep to be shown)' }],
    ['a reject reason', '{"id":16,"result":false,"reject-reason":@}', { kind: 'response', text: '(nested too deep to be shown)' }],
    ['a message', '{"id":null,"method":"client.show_message","params":[@]}', { kind: 'show-message', text: '(nested too deep to be shown)' }],
    ['a job', '{"id":null,"method":"mining.notify","params":[@,@,@,@,@,@,@,@,@]}', { kind: 'malformed' }],
    ['a configure result', '{"id":1,"result":{"version-rolling":true,"version-rolling.mask":@}}', { kind: 'response', ok: true }],
  ])('%s may be nested far deeper than a stack', (_, line, message) => {
    expect(parseUpstream(line.replaceAll('@', `${'['.repeat(60_000)}${']'.repeat(60_000)}`))).toMatchObject(message);
  });

  it('an absurd reconnect is reduced to what it can mean', () => {
    const line = '{"id":null,"method":"client.reconnect","params":["  ",99999,1e12]}';
    expect(parseUpstream(line)).toEqual({ kind: 'reconnect', host: undefined, port: undefined, waitMs: 3_600_000 });
  });
});

describe('requests', () => {
  it('are single lines of JSON', () => {
    expect(formatRequest(3, 'mining.authorize', ['a"b', 'x\n'])).toBe('{"id":3,"method":"mining.authorize","params":["a\\"b","x\\n"]}\n');
  });

  it.each([undefined, 0, 0x00b44000, 0xffffffff])('a submit with bits %s is read back as written', (versionBits) => {
    const line = formatSubmit(4, 'acme."farm"', '875b4b7', '0000000117000000', 0x685468d7, 0x4c, versionBits);
    expect(parseDownstream(line.trimEnd(), 16)).toEqual({
      kind: 'submit',
      id: 4,
      username: 'acme."farm"',
      jobId: '875b4b7',
      extranonce2: '0000000117000000',
      ntime: 0x685468d7,
      nonce: 0x4c,
      versionBits,
    });
    expect(line).toContain('"0000004c"');
  });
});

describe('sameRegistrableDomain', () => {
  it.each([
    ['stratum.pool.example', 'eu.pool.example', true],
    ['pool.example', 'stratum.pool.example', true],
    ['POOL.example.', 'pool.example', true],
    ['a.pool.co.uk', 'b.pool.co.uk', true],
    ['pool.co.uk', 'evil.co.uk', false],
    ['pool.example', 'evil.example', false],
    ['pool.example', 'pool.example.evil.org', false],
    ['xpool.example', 'pool.example', false],
    ['10.0.0.1', '10.0.0.1', true],
    ['10.0.0.1', '10.1.0.1', false],
    ['1.10.0.1', '2.10.0.1', false],
    ['::1', '::1', true],
    ['2001:db8::1', '2001:db8::2', false],
    ['localhost', 'localhost', true],
    ['localhost', 'otherhost', false],
    ['co.uk', 'pool.co.uk', false],
    ['', '', false],
    ['..', 'a..', false],
  ])('%s and %s: %s', (a, b, same) => {
    expect(sameRegistrableDomain(a, b)).toBe(same);
    expect(sameRegistrableDomain(b, a)).toBe(same);
  });
});
