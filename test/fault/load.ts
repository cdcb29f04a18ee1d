/** Sixty machines and a pool: some 300 really ground shares a second, half of which go on to the pool. */
import { realWorld } from '../../config/world.ts';
import { Fleet, drawMembers, type MachineRecord } from '../rig/fleet.ts';
import { SimulatedPool } from '../rig/pool.ts';
import { powerOfTwoText } from '../rig/work.ts';
import type { Cleanup } from './waiting.ts';
import { until } from './waiting.ts';

const MACHINES = 60;
const SHARES_PER_SECOND = 5;

export class Load {
  readonly pool: SimulatedPool;
  #fleets: Fleet[] = [];

  private constructor(pool: SimulatedPool) {
    this.pool = pool;
  }

  /** The pool alone. */
  static async begin(seed: number, cleanup: Cleanup): Promise<Load> {
    const pool = await SimulatedPool.listen({ world: realWorld, seed, difficulty: powerOfTwoText(-23), jobIntervalMs: 1500, blockIntervalMs: 6000 });
    cleanup.add(() => pool.stop());
    const load = new Load(pool);
    cleanup.add(() => load.#fleets.forEach((fleet) => fleet.stop()));
    return load;
  }

  /** Switches machines on; resolves when all of them mine. */
  async connect(port: number, seed: number, count = MACHINES, host = '127.0.0.1'): Promise<void> {
    const half = Math.ceil(count / 2);
    const members = [
      ...drawMembers({ port, prefix: `acme.${seed}.`, count: half }, seed, 1, 1),
      ...drawMembers({ port, prefix: `cobalt.${seed}.`, count: count - half }, seed + 1, 1, 1),
    ].map((member) => ({ ...member, host, sharesPerSecond: SHARES_PER_SECOND, reconnectMinMs: 50, reconnectMaxMs: 400 }));
    const fleet = new Fleet(realWorld, { seed, members });
    this.#fleets.push(fleet);
    fleet.start();
    await this.allMine();
  }

  get #machines(): Fleet['machines'] {
    return this.#fleets.flatMap(({ machines }) => machines);
  }

  allMine(): Promise<number> {
    return until('every machine mines', () => this.#machines.every(({ mining, connected }) => mining && connected));
  }

  /** Resolves after so many further answers. */
  async answers(count: number): Promise<void> {
    const before = this.replies;
    await until(`${count} further answers`, () => this.replies >= before + count);
  }

  get replies(): number {
    return this.#machines.reduce((sum, { replies }) => sum + replies.length, 0);
  }

  get answeredTrue(): number {
    return this.#machines.reduce((sum, { replies }) => sum + replies.filter(({ value }) => value).length, 0);
  }

  /** Resolves when no answer has come for some looks: while the product stands still, that all which left it have arrived. */
  async quiet(): Promise<void> {
    let before = -1;
    let looks = 0;
    await until('answers under way have arrived', () => {
      looks = this.replies === before ? looks + 1 : 0;
      before = this.replies;
      return looks >= 3;
    });
  }

  /** Submits on their way at this moment. */
  get waiting(): number {
    return this.#machines.reduce((sum, { waiting }) => sum + waiting, 0);
  }

  get disconnects(): number {
    return this.#machines.reduce((sum, { disconnects }) => sum + disconnects, 0);
  }

  /** Attempts to connect that failed. */
  get refusals(): number {
    return this.#machines.reduce((sum, { refusals }) => sum + refusals, 0);
  }

  /** Milliseconds from each lost connection to the first work on the next one, ascending. */
  get absencesMs(): number[] {
    return this.#machines.flatMap(({ absencesMs }) => absencesMs).toSorted((a, b) => a - b);
  }

  /** Machines stop hashing; resolves when every submit is answered or lost with its connection. */
  async rest(): Promise<void> {
    for (const fleet of this.#fleets) fleet.rest();
    await until('no answer is outstanding', () => this.waiting === 0);
  }

  /** What machines were told so far, copied. */
  records(): MachineRecord[] {
    return this.#fleets.flatMap((fleet) => fleet.records()).map(({ user, replies, unanswered }) => ({ user, replies: [...replies], unanswered: [...unanswered] }));
  }
}
