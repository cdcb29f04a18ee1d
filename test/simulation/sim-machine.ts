/** A machine in the simulation: real search at a tiny difficulty, and a memory of all it was sent and told. */
import type { Random } from '../../config/world.ts';
import { exponentTarget } from '../../proxy/mining/difficulty.ts';
import { Search, versionBits, type Found } from '../rig/search.ts';
import { hashNumber, hex8, readNotify, sha256d, type RigJob } from '../rig/work.ts';

/** How it speaks. */
export interface MachineHabits {
  readonly worker: string;
  readonly password: string;
  readonly hashesPerSecond: number;
  /** undefined: it never sends mining.configure nor a sixth parameter. */
  readonly bits: 'masked' | 'xor' | undefined;
  readonly takesExtranonce: boolean;
}

interface KnownJob {
  readonly job: RigJob;
  readonly mask: number;
}

interface Submitted extends Found {
  readonly exponent: number;
  readonly good: boolean;
}

/** A reply to a submit. */
export interface Told extends Submitted {
  readonly value: boolean;
  readonly code: number | undefined;
}

interface ServerLine {
  readonly id: number | string | null;
  readonly method?: string;
  readonly params?: readonly unknown[];
  readonly result?: unknown;
  readonly error?: readonly unknown[] | null;
}

/** The lowest difficulty of any simulation. */
const LOWEST_EXPONENT = -30;

export class SimMachine {
  readonly habits: MachineHabits;
  readonly told: Told[] = [];
  readonly faults: string[] = [];
  /** Exponents by job id, as sent; and everything ever found, to be sent again. */
  readonly exponents = new Map<string, number>();
  readonly found: Found[] = [];
  withheld: Found[] = [];
  sessionId: string | undefined;
  notifies = 0;
  mining = false;
  private send: ((line: string) => void) | undefined;
  private readonly random: Random;
  private readonly submits = new Map<number, Submitted>();
  private requests: number[] = [];
  private nextId = 1;
  private difficultyExponent = Number.NaN;
  private mask = 0;
  private extranonce1: Buffer = Buffer.alloc(0);
  private nextExtranonce: { extranonce1: Buffer; extranonce2Bytes: number } | undefined;
  private extranonce2Bytes = 0;
  private search: Search | undefined;
  private readonly jobs = new Map<string, KnownJob>();
  private owed = 0;
  private counter = 0n;
  /** Work it has had under a prefix: what must not come again. */
  private readonly seen = new Set<string>();
  /** k of each work under each prefix: what must not change. */
  private readonly exponentOfWork = new Map<string, number>();

  constructor(habits: MachineHabits, random: Random) {
    this.habits = habits;
    this.random = random;
  }

  get connected(): boolean {
    return this.send !== undefined;
  }

  connect(send: (line: string) => void): void {
    this.send = send;
    this.requests = [];
    this.submits.clear();
    this.search = undefined;
    this.mining = false;
    if (this.habits.bits !== undefined) this.request('mining.configure', [['version-rolling'], { 'version-rolling.mask': 'ffffffff' }]);
    this.request('mining.subscribe', this.sessionId === undefined ? ['sim/1'] : ['sim/1', this.sessionId]);
    if (this.habits.takesExtranonce) this.request('mining.extranonce.subscribe', []);
    this.request('mining.authorize', [this.habits.worker, this.habits.password]);
  }

  gone(): void {
    this.send = undefined;
    this.search = undefined;
    this.mining = false;
  }

  /** Submits that are not answered yet. */
  get open(): number {
    return this.submits.size;
  }

  request(method: string, params: readonly unknown[]): void {
    const id = this.nextId++;
    this.requests.push(id);
    this.send?.(JSON.stringify({ id, method, params }));
  }

  /** Works for some time; finds go to `found`. */
  mine(seconds: number): Found[] {
    if (this.search === undefined) return [];
    this.owed += this.habits.hashesPerSecond * seconds;
    const hashes = Math.floor(this.owed);
    this.owed -= hashes;
    const finds: Found[] = [];
    this.search.run(hashes, (share) => {
      finds.push(share);
      return true;
    });
    this.found.push(...finds);
    if (this.found.length > 50) this.found.splice(0, this.found.length - 50);
    return finds;
  }

  /** `spoil` makes it wrong in a way a validator must notice. */
  submit(share: Found, spoil: 'none' | 'nonce' | 'ntime' | 'job' | 'length' | 'name' = 'none'): void {
    if (this.send === undefined) return;
    const id = this.nextId++;
    const known = this.jobs.get(share.jobId);
    const exponent = this.exponents.get(share.jobId) ?? Number.NaN;
    const nonce = spoil === 'nonce' ? share.nonce ^ 0x5555_0000 : share.nonce;
    const headerHex = share.headerHex.slice(0, 152) + swapHex(hex8(nonce));
    // At these difficulties another nonce may well be a share too, or good enough for a newer, lower difficulty.
    const lucky = spoil === 'nonce' && hashNumber(sha256d(Buffer.from(headerHex, 'hex'))) <= exponentTarget(LOWEST_EXPONENT);
    this.submits.set(id, { ...share, nonce, headerHex, exponent, good: spoil === 'none' || lucky });
    const params = [
      spoil === 'name' ? 'nobody' : this.habits.worker,
      spoil === 'job' ? 'ffffffffffff' : share.jobId,
      spoil === 'length' ? `${share.extranonce2}00` : share.extranonce2,
      hex8(spoil === 'ntime' ? share.ntime - 1_000_000 : share.ntime),
      hex8(nonce),
    ];
    const mask = known?.mask ?? 0;
    if (this.habits.bits !== undefined && mask !== 0) params.push(versionBits(this.habits.bits, share.version, known?.job.version ?? 0, mask));
    this.send(JSON.stringify({ id, method: 'mining.submit', params }));
  }

  line(text: string): void {
    if (this.send === undefined) return;
    const message = JSON.parse(text) as ServerLine;
    if (message.method !== undefined) this.notification(message.method, message.params ?? []);
    else this.reply(message);
  }

  private reply(message: ServerLine): void {
    const submitted = this.submits.get(Number(message.id));
    if (submitted !== undefined) {
      this.submits.delete(Number(message.id));
      this.told.push({ ...submitted, value: message.result === true, code: Number(message.error?.[0]) });
      return;
    }
    if (this.requests.shift() !== message.id) this.faults.push(`reply ${String(message.id)} out of turn`);
    const { result } = message;
    if (Array.isArray(result) && result.length === 3) this.subscribed(result);
    else if (typeof result === 'object' && result !== null && 'version-rolling' in result) {
      const { 'version-rolling.mask': mask } = result as { 'version-rolling.mask'?: string };
      this.mask = Number.parseInt(mask ?? '0', 16);
    }
  }

  private subscribed(result: readonly unknown[]): void {
    const [pairs, extranonce1, extranonce2Bytes] = result as [string[][], string, number];
    this.sessionId = pairs[1]?.[1];
    this.extranonceIs(Buffer.from(extranonce1, 'hex'));
    this.extranonce2Bytes = extranonce2Bytes;
  }

  /** Shares found with another extranonce1 stand for other headers now. */
  private extranonceIs(extranonce1: Buffer): void {
    if (!extranonce1.equals(this.extranonce1)) {
      this.withheld = [];
      this.found.length = 0;
    }
    this.extranonce1 = extranonce1;
  }

  private notification(method: string, params: readonly unknown[]): void {
    switch (method) {
      case 'mining.set_difficulty':
        this.difficultyExponent = Math.log2(Number(params[0]));
        return;
      case 'mining.set_version_mask':
        this.mask = Number.parseInt(String(params[0]), 16);
        return;
      case 'mining.set_extranonce':
        if (!this.habits.takesExtranonce) this.faults.push('set_extranonce without having asked for it');
        this.nextExtranonce = { extranonce1: Buffer.from(String(params[0]), 'hex'), extranonce2Bytes: Number(params[1]) };
        return;
      case 'mining.notify':
        this.notified(readNotify(params));
        return;
      default:
        this.faults.push(`unexpected ${method}`);
    }
  }

  private notified(job: RigJob): void {
    this.notifies += 1;
    this.mining = true;
    if (!Number.isInteger(this.difficultyExponent)) this.faults.push(`job ${job.id} at difficulty 2^${this.difficultyExponent}`);
    if (this.nextExtranonce !== undefined) {
      if (!job.clean) this.faults.push(`job ${job.id} after set_extranonce is not clean`);
      this.extranonceIs(this.nextExtranonce.extranonce1);
      this.extranonce2Bytes = this.nextExtranonce.extranonce2Bytes;
      this.nextExtranonce = undefined;
    }
    const parts = [this.extranonce1, job.prevhash, job.coinb1, job.coinb2, ...job.branches];
    const work = parts.map((part) => part.toString('hex')).join(' ');
    if (this.seen.has(`${work} ${job.ntime}`)) this.faults.push(`job ${job.id}: the same work and ntime once more`);
    this.seen.add(`${work} ${job.ntime}`);
    const settled = this.exponentOfWork.get(work) ?? this.difficultyExponent;
    if (settled !== this.difficultyExponent) this.faults.push(`job ${job.id}: the same work at 2^${settled} and 2^${this.difficultyExponent}`);
    this.exponentOfWork.set(work, settled);
    this.jobs.set(job.id, { job, mask: this.habits.bits === undefined ? 0 : this.mask });
    this.exponents.set(job.id, this.difficultyExponent);
    this.counter += 1n;
    this.search = new Search(
      {
        job,
        extranonce1: this.extranonce1,
        extranonce2Bytes: this.extranonce2Bytes,
        versionMask: this.habits.bits === undefined ? 0 : this.mask,
        target: exponentTarget(this.difficultyExponent),
      },
      // As firmware does: it begins again with every notify.
      this.random.fraction() < 0.5 ? 0n : this.counter,
    );
  }
}

/** The bytes of a hex text in reverse order. */
function swapHex(hex: string): string {
  return Buffer.from(hex, 'hex').reverse().toString('hex');
}
