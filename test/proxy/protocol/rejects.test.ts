/** Every way a pool is known to say no, through the parser to the closed set. */
import { describe, expect, expectTypeOf, it } from 'vitest';
import { OWN_VERDICTS, POOL_REASONS, type PoolReason, type RejectVerdict } from '../../../proxy/mining/verdict.ts';
import { rejectReply } from '../../../proxy/protocol/downstream.ts';
import { parseUpstream, poolReason } from '../../../proxy/protocol/upstream.ts';

const ROWS: readonly (readonly [answer: object, reason: PoolReason, code: string, text: string])[] = [
  // ckpool
  [{ error: [20, 'Ntime out of range', null] }, 'bad-time', '20', 'Ntime out of range'],
  [{ error: [20, 'Invalid version mask', null] }, 'bad-version', '20', 'Invalid version mask'],
  [{ error: [20, 'No workbase', null] }, 'other', '20', 'No workbase'],
  [{ error: [20, 'Invalid nonce2 length', null] }, 'other', '20', 'Invalid nonce2 length'],
  [{ error: [20, 'No nonce', null] }, 'other', '20', 'No nonce'],
  [{ error: [20, 'No ntime', null] }, 'other', '20', 'No ntime'],
  [{ error: [20, 'No nonce2', null] }, 'other', '20', 'No nonce2'],
  [{ error: [20, 'No job_id', null] }, 'other', '20', 'No job_id'],
  [{ error: [20, 'No username', null] }, 'other', '20', 'No username'],
  [{ error: [20, 'Invalid array size', null] }, 'other', '20', 'Invalid array size'],
  [{ error: [20, 'Params not array', null] }, 'other', '20', 'Params not array'],
  [{ error: [21, 'Invalid JobID', null] }, 'stale', '21', 'Invalid JobID'],
  [{ error: [21, 'Stale', null] }, 'stale', '21', 'Stale'],
  [{ error: [22, 'Duplicate', null] }, 'duplicate', '22', 'Duplicate'],
  [{ error: [23, 'Above target', null] }, 'low-difficulty', '23', 'Above target'],
  [{ error: [24, 'Worker mismatch', null] }, 'unauthorised', '24', 'Worker mismatch'],
  [{ result: false, error: null, 'reject-reason': 'Above target' }, 'low-difficulty', '', 'Above target'],
  [{ result: false, 'reject-reason': 'Stale' }, 'stale', '', 'Stale'],
  // stratum-pool / NOMP
  [{ error: [20, 'incorrect size of extranonce2', null] }, 'other', '20', 'incorrect size of extranonce2'],
  [{ error: [20, 'incorrect size of ntime', null] }, 'other', '20', 'incorrect size of ntime'],
  [{ error: [20, 'ntime out of range', null] }, 'bad-time', '20', 'ntime out of range'],
  [{ error: [21, 'job not found', null] }, 'stale', '21', 'job not found'],
  [{ error: [22, 'duplicate share', null] }, 'duplicate', '22', 'duplicate share'],
  [{ error: [23, 'low difficulty share of 0.5', null] }, 'low-difficulty', '23', 'low difficulty share of 0.5'],
  [{ error: [24, 'unauthorized worker', null] }, 'unauthorised', '24', 'unauthorized worker'],
  [{ error: [25, 'not subscribed', null] }, 'other', '25', 'not subscribed'],
  // datum
  [{ error: [20, 'unknown-work', null] }, 'stale', '20', 'unknown-work'],
  [{ error: [21, 'stale-work', null] }, 'stale', '21', 'stale-work'],
  [{ error: [21, 'stale-prevblk', null] }, 'stale', '21', 'stale-prevblk'],
  [{ error: [21, 'time-too-old', null] }, 'bad-time', '21', 'time-too-old'],
  [{ error: [21, 'time-too-new', null] }, 'bad-time', '21', 'time-too-new'],
  [{ error: [22, 'duplicate', null] }, 'duplicate', '22', 'duplicate'],
  [{ error: [23, 'high-hash', null] }, 'low-difficulty', '23', 'high-hash'],
  [{ error: [23, 'H-not-zero', null] }, 'low-difficulty', '23', 'H-not-zero'],
  [{ error: [23, 'bad-version', null] }, 'bad-version', '23', 'bad-version'],
  [{ error: [-3, 'Method not found', null] }, 'other', '-3', 'Method not found'],
  // NiceHash, AntPool
  [{ error: [20, 'Not supported.', null] }, 'other', '20', 'Not supported.'],
  [{ error: [40, 'unfit, ignore', null] }, 'other', '40', 'unfit, ignore'],
  // btcpool, by text and by number alone
  [{ error: [21, 'Job not found (=stale)', null] }, 'stale', '21', 'Job not found (=stale)'],
  [{ error: [26, 'Illegal method', null] }, 'other', '26', 'Illegal method'],
  [{ error: [27, 'Illegal params', null] }, 'other', '27', 'Illegal params'],
  [{ error: [28, 'Ip banned', null] }, 'other', '28', 'Ip banned'],
  [{ error: [29, 'Invalid username', null] }, 'unauthorised', '29', 'Invalid username'],
  [{ error: [30, 'Internal error', null] }, 'other', '30', 'Internal error'],
  [{ error: [31, 'Time too old', null] }, 'bad-time', '31', 'Time too old'],
  [{ error: [32, 'Time too new', null] }, 'bad-time', '32', 'Time too new'],
  [{ error: [33, 'Invalid version mask', null] }, 'bad-version', '33', 'Invalid version mask'],
  [{ error: [36, 'Job not found', null] }, 'stale', '36', 'Job not found'],
  [{ error: [37, 'Stale share', null] }, 'stale', '37', 'Stale share'],
  [{ error: [31] }, 'bad-time', '31', ''],
  [{ error: [33] }, 'bad-version', '33', ''],
  [{ error: 37 }, 'stale', '37', ''],
  // ckpool's internal numbers, para's negative ones
  [{ error: [1, '', null] }, 'stale', '1', ''],
  [{ error: [2] }, 'stale', '2', ''],
  [{ error: [3] }, 'bad-time', '3', ''],
  [{ error: [4] }, 'duplicate', '4', ''],
  [{ error: [5] }, 'low-difficulty', '5', ''],
  [{ error: [6] }, 'bad-version', '6', ''],
  [{ error: [7] }, 'other', '7', ''],
  [{ error: [-3, 'Unauthorized', null] }, 'unauthorised', '-3', 'Unauthorized'],
  [{ error: { code: -8, message: 'Worker mismatch' } }, 'unauthorised', '-8', 'Worker mismatch'],
  [{ error: { code: -9, message: 'Invalid nonce2 length' } }, 'other', '-9', 'Invalid nonce2 length'],
  [{ error: { code: -10, message: 'Method not allowed' } }, 'other', '-10', 'Method not allowed'],
  [{ error: { code: -12, message: 'pool full' } }, 'other', '-12', 'pool full'],
  // words inside other words
  [{ error: [24, 'Unknown worker', null] }, 'unauthorised', '24', 'Unknown worker'],
  [{ error: 'Worker not found' }, 'unauthorised', '', 'Worker not found'],
  [{ error: { message: 'job_id not found' } }, 'stale', '', 'job_id not found'],
  // the shapes of §1 and §13.1
  [{ error: { code: 23, message: 'Low difficulty' } }, 'low-difficulty', '23', 'Low difficulty'],
  [{ error: { message: 'Low difficulty share' } }, 'low-difficulty', '', 'Low difficulty share'],
  [{ error: { what: 1 } }, 'other', '', '{"what":1}'],
  [{ error: 'Stale share' }, 'stale', '', 'Stale share'],
  [{ error: '21' }, 'stale', '', '21'],
  [{ error: ['21', 'x', null] }, 'stale', '21', 'x'],
  [{ error: ['-5', '', null] }, 'other', '-5', ''],
  [{ error: "(-2, 'Stale share', None)" }, 'stale', '', "(-2, 'Stale share', None)"],
  [{ error: "(22, 'x', None)" }, 'duplicate', '', "(22, 'x', None)"],
  [{ result: true, error: [21, 'Job not found', null] }, 'stale', '21', 'Job not found'],
  [{ result: true, error: 'duplicate' }, 'duplicate', '', 'duplicate'],
  [{ result: false, error: null }, 'other', '', ''],
  [{ result: null, error: null }, 'other', '', ''],
  [{ result: false }, 'other', '', ''],
  [{ error: [] }, 'other', '', ''],
];

describe('poolReason', () => {
  it.each(ROWS)('%j', (answer, reason, code, text) => {
    const message = parseUpstream(JSON.stringify({ id: 4, ...answer }));
    expect(message).toMatchObject({ kind: 'response', id: 4, ok: false, code, text });
    expect(poolReason(code, text)).toBe(reason);
  });

  it('an accepted share has no reason to be asked for', () => {
    expect(parseUpstream('{"id":4,"result":true,"error":null}')).toMatchObject({ ok: true, code: '', text: '' });
    expect(parseUpstream('{"id":4,"result":true,"error":false}')).toMatchObject({ ok: true });
  });

  it('a text longer than the journal wants is cut, not refused', () => {
    const message = parseUpstream(JSON.stringify({ id: 4, result: null, error: [23, 'x'.repeat(5000), null] }));
    expect(message).toMatchObject({ text: 'x'.repeat(1024) });
  });

  it('speaks the words of the journal', () => {
    expectTypeOf(poolReason).returns.toExtend<PoolReason>();
    const words: readonly string[] = POOL_REASONS;
    for (const [, reason] of ROWS) expect(words).toContain(reason);
  });
});

describe('rejectReply', () => {
  it.each([
    ['stale', 21],
    ['unknown-job', 21],
    ['duplicate', 22],
    ['low-difficulty', 23],
    ['unauthorised', 24],
    ['malformed', 20],
    ['bad-time', 20],
    ['bad-version', 20],
    ['other', 20],
  ] as const)('%s is %i', (verdict, code) => {
    expect(rejectReply(verdict)).toMatchObject({ code, text: expect.stringMatching(/./) });
  });

  it('has an answer to every reject, and a pool\'s proxy would read it back', () => {
    expectTypeOf(rejectReply).parameter(0).toEqualTypeOf<RejectVerdict>();
    const rejects = OWN_VERDICTS.filter((verdict) => verdict !== 'accepted' && verdict !== 'courtesy');
    const readBack = rejects.map((verdict) => poolReason(String(rejectReply(verdict).code), rejectReply(verdict).text));
    const expected = rejects.map((verdict) => (verdict === 'unknown-job' ? 'stale' : verdict === 'malformed' ? 'other' : verdict));
    expect(readBack).toEqual(expected);
  });
});
