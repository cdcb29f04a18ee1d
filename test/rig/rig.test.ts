/** The rig against itself: machines mine at a simulated pool over real TCP, without the product between them. */
import { Transaction } from 'bitcoinjs-lib';
import { afterEach, describe, expect, it } from 'vitest';
import { realWorld, seededRandom } from '../../config/world.ts';
import { capturedShares } from './captured.ts';
import { ScriptedClient } from './client.ts';
import { FIRMWARES, type FirmwareName } from './firmware.ts';
import type { MachineOptions } from './machine-options.ts';
import { SimulatedMachine } from './machine.ts';
import { makeJob, makePrevhash } from './pool-jobs.ts';
import type { Convention, PoolOptions, RejectFormat } from './pool-options.ts';
import { SimulatedPool } from './pool.ts';
import { difficultyNumberTarget, difficultyTarget, powerOfTwoText } from './work.ts';

const stops: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

async function pool(options: Partial<PoolOptions> = {}): Promise<SimulatedPool> {
  const made = await SimulatedPool.listen({ world: realWorld, seed: 1, difficulty: powerOfTwoText(-26), ...options });
  stops.push(() => made.stop());
  return made;
}

function machine(at: SimulatedPool, options: Partial<MachineOptions> = {}): SimulatedMachine {
  const made = new SimulatedMachine({ world: realWorld, seed: 7, port: at.port, user: 'acme.r1', hashesPerSecond: 20_000, reconnectMinMs: 1, ...options });
  stops.push(() => made.stop());
  made.start(2);
  return made;
}

async function client(at: SimulatedPool): Promise<ScriptedClient> {
  const made = await ScriptedClient.connect(at.port);
  stops.push(() => made.close());
  return made;
}

/** Resolves when `ready` holds; the test's own time limit is the deadline. */
async function until(ready: () => boolean): Promise<void> {
  while (!ready()) await new Promise<void>((resolve) => realWorld.after(1, resolve));
}

/** Every reply of an honest machine agrees with the pool's books. */
function agrees(m: SimulatedMachine, p: SimulatedPool): boolean {
  return m.replies.every((reply) => (p.headers.get(reply.headerHex)?.accepted === true) === reply.value);
}

describe('machine at pool', () => {
  it.each(Object.keys(FIRMWARES) as FirmwareName[])('%s has every share accepted, each header once', async (firmware) => {
    const p = await pool();
    const m = machine(p, { firmware });
    if (FIRMWARES[firmware].assumedMask !== 0) {
      await until(() => m.notifies > 0);
      p.setVersionMask(0x1fffe000);
      p.newBlock();
    }
    await until(() => m.replies.length >= 60);
    const recent = m.replies.slice(-20);
    expect(recent.map((reply) => reply.code)).toEqual(recent.map(() => 0));
    expect(recent.every((reply) => p.headers.get(reply.headerHex)?.accepted === true)).toBe(true);
    expect(new Set(m.replies.map((reply) => reply.headerHex)).size).toBe(m.replies.length);
    expect(m.replies.every((reply) => reply.exponent === -26)).toBe(true);
    expect(m.disconnects).toBe(0);
  });

  it.each(['replace', 'xor', 'or'] as Convention[])('rolls versions at a pool that combines by %s', async (convention) => {
    const p = await pool({ convention });
    const m = machine(p);
    await until(() => m.replies.length >= 60);
    expect(p.rejected).toBe(0);
    const versions = new Set([...p.headers.keys()].map((header) => header.slice(0, 8)));
    expect(versions.size).toBeGreaterThan(1);
  });

  it('finds as many shares as it hashes say', async () => {
    const p = await pool({ difficulty: powerOfTwoText(-26) });
    const m = machine(p);
    await until(() => m.replies.length >= 400);
    const expected = m.hashes / ((2 ** 48 / 65535) * 2 ** -26);
    expect(Math.abs(m.submits - expected)).toBeLessThan(6 * Math.sqrt(expected));
    expect(p.accepted).toBe(p.acceptedHeaders.size);
  });

  it('draws share times and grinds each when counts are all that is wanted', async () => {
    const p = await pool();
    const m = machine(p, { sharesPerSecond: 500 });
    await until(() => m.replies.length >= 50);
    expect(p.rejected).toBe(0);
    expect(agrees(m, p)).toBe(true);
  });

  it('follows difficulty, mask, extranonce and blocks without a reject but stale ones', async () => {
    const p = await pool();
    const m = machine(p);
    await until(() => m.replies.length >= 10);
    p.setDifficulty(powerOfTwoText(-24));
    p.setVersionMask(0x00ffe000);
    p.setExtranonce(6, 3);
    await until(() => m.replies.some((reply) => reply.exponent === -24));
    p.newBlock();
    const so = m.replies.length;
    await until(() => m.replies.length >= so + 20);
    expect(m.extranonce1.length).toBe(6);
    expect([...p.reasons.keys()].filter((reason) => reason !== 'Stale')).toEqual([]);
    expect(agrees(m, p)).toBe(true);
    expect(m.disconnects).toBe(0);
  });

  it('gets each kind of bad share refused for what it is', async () => {
    const p = await pool({ difficulty: powerOfTwoText(-22) });
    const m = machine(p, { badEvery: 1, hashesPerSecond: 200_000 });
    await until(() => m.submits >= 2);
    p.newBlock();
    await until(() => m.submits >= 16);
    m.rest();
    await until(() => m.waiting === 0);
    expect(p.reasons.get('Duplicate share')).toBeGreaterThan(0);
    expect(p.reasons.get('Above target')).toBeGreaterThan(0);
    expect(p.reasons.get('Job not found')).toBeGreaterThan(0);
    expect(p.reasons.get('Ntime out of range')).toBeGreaterThan(0);
    expect(p.reasons.get('Invalid nonce2 length')).toBeGreaterThan(0);
    expect(p.reasons.get('Unauthorized worker')).toBeGreaterThan(0);
    expect(m.replies.filter((reply) => reply.bad === undefined && reply.code !== 21).every((reply) => reply.value)).toBe(true);
    expect(m.disconnects).toBe(0);
  });

  it('comes back after the pool was killed, and says which submits had no answer', async () => {
    const p = await pool();
    const m = machine(p, { resumes: true });
    await until(() => m.replies.length >= 10);
    p.muteSubmits();
    await until(() => m.waiting >= 5);
    p.kill();
    await until(() => m.disconnects === 1);
    expect(m.unanswered.length).toBeGreaterThanOrEqual(5);
    p.muteSubmits(false);
    await p.revive();
    const so = m.replies.length;
    await until(() => m.replies.length >= so + 10);
    expect(m.connects).toBe(2);
  });

  it('stops hashing when it goes dark', async () => {
    const p = await pool();
    const m = machine(p, { dark: { afterMs: 50, how: 'silent' } });
    await until(() => m.notifies > 0 && !m.mining);
    const { hashes } = m;
    m.tick(Number.POSITIVE_INFINITY);
    expect(m.hashes).toBe(hashes);
    expect(m.connected).toBe(true);
  });
});

describe('pool', () => {
  it.each([
    ['array', { result: null, error: [23, 'Above target', null] }],
    ['string', { result: null, error: 'Above target' }],
    ['object', { result: null, error: { code: 23, message: 'Above target' } }],
    ['reject-reason', { result: false, error: null, 'reject-reason': 'Above target' }],
    ['false', { result: false, error: null }],
  ] as [RejectFormat, object][])('refuses as %s', async (rejectFormat, form) => {
    const p = await pool({ rejectFormat, difficulty: '1000000' });
    const c = await client(p);
    await c.request('mining.subscribe', ['x']);
    await c.request('mining.authorize', ['a.b', 'x']);
    const job = (await c.notification('mining.notify')).params as unknown[];
    const answer = await c.request('mining.submit', ['a.b', job[0], '00'.repeat(8), job[7], '00000000']);
    expect(answer).toEqual({ id: 3, ...form });
  });

  it.each(capturedShares())('serves the captured job of $name and sees its published hash', async (share) => {
    const { notifyParams, extranonce1, extranonce2Size: extranonce2Bytes } = share;
    const versionMask = Number.parseInt(share.versionMask ?? '0', 16);
    const p = await pool({ captured: { notifyParams, extranonce1, extranonce2Bytes }, difficulty: '1', versionMask });
    const c = await client(p);
    await c.request('mining.configure', [['version-rolling'], { 'version-rolling.mask': 'ffffffff' }]);
    expect((await c.request('mining.subscribe', [])).result).toEqual([expect.anything(), extranonce1, extranonce2Bytes]);
    await c.request('mining.authorize', ['a.b']);
    expect((await c.notification('mining.notify')).params).toEqual(notifyParams);
    const bits = share.versionBits === null ? [] : [share.versionBits];
    const answer = await c.request('mining.submit', ['a.b', notifyParams[0], share.extranonce2, share.ntime, share.nonce, ...bits]);
    expect(answer).toMatchObject({ result: true, error: null });
    expect(p.headers.get(share.expectedHeaderHex)?.hash).toBe(share.expectedHashBE);
  });

  it('makes coinbases that bitcoinjs-lib reads', () => {
    const shape = { coinbaseBytes: 260, branchCount: 12, extranonceBytes: 12, height: 900_123, coinbaseSats: 314_500_000n, version: 0x20000000, nBits: 0x1d00ffff };
    const random = seededRandom(3);
    for (const coinbaseBytes of [260, 300, 2250, 6500]) {
      const job = makeJob({ ...shape, coinbaseBytes }, '1', makePrevhash(random), 1_700_000_000, true, random);
      const bytes = Buffer.concat([job.coinb1, Buffer.alloc(12), job.coinb2]);
      const transaction = Transaction.fromBuffer(bytes);
      expect(transaction.isCoinbase()).toBe(true);
      expect(transaction.outs.reduce((sum, out) => sum + out.value, 0n)).toBe(314_500_000n);
      expect(bytes.length).toBe(coinbaseBytes);
    }
  });

  it('starts too low and rises, repeats a job, and goes silent', async () => {
    const due: (() => void)[] = [];
    const world = { ...realWorld, after: (_delayMs: number, fire: () => void) => ({ cancel: () => undefined, at: due.push(fire) }) };
    const p = await pool({ world });
    p.beginLow(powerOfTwoText(-30), 30_000);
    const c = await client(p);
    const notifies = (): unknown[][] => c.received.filter((message) => message.method === 'mining.notify').map((message) => message.params as unknown[]);
    const difficulties = (): unknown[] => c.received.filter((message) => message.method === 'mining.set_difficulty').map((message) => message.params);
    await c.request('mining.subscribe', []);
    await c.request('mining.authorize', ['a.b']);
    await until(() => notifies().length === 1);
    for (const fire of due) fire();
    await until(() => notifies().length === 2);
    expect(difficulties()).toEqual([[2 ** -30], [2 ** -26]]);
    expect(notifies()[0]?.[0]).not.toBe(notifies()[1]?.[0]);
    p.repeatJob({ sameId: true, clean: true });
    await until(() => notifies().length === 3);
    expect(notifies()[2]).toEqual([...(notifies()[1]?.slice(0, 8) ?? []), true]);
    p.silence();
    p.newBlock();
    p.silence(false);
    p.ping();
    await until(() => c.received.some((message) => message.method === 'mining.ping'));
    expect(notifies()).toHaveLength(3);
  });
});

describe('targets', () => {
  it('reads powers of two alike from text and from a double', () => {
    for (let k = -32; k <= 62; k += 1) expect(difficultyTarget(powerOfTwoText(k))).toBe(difficultyNumberTarget(2 ** k));
    expect(difficultyTarget('1')).toBe(0xffffn << 208n);
    expect(difficultyTarget('16383.75')).toBe(((0xffffn << 208n) * 4n) / 65535n);
    expect(() => difficultyTarget('0')).toThrow('zero');
    expect(() => difficultyTarget('-1')).toThrow('decimal');
  });
});
