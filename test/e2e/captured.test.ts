/** Shares captured on mainnet go through the whole product over real TCP, and the pool sees the published hash. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { realWorld } from '../../config/world.ts';
import { makeSessionId, onlyRun } from '../../proxy/session/run.ts';
import { capturedShares, type CapturedShare } from '../rig/captured.ts';
import { ScriptedClient } from '../rig/client.ts';
import type { CapturedJob } from '../rig/pool-options.ts';
import { SimulatedPool } from '../rig/pool.ts';
import { readJournal } from './journal-shares.ts';
import { discard, makeDataDir, startProduct } from './product.ts';

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

/** How the bytes between coinb1 and coinb2 came about, now that a proxy stands between pool and machine. Hex. */
interface Cut {
  readonly job: CapturedJob;
  /** The session's extranonce1. */
  readonly prefix: string;
  readonly extranonce2: string;
}

/**
 * The captured machine's extranonce2 becomes prefix ‖ extranonce2 of ours. A prefix never begins with a zero byte: where
 * the capture has one there, the pool's extranonce1 is taken from the end of its coinb1, so that the captured
 * extranonce1 falls to us. The coinbase is the captured one in both cases.
 */
function cut(share: CapturedShare): Cut {
  const { notifyParams, extranonce1, extranonce2 } = share;
  if (!extranonce2.startsWith('00')) return divide({ notifyParams, extranonce1, extranonce2Bytes: share.extranonce2Size }, extranonce2);
  const coinb1 = String(notifyParams[2]);
  const shorter = notifyParams.with(2, coinb1.slice(0, -8));
  return divide({ notifyParams: shorter, extranonce1: coinb1.slice(-8), extranonce2Bytes: (extranonce1.length + extranonce2.length) / 2 }, extranonce1 + extranonce2);
}

/** Eight bytes are divided 4 + 4, four are 1 + 3. */
function divide(job: CapturedJob, slot: string): Cut {
  const digits = job.extranonce2Bytes === 8 ? 8 : 2;
  return { job, prefix: slot.slice(0, digits), extranonce2: slot.slice(digits) };
}

const SESSION_KEY = '5a'.repeat(32);

/** What the product keeps of earlier runs, so that it knows the session ids that are made with this key. */
function seedRuns(dataDir: string): void {
  writeFileSync(join(dataDir, 'runs.json'), JSON.stringify({ number: 1, sessionKey: SESSION_KEY }));
}

/** The id of a session with `prefix`, as an earlier run of the product gave it: who comes with it keeps the prefix. */
function sessionWith(prefix: string, extranonce2: string): string {
  const run = { ...onlyRun('0001'), sessionKey: SESSION_KEY };
  return makeSessionId(run, 'north', Buffer.from(prefix, 'hex'), extranonce2.length / 2, (bytes) => new Uint8Array(bytes));
}

const SHARES = capturedShares().filter((share) => share.kind === 'captured' && share.network === 'mainnet');

describe('a captured mainnet share', () => {
  it.each(SHARES)(
    '$name reaches the pool with its published hash',
    async (share) => {
      const { job, prefix, extranonce2 } = cut(share);
      const versionMask = Number.parseInt(share.versionMask ?? '0', 16);
      const pool = await SimulatedPool.listen({ world: realWorld, seed: 1, captured: job, difficulty: '512', versionMask, blockIntervalMs: 0 });
      stops.push(() => pool.stop());
      const dataDir = makeDataDir();
      stops.push(() => discard(dataDir));
      seedRuns(dataDir);
      const { supervisor, port } = await startProduct({
        dataDir,
        yaml: `
sites: { north: { listen: [ "127.0.0.1:0" ] } }
pools: { main: { url: "${pool.url}", user: farm } }
routes: [ { lessee: acme, pools: [ main ] } ]
difficulty: { start: 512 }
`,
      });
      stops.push(() => supervisor.stop());

      const machine = await ScriptedClient.connect(port('north'));
      stops.push(() => machine.close());
      const rolls = share.versionBits !== null;
      if (rolls) await machine.request('mining.configure', [['version-rolling'], { 'version-rolling.mask': 'ffffffff' }]);
      expect((await machine.request('mining.subscribe', ['test', sessionWith(prefix, extranonce2)])).result).toEqual([expect.anything(), prefix, extranonce2.length / 2]);
      await machine.request('mining.authorize', ['acme.r1', 'x']);
      const notify = (await machine.notification('mining.notify')).params as unknown[];
      const fields = [extranonce2, share.ntime, share.nonce, ...(rolls ? [share.versionBits] : [])];
      expect(await machine.request('mining.submit', ['acme.r1', notify[0], ...fields])).toMatchObject({ result: true, error: null });
      expect(await machine.request('mining.submit', ['acme.r1', notify[0], ...fields])).toMatchObject({ error: [22, expect.any(String), null] });
      const spoilt = fields.with(2, '00000000');
      expect(await machine.request('mining.submit', ['acme.r1', notify[0], ...spoilt])).toMatchObject({ error: [23, expect.any(String), null] });

      expect([...pool.headers]).toEqual([[share.expectedHeaderHex, { hash: share.expectedHashBE, user: 'farm', difficulty: '512', accepted: true, block: false }]]);
      await supervisor.stop();
      const { shares } = readJournal(dataDir);
      expect(shares.map(({ fact }) => fact.verdict)).toEqual(['accepted', 'duplicate', 'low-difficulty']);
      expect(shares[0]).toMatchObject({ headerHex: share.expectedHeaderHex, worker: 'acme.r1', lessee: 'acme', site: 'north', pool: 'main', fact: { exponent: 9, forwarding: 'forwarded' } });
      expect(shares[0]?.poolVerdict).toMatchObject({ verdict: 'accepted', difficulty: '512' });
    },
    30_000,
  );
});
