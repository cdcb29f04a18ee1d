/** A pool in the simulation: serves real jobs, judges every submit from raw bytes with its own arithmetic, and misbehaves when told. */
import type { Random } from '../../config/world.ts';
import { makeJob, makePrevhash, type JobShape } from '../rig/pool-jobs.ts';
import { difficultyTarget, hashNumber, headerOf, hex8, merkleRoot, notifyParams, sha256d, type RigJob } from '../rig/work.ts';

export interface PoolHabits {
  readonly name: string;
  readonly extranonce2Bytes: number;
  /** 0: no version rolling. */
  readonly mask: number;
  readonly version: number;
  readonly convention: 'replace' | 'xor' | 'or';
}

interface Issued {
  readonly job: RigJob;
  readonly extranonce1: Buffer;
  readonly difficulty: string;
  stale: boolean;
}

interface Request {
  readonly id: number;
  readonly method: string;
  readonly params: readonly unknown[];
}

export class SimPool {
  readonly habits: PoolHabits;
  up = true;
  silent = false;
  /** Answers every share with this error instead of judging it; undefined judges. */
  grudge: readonly [number, string] | undefined;
  difficulty: string;
  mask: number;
  extranonce2Bytes: number;
  readonly accepted = new Map<string, string>();
  readonly rejected: string[] = [];
  submits = 0;
  private readonly random: Random;
  private readonly issued = new Map<string, Issued>();
  private extranonce1: Buffer;
  private prevhash: Buffer;
  private last: RigJob | undefined;
  private counter = 0;
  private send: ((line: string) => void) | undefined;
  private toldDifficulty = '';
  private height = 800_000;

  constructor(habits: PoolHabits, difficulty: string, random: Random) {
    this.habits = habits;
    this.difficulty = difficulty;
    this.mask = habits.mask;
    this.extranonce2Bytes = habits.extranonce2Bytes;
    this.random = random;
    this.extranonce1 = Buffer.from(random.bytes(4));
    this.prevhash = makePrevhash(random);
  }

  get connected(): boolean {
    return this.send !== undefined;
  }

  connect(send: (line: string) => void): void {
    this.send = send;
    this.issued.clear();
    this.toldDifficulty = '';
    this.extranonce1 = Buffer.from(this.random.bytes(4));
  }

  gone(): void {
    this.send = undefined;
  }

  private say(message: unknown): void {
    this.send?.(typeof message === 'string' ? message : JSON.stringify(message));
  }

  private notification(method: string, params: readonly unknown[]): void {
    this.say({ id: null, method, params });
  }

  line(text: string, nowS: number): void {
    if (this.send === undefined || this.silent) return;
    const { id, method, params } = JSON.parse(text) as Request;
    switch (method) {
      case 'mining.configure': {
        const granted = { 'version-rolling': true, 'version-rolling.mask': hex8(this.mask) };
        this.say({ id, result: this.mask === 0 ? { 'version-rolling': false } : granted, error: null });
        return;
      }
      case 'mining.subscribe':
        this.say({ id, result: [[['mining.notify', 's']], this.extranonce1.toString('hex'), this.extranonce2Bytes], error: null });
        return;
      case 'mining.authorize':
        this.say({ id, result: true, error: null });
        this.newJob(nowS, true);
        return;
      case 'mining.submit':
        this.submitted(id, params);
        return;
      default:
        this.say({ id, result: true, error: null });
    }
  }

  /** A job of new work, or with `same` the last work once more. */
  newJob(nowS: number, clean: boolean, same = false): void {
    if (this.send === undefined || this.silent) return;
    if (this.toldDifficulty !== this.difficulty) {
      this.toldDifficulty = this.difficulty;
      this.say(`{"id":null,"method":"mining.set_difficulty","params":[${this.difficulty}]}`);
    }
    const id = (++this.counter).toString(16);
    const shape: JobShape = {
      coinbaseBytes: 200,
      branchCount: 2,
      extranonceBytes: 4 + this.extranonce2Bytes,
      height: this.height,
      coinbaseSats: 312_500_000n,
      version: this.habits.version,
      nBits: 0x1d00ffff,
    };
    const again = same && this.last !== undefined && this.last.prevhash.equals(this.prevhash) ? { ...this.last, id, ntime: nowS, clean } : undefined;
    const job = again ?? makeJob(shape, id, this.prevhash, nowS, clean, this.random);
    this.last = job;
    if (clean) for (const issued of this.issued.values()) issued.stale = true;
    this.issued.set(id, { job, extranonce1: this.extranonce1, difficulty: this.difficulty, stale: false });
    this.notification('mining.notify', notifyParams(job));
  }

  newBlock(nowS: number): void {
    this.prevhash = makePrevhash(this.random);
    this.height += 1;
    this.newJob(nowS, true);
  }

  setMask(mask: number): void {
    this.mask = mask;
    this.notification('mining.set_version_mask', [hex8(mask)]);
  }

  setExtranonce(extranonce2Bytes: number, nowS: number): void {
    this.extranonce1 = Buffer.from(this.random.bytes(4));
    this.extranonce2Bytes = extranonce2Bytes;
    this.notification('mining.set_extranonce', [this.extranonce1.toString('hex'), extranonce2Bytes]);
    this.newJob(nowS, true);
  }

  private submitted(id: number, params: readonly unknown[]): void {
    this.submits += 1;
    const error = this.grudge ?? this.judge(params as string[]);
    if (error === undefined) {
      this.say({ id, result: true, error: null });
      return;
    }
    this.rejected.push(error[1]);
    this.say({ id, result: null, error: [...error, null] });
  }

  private judge(params: readonly string[]): readonly [number, string] | undefined {
    const [, jobId = '', extranonce2 = '', ntimeHex = '', nonce = '', bitsHex] = params;
    const issued = this.issued.get(jobId);
    if (issued === undefined) return [21, 'Job not found'];
    if (issued.stale) return [21, 'Stale'];
    const { job } = issued;
    if (extranonce2.length !== 2 * this.extranonce2Bytes) return [20, 'Invalid nonce2 length'];
    const ntime = Number.parseInt(ntimeHex, 16);
    if (ntime < job.ntime || ntime > job.ntime + 7000) return [20, 'Ntime out of range'];
    const bits = bitsHex === undefined ? 0 : Number.parseInt(bitsHex, 16);
    const version = bitsHex === undefined ? job.version : this.combine(job.version, bits);
    const root = merkleRoot(job, Buffer.concat([issued.extranonce1, Buffer.from(extranonce2, 'hex')]));
    const header = headerOf(job, root, ntime, Number.parseInt(nonce, 16), version);
    const headerHex = header.toString('hex');
    if (hashNumber(sha256d(header)) > difficultyTarget(issued.difficulty)) return [23, 'Low difficulty'];
    if (this.accepted.has(headerHex)) return [22, 'Duplicate'];
    this.accepted.set(headerHex, issued.difficulty);
    return undefined;
  }

  private combine(jobVersion: number, bits: number): number {
    const { mask } = this.habits;
    if (this.habits.convention === 'replace') return ((jobVersion & ~mask) | (bits & mask)) >>> 0;
    return (this.habits.convention === 'xor' ? jobVersion ^ bits : jobVersion | bits) >>> 0;
  }
}
