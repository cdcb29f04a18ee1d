/**
 * What a farm takes on the disk, for docs/operations.md: journals plain and compressed by the true writer, the embedded ledger
 * by the true store. `node dist/test/bench/sizing.js` after `npm run build`; the same everywhere but for compression.
 */
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { listSegments } from '../../accounting/journal/reader.ts';
import { JournalWriter } from '../../accounting/journal/writer.ts';
import { ledgerFile, Store } from '../../accounting/store.ts';
import { realWorld, seededRandom, type Random } from '../../config/world.ts';
import type { Fact, JobFact, ShareFact } from '../../proxy/session/facts.ts';
import { fillBacklog, SHARES_PER_MINUTE } from './backlog.ts';

const FARMS = [100, 1_000, 10_000, 50_000] as const;
/** Shares of a journal that is measured; a day is reckoned from them. */
const SHARES = 60_000;
const FACTS_WAITING_MAX = 1000;
const JOB_EVERY_MS = 30_000;
/** As pools send them in 2026: a coinbase of some 300 bytes and twelve branches. */
const JOB_BYTES = { coinb1: 120, coinb2: 180, branches: 12 * 32 } as const;
/** A pool at a difficulty 256 times what its machines have. */
const FORWARDED_ONE_IN = 256;
const LEDGER_HOURS = 2;
const DAY_MS = 86_400_000;

function job(random: Random, number: number, atMs: number): JobFact {
  const content = {
    prevhash: random.bytes(32), coinb1: random.bytes(JOB_BYTES.coinb1), coinb2: random.bytes(JOB_BYTES.coinb2), branches: random.bytes(JOB_BYTES.branches),
    version: 0x20000000, nBits: 0x17023a04, ntime: Math.floor(atMs / 1000), versionMask: 0x1fffe000,
  };
  return { type: 'job', job: number, link: 1, poolJobId: String(number), clean: false, content, paddingBytes: 0, difficulty: '262144', coinbaseSats: 315_012_581n, height: 900_000, atMs };
}

function share(random: Random, number: number, machines: number, jobNumber: number, atMs: number): ShareFact {
  return {
    type: 'share', share: number, bind: 1 + (random.u32() % machines), job: jobNumber, exponent: 16, verdict: 'accepted', block: false,
    forwarding: number % FORWARDED_ONE_IN === 0 ? 'forwarded' : 'below-target',
    extranonce2: random.bytes(4), ntime: Math.floor(atMs / 1000), nonce: random.u32(), version: 0x20000000 + (random.u32() & 0x1fffe000), atMs,
  };
}

function* facts(machines: number, random: Random): Generator<Fact> {
  const perMs = (machines * SHARES_PER_MINUTE) / 60_000;
  const beganMs = realWorld.wallMs();
  let jobs = 0;
  for (let number = 1; number <= SHARES; number += 1) {
    const atMs = beganMs + Math.floor(number / perMs);
    while (beganMs + jobs * JOB_EVERY_MS <= atMs) yield job(random, (jobs += 1), beganMs + (jobs - 1) * JOB_EVERY_MS);
    const fact = share(random, number, machines, jobs, atMs);
    yield fact;
    if (fact.forwarding === 'forwarded') {
      yield { type: 'pool-verdict', share: number, bind: fact.bind, job: jobs, link: 1, shareAtMs: atMs, difficulty: '262144', verdict: 'accepted', reason: 'none', code: '', text: '', reply: undefined, atMs: atMs + 40 };
    }
  }
}

/** Bytes of a share with its part of jobs and verdicts, as written and as `journal.compress` leaves it. */
async function journalBytes(directory: string, machines: number): Promise<{ readonly plain: number; readonly compressed: number }> {
  let durable = 0;
  const writer = await JournalWriter.open({
    directory, world: realWorld, durability: 'os', segmentBytes: 2 ** 40, process: realWorld.random.uuid(), host: 'bench',
    live: () => [], onDurable: (sequence) => (durable = sequence), onUnjournaled: () => undefined, onProblem: (sentence) => console.error(sentence),
  });
  let sequence = 0;
  // The writer's timers alone do not keep a process.
  const settled = async (waitingMax: number): Promise<void> => {
    while (sequence - durable > waitingMax) await new Promise((resolve) => setImmediate(resolve));
  };
  for (const fact of facts(machines, seededRandom(1))) {
    sequence = writer.append(fact);
    await settled(FACTS_WAITING_MAX);
  }
  await settled(0);
  await writer.close();
  const bytes = Buffer.concat(listSegments(directory).map(({ path }) => readFileSync(path)));
  return { plain: bytes.length / SHARES, compressed: gzipSync(bytes).length / SHARES };
}

/** Bytes of the embedded ledger for a day. */
function ledgerBytes(dataDir: string, machines: number): number {
  const store = Store.open(dataDir);
  fillBacklog(store, machines, LEDGER_HOURS, seededRandom(1));
  store.close();
  return (statSync(ledgerFile(dataDir)).size * 24) / LEDGER_HOURS;
}

console.log('machines  shares/s  journal B/share  GB/day  compressed GB/day  ledger MB/day');
for (const machines of FARMS) {
  const scratch = mkdtempSync(join(tmpdir(), 'weighbridge-sizing-'));
  try {
    const perSecond = (machines * SHARES_PER_MINUTE) / 60;
    const { plain, compressed } = await journalBytes(join(scratch, 'journal'), machines);
    const ledger = ledgerBytes(scratch, machines);
    const day = (bytes: number): string => ((bytes * perSecond * DAY_MS) / 1000 / 1e9).toFixed(2);
    console.log([String(machines).padStart(8), String(perSecond).padStart(9), plain.toFixed(1).padStart(16), day(plain).padStart(7), day(compressed).padStart(18), (ledger / 1e6).toFixed(0).padStart(14)].join(' '));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
