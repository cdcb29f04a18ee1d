/**
 * A route's work divided by weight, in delivered work and not in machines: how much each part has had is known to the share,
 * and machines move between parts so that in half an hour each part will have had what it is to have. See docs/decisions.
 */
import type { Part } from '../../config/route-pools.ts';

/** A move must set right what it is worth in this time. Shorter makes more moves, longer leaves the sums further off. */
const HORIZON_MS = 1_800_000;
/** A machine that was moved stays for so long. */
const STAY_MS = 3_600_000;
/** Until rates are known by shares there is nothing to move by. */
const SETTLING_MS = 300_000;
const HOUR_MS = 3_600_000;
/** Work is kept in units of 2^-32, the least credit there is. */
const UNIT_EXPONENT = 32;

/** A machine as a split sees it. */
export interface SplitMachine {
  /** Index of the part it works for. */
  part: number;
  /** When it was moved last; undefined while it is where it was put first. */
  partMovedMono: number | undefined;
}

/** What is kept over restarts. `worked`: work by part in units of 2^-32, decimal. */
export interface SplitMemory {
  readonly worked: readonly string[];
  readonly moves: number;
  /** Units that each part is held to have had besides; left out: none. */
  readonly waived?: readonly string[] | undefined;
  /** Units that all had had when each of the last hours at work began, oldest first; left out: not known. */
  readonly hours?: readonly string[] | undefined;
}

export class Split {
  readonly route: number;
  readonly parts: readonly Part[];
  moves: number;
  private readonly worked: bigint[];
  /** So that a part is owed no more than is made good. */
  private readonly waived: bigint[];
  /** What all had had when each of the last hours at work began. An hour in which nobody worked is none. */
  private readonly hours: bigint[];
  private hourMono: number;
  private readonly targets: readonly number[];
  private readonly startedMono: number;
  /** Work by which each part will be short in half an hour, as far as known; negative where it will have too much. */
  private short: number[];

  constructor(route: number, parts: readonly Part[], monoMs: number, memory?: SplitMemory) {
    this.route = route;
    this.parts = parts;
    const sum = parts.reduce((total, { weight }) => total + weight, 0);
    this.targets = parts.map(({ weight }) => weight / sum);
    const remembered = memory?.worked.length === parts.length ? memory : undefined;
    this.worked = parts.map((_, part) => BigInt(remembered?.worked[part] ?? 0));
    this.waived = parts.map((_, part) => BigInt(remembered?.waived?.[part] ?? 0));
    this.hours = (remembered?.hours ?? ['0']).map(BigInt);
    this.hourMono = monoMs;
    this.moves = remembered?.moves ?? 0;
    this.startedMono = monoMs;
    this.short = this.shortNow();
  }

  /** A share of 2^exponent was delivered to a pool of this part. */
  delivered(part: number, exponent: number): void {
    this.worked[part]! += 1n << BigInt(exponent + UNIT_EXPONENT);
  }

  /** A process that this one follows has delivered so much besides. */
  add({ worked, moves }: SplitMemory): void {
    if (worked.length !== this.parts.length) return;
    worked.forEach((units, part) => (this.worked[part]! += BigInt(units)));
    this.moves += moves;
  }

  get memory(): SplitMemory {
    return { worked: this.worked.map(String), moves: this.moves, waived: this.waived.map(String), hours: this.hours.map(String) };
  }

  /** Delivered work by part, as difficulty; for showing only. */
  get work(): number[] {
    return this.worked.map(difficultyOf);
  }

  /** Work by part that it missed and that is not made good, as difficulty; negative for those that have had it. Their sum is 0. */
  get forgiven(): number[] {
    const waived = this.waived.map(difficultyOf);
    const total = sumOf(waived);
    return this.targets.map((target, part) => waived[part]! - target * total);
  }

  /** What each part is owed now. */
  private shortNow(): number[] {
    const { work, forgiven } = this;
    const total = sumOf(work);
    return this.targets.map((target, part) => target * total - work[part]! - forgiven[part]!);
  }

  /**
   * Makes good what a part missed up to its share of what was delivered in the last `hours` hours at work, and no more: else all
   * machines would work for it for days after its pools were away for days. Call it before `balance`.
   */
  forgive(hours: number, monoMs: number): void {
    const total = this.worked.reduce((sum, units) => sum + units, 0n);
    if (monoMs - this.hourMono >= HOUR_MS && total > (this.hours.at(-1) ?? 0n)) {
      this.hours.push(total);
      this.hourMono = monoMs;
    }
    while (this.hours.length > hours + 1) this.hours.shift();
    const recent = difficultyOf(total - (this.hours[0] ?? 0n));
    this.shortNow().forEach((short, part) => {
      const target = this.targets[part]!;
      const beyond = short - target * recent;
      // What is put down for this part raises by its target what all together are held to have had.
      if (beyond > 0) this.waived[part]! += BigInt(Math.round((beyond / (1 - target)) * 2 ** UNIT_EXPONENT));
    });
  }

  /** The part that a new machine is put on; `rate` is its expected work, difficulty a millisecond. */
  place(rate: number): number {
    const brings = rate * HORIZON_MS;
    this.short = this.short.map((each, part) => each + this.targets[part]! * brings);
    const part = this.short.indexOf(Math.max(...this.short));
    this.short[part]! -= brings;
    return part;
  }

  /** The part that first names a pool: where its work counts unless the machine is of another part that has it too. */
  partOf(pool: string, own: number): number {
    if (this.parts[own]?.pools.includes(pool) === true) return own;
    return this.parts.findIndex(({ pools }) => pools.includes(pool));
  }

  /**
   * The machines to move to a part that has a fresh job for them, once it is short of more than an average machine does in the
   * horizon, so that noise moves nobody. Each is chosen so that most is set right, at least half of that. `machines` are all of the route with their rates,
   * difficulty a millisecond; `may` says which can work for that part.
   */
  balance<M extends SplitMachine>(into: number, machines: ReadonlyMap<M, number>, monoMs: number, may: (machine: M) => boolean): M[] {
    const short = this.shortNow();
    let total = 0;
    for (const [machine, rate] of machines) {
      total += rate;
      short[machine.part]! -= rate * HORIZON_MS;
    }
    this.targets.forEach((target, part) => (short[part]! += target * total * HORIZON_MS));
    this.short = short;
    if (monoMs - this.startedMono < SETTLING_MS || machines.size === 0) return [];
    const worth = (total * HORIZON_MS) / machines.size;
    const free = [...machines].filter(([machine]) => machine.part !== into && rested(machine, monoMs) && may(machine));
    const moved: M[] = [];
    while (short[into]! > worth) {
      const at = bestMove(short, into, free, worth / 2);
      if (at === -1) break;
      const [machine, rate] = free.splice(at, 1)[0]!;
      short[into]! -= rate * HORIZON_MS;
      short[machine.part]! += rate * HORIZON_MS;
      machine.part = into;
      machine.partMovedMono = monoMs;
      moved.push(machine);
    }
    this.moves += moved.length;
    return moved;
  }
}

function difficultyOf(units: bigint): number {
  return Number(units) / 2 ** UNIT_EXPONENT;
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

function rested({ partMovedMono }: SplitMachine, monoMs: number): boolean {
  return partMovedMono === undefined || monoMs - partMovedMono >= STAY_MS;
}

/** The machine whose move lessens most what two parts are off; −1 when none is worth it. */
function bestMove<M extends SplitMachine>(short: readonly number[], into: number, free: readonly [M, number][], least: number): number {
  let best = -1;
  let most = least;
  free.forEach(([{ part }, rate], index) => {
    const brings = rate * HORIZON_MS;
    const before = Math.abs(short[into]!) + Math.abs(short[part]!);
    const after = Math.abs(short[into]! - brings) + Math.abs(short[part]! + brings);
    const gain = (before - after) / 2;
    if (gain <= most) return;
    best = index;
    most = gain;
  });
  return best;
}
