/** Share validation alone: the fast kernel against bitcoinjs-lib in the same run, alternating, median of several rounds. */
import { seededRandom } from '../../config/world.ts';
import type { Job } from '../../proxy/mining/job.ts';
import { hashShare, PreparedJob } from '../../proxy/mining/kernel.ts';
import { referenceHeader } from '../../proxy/mining/reference.ts';

export interface KernelResult {
  readonly kernelMicros: number;
  readonly referenceMicros: number;
  readonly ratio: number;
}

const random = seededRandom(7);
const CALLS = { kernel: 4000, reference: 800 };
const ROUNDS = 9;

/** A 260-byte coinbase (8 bytes of it extranonce) that bitcoinjs-lib parses, and 12 branches. */
function job(): Job {
  const script = random.bytes(60);
  const head = Buffer.concat([
    Buffer.from(`0100000001${'00'.repeat(32)}ffffffff`, 'hex'),
    Buffer.from([script.length + 8]),
    script,
  ]);
  const outputs = Buffer.concat([
    Buffer.from('ffffffff0300f2052a010000001976a914', 'hex'),
    random.bytes(20),
    Buffer.from('88ac0000000000000000266a24aa21a9ed', 'hex'),
    random.bytes(32),
    Buffer.from('00000000000000002c6a', 'hex'),
    Buffer.from([42]),
    random.bytes(42),
    Buffer.from('00000000', 'hex'),
  ]);
  return {
    prevhash: random.bytes(32),
    coinb1: head,
    coinb2: outputs,
    branches: random.bytes(12 * 32),
    version: 0x20000000,
    nBits: 0x17023a04,
    ntime: 1_750_000_000,
    versionMask: 0x1fffe000,
  };
}

function micros(calls: number, call: (n: number) => void): number {
  const from = process.hrtime.bigint();
  for (let n = 0; n < calls; n += 1) call(n);
  return Number(process.hrtime.bigint() - from) / 1000 / calls;
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1]!;

export function benchKernel(): KernelResult {
  const work = job();
  const prepared = new PreparedJob(work);
  const extranonce = random.bytes(8);
  const hash = new Uint8Array(32);
  const kernel: number[] = [];
  const reference: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    kernel.push(
      micros(CALLS.kernel, (n) => {
        extranonce[7] = n;
        extranonce[6] = n >>> 8;
        hashShare(prepared, extranonce, work.ntime, n, work.version, hash);
      }),
    );
    reference.push(micros(CALLS.reference, (n) => void referenceHeader(work, extranonce, work.ntime, n, work.version)));
  }
  const kernelMicros = median(kernel);
  const referenceMicros = median(reference);
  return { kernelMicros, referenceMicros, ratio: referenceMicros / kernelMicros };
}
