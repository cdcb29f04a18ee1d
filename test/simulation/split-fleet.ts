/** A fleet without hashes for splits: machines of unequal rates whose shares come by chance, at difficulties that vardiff sets. */
import type { Part } from '../../config/route-pools.ts';
import { seededRandom, type Random } from '../../config/world.ts';
import { Vardiff } from '../../proxy/mining/vardiff.ts';
import { ShareWindow } from '../../proxy/session/share-window.ts';
import { Split, type SplitMachine } from '../../proxy/session/splits.ts';

const STEP_MS = 30_000;
const POLICY = { sharesPerMinute: 6, minExponent: 0, maxExponent: 40 };
const START_EXPONENT = 16;
/** Difficulty a second of a terahash. */
const TERAHASH = 10 ** 12 / (2 ** 48 / 65535);

class Machine implements SplitMachine {
  part = 0;
  partMovedMono: number | undefined;
  /** Difficulty a millisecond. */
  readonly rate: number;
  readonly vardiff = new Vardiff(START_EXPONENT, 0);
  readonly window = new ShareWindow(0);
  off = false;
  readonly moves: number[] = [];

  constructor(terahashes: number) {
    this.rate = (terahashes * TERAHASH) / 1000;
    this.vardiff.told(START_EXPONENT, 0);
  }

  /** Shares of one step, credited one by one. */
  work(random: Random, monoMs: number, credit: (exponent: number) => void): void {
    const { exponent } = this.vardiff;
    const shares = this.off ? 0 : poisson((this.rate * STEP_MS) / 2 ** exponent, random);
    for (let share = 0; share < shares; share += 1) {
      this.vardiff.share(exponent, monoMs);
      this.window.accepted(exponent, monoMs);
      credit(exponent);
    }
    const next = this.vardiff.retarget(POLICY, POLICY.maxExponent, monoMs);
    if (next !== undefined) this.vardiff.told(next, monoMs);
  }

  rateSeen(monoMs: number): number {
    return this.window.rate(monoMs, 120_000) ?? (2 ** this.vardiff.exponent * POLICY.sharesPerMinute) / 60_000;
  }
}

function poisson(mean: number, random: Random): number {
  if (mean > 40) {
    const normal = Math.sqrt(-2 * Math.log(1 - random.fraction())) * Math.cos(2 * Math.PI * random.fraction());
    return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal));
  }
  const limit = Math.exp(-mean);
  let count = 0;
  for (let product = random.fraction(); product > limit; product *= random.fraction()) count += 1;
  return count;
}

/** The machines of one proxy process and its split. */
export class SplitFleet {
  readonly machines: Machine[];
  split: Split;
  monoMs = 0;
  /** A part whose pools send no jobs. */
  away: number | undefined;
  private readonly random: Random;
  private readonly parts: readonly Part[];
  private readonly debtHours: number;

  constructor(seed: number, weights: readonly number[], count: number, debtHours = 24) {
    this.debtHours = debtHours;
    this.random = seededRandom(seed);
    this.parts = weights.map((weight, index) => ({ weight, pools: [`pool${index}`] }));
    this.split = new Split(0, this.parts, 0);
    // From a small machine to one of five times its rate, and as many of each decade.
    this.machines = Array.from({ length: count }, () => new Machine(50 * 5 ** this.random.fraction()));
    this.placeAll();
  }

  private placeAll(): void {
    for (const machine of this.machines) {
      machine.part = this.split.place(machine.rateSeen(this.monoMs));
      machine.partMovedMono = undefined;
    }
  }

  /** The process ends; another begins with what was kept of its splits, and all machines come anew. */
  restart(): void {
    this.split = new Split(0, this.parts, this.monoMs, JSON.parse(JSON.stringify(this.split.memory)) as Split['memory']);
    this.placeAll();
  }

  /** `chanceOff`: a machine's chance, each hour, to stop or start again. */
  run(hours: number, chanceOff = 0): void {
    const until = this.monoMs + hours * 3_600_000;
    while (this.monoMs < until) {
      this.monoMs += STEP_MS;
      for (const machine of this.machines) {
        if (chanceOff > 0 && this.random.fraction() < (chanceOff * STEP_MS) / 3_600_000) machine.off = !machine.off;
        machine.work(this.random, this.monoMs, (exponent) => this.split.delivered(machine.part, exponent));
      }
      // Pools send their jobs in turn.
      this.balance((this.monoMs / STEP_MS) % this.parts.length);
    }
  }

  private balance(part: number): void {
    if (part === this.away) return;
    this.split.forgive(this.debtHours, this.monoMs);
    const rates = new Map(this.machines.map((machine) => [machine, machine.rateSeen(this.monoMs)]));
    for (const machine of this.split.balance(part, rates, this.monoMs, ({ off }) => !off)) machine.moves.push(this.monoMs);
  }

  /** Moves of one machine that came within an hour of its last. */
  get hurried(): number {
    return this.machines.reduce((sum, { moves }) => sum + moves.filter((at, index) => index > 0 && at - moves[index - 1]! < 3_600_000).length, 0);
  }
}

/** Greatest distance between what a part had and what it was to have: in parts of the whole, and in parts of its own. */
export function deviation(weights: readonly number[], fleets: readonly SplitFleet[]): { ofWhole: number; ofPart: number } {
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const work = weights.map((_, part) => fleets.reduce((total, { split }) => total + split.work[part]!, 0));
  const total = work.reduce((each, more) => each + more, 0);
  const off = weights.map((weight, part) => Math.abs(work[part]! / total - weight / sum));
  return { ofWhole: Math.max(...off), ofPart: Math.max(...off.map((each, part) => (each * sum) / weights[part]!)) };
}
