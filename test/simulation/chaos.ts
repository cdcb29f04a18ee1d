/** Everything that happens to a farm in years, within minutes and in an order drawn from the seed. */
import type { Found } from '../rig/search.ts';
import { SimFarm } from './sim-farm.ts';
import type { SimMachine } from './sim-machine.ts';
import type { SimPool } from './sim-pool.ts';

const DIFFICULTIES = ['0.00000002', '0.00000005960464477539063', '0.0000003', '0.000002', '0.0000000012'];
const MASKS = [0x1fffe000, 0x1fffe000, 0x00ffe000, 0x0000e000];
const SPOILS = ['nonce', 'ntime', 'job', 'length', 'name'] as const;

/** Sites, routes and limits that make rare things frequent. */
function chaosYaml(reply: 'proxy' | 'pool', segment = ''): string {
  return `
data: /nowhere
sites: { north: { listen: [ "127.0.0.1:0" ] } }
pools:
  a: { url: "stratum+tcp://a.example:3333", user: farm }
  b: { url: "stratum+tcp://b.example:3333", user: farm, submitsPerSecondMax: 5 }
  c: { url: "stratum+tcp://c.example:3333", user: farm, convention: or }
routes:
  - { match: { worker: "solo.*" }, lessee: solo, pools: [ b ] }
  - { lessee: acme, pools: [ a, b, c ] }
difficulty: { start: "2^-25", min: "2^-30", max: "2^-10", sharesPerMinute: 20 }
reply: ${reply}
limits: { jobsPerLinkMax: 8, journaledRejectsMax: 20, pendingRepliesMax: 30, duplicatesMax: 2000 }
timeouts: { poolReply: 2s, poolSilent: 20s, dial: 5s, backoffMax: 8s, returnStable: 5s, refresh: 10s, prefixQuarantine: 30s, resume: 60s }
${segment}`;
}

export class Chaos {
  readonly sim: SimFarm;
  readonly orphans: string[] = [];

  constructor(seed: number, reply: 'proxy' | 'pool', machines = 8) {
    const habits = (name: string, extranonce2Bytes: number, convention: 'replace' | 'xor' | 'or', version = 0x20000000) => ({
      name, extranonce2Bytes, mask: 0x1fffe000, version, convention,
    });
    this.sim = new SimFarm({
      seed,
      yaml: chaosYaml(reply),
      pools: [
        { habits: habits('a', 8, 'replace'), difficulty: '0.0000003' },
        { habits: habits('b', 12, 'xor', seed % 2 === 0 ? 0x20002000 : 0x20000000), difficulty: '0.00000005' },
        { habits: habits('c', 8, 'or', 0x20004000), difficulty: '0.000002' },
      ],
    });
    const { random } = this.sim;
    for (let index = 0; index < machines; index += 1) {
      this.sim.addMachine({
        worker: `${index % 4 === 3 ? 'solo' : 'acme'}.r${index}`,
        password: index % 5 === 4 ? 'x,md=0.00000001' : 'x',
        hashesPerSecond: 10 + random.fraction() * 60,
        bits: index % 3 === 0 ? 'masked' : index % 3 === 1 ? 'xor' : undefined,
        takesExtranonce: index % 2 === 0,
      });
    }
  }

  private chance(probability: number): boolean {
    return this.sim.random.fraction() < probability;
  }

  private pick<T>(list: readonly T[]): T | undefined {
    return list[Math.floor(this.sim.random.fraction() * list.length)];
  }

  /** Simulated seconds of it. */
  run(seconds: number): void {
    for (let second = 0; second < seconds; second += 1) {
      for (const machine of this.sim.machines) this.machineSecond(machine);
      for (const pool of this.sim.pools.values()) this.poolSecond(pool, second);
      this.journalSecond();
      this.sim.run(1000, (machine) => this.mine(machine));
    }
    for (const pool of this.sim.pools.values()) pool.silent = false;
    this.sim.settle();
  }

  private mine(machine: SimMachine): void {
    for (const share of machine.mine(0.1)) this.handIn(machine, share);
    if (machine.mining && machine.withheld.length > 0 && this.chance(0.02)) {
      for (const share of machine.withheld) machine.submit(share);
      machine.withheld = [];
    }
  }

  private handIn(machine: SimMachine, share: Found): void {
    if (this.chance(0.2)) machine.withheld.push(share);
    else machine.submit(share);
    if (this.chance(0.1)) machine.submit(share);
    if (this.chance(0.1)) machine.submit(this.pick(machine.found) ?? share);
    if (this.chance(0.1)) machine.submit(share, this.pick(SPOILS));
  }

  private machineSecond(machine: SimMachine): void {
    const { sim } = this;
    if (!machine.connected) {
      if (this.chance(0.5)) {
        if (this.chance(0.3)) machine.sessionId = undefined;
        sim.connect(machine);
      }
      return;
    }
    if (this.chance(0.01)) sim.disconnect(machine, this.chance(0.7));
    if (this.chance(0.02)) machine.request('mining.suggest_difficulty', [2 ** -(20 + Math.floor(sim.random.fraction() * 10))]);
    if (this.chance(0.01)) machine.request('mining.configure', [['minimum-difficulty'], { 'minimum-difficulty.value': 2 ** -(24 + Math.floor(sim.random.fraction() * 6)) }]);
    if (this.chance(0.01)) machine.request('mining.subscribe', []);
    if (this.chance(0.01)) machine.request('mining.ping', []);
  }

  private poolSecond(pool: SimPool, second: number): void {
    const { sim } = this;
    if (!pool.up) {
      if (this.chance(0.1)) pool.up = true;
      return;
    }
    if (this.chance(0.005)) sim.kill(pool);
    if (this.chance(0.003)) pool.silent = !pool.silent;
    if (this.chance(0.02)) pool.difficulty = this.pick(DIFFICULTIES) ?? pool.difficulty;
    if (this.chance(0.01)) pool.newBlock(sim.nowS);
    else if (second % 7 === 0) pool.newJob(sim.nowS, this.chance(0.2), this.chance(0.3));
    if (this.chance(0.005) && pool.connected) pool.setMask(this.pick(MASKS) ?? 0x1fffe000);
    if (this.chance(0.004) && pool.connected && pool.habits.name !== 'a') pool.setExtranonce(this.pick([4, 6, 8, 12]) ?? 8, sim.nowS);
  }

  private journalSecond(): void {
    const { sim } = this;
    if (this.chance(0.1)) this.orphans.push(...sim.orphansAfterRotation());
    if (sim.journal === 'commits') {
      if (this.chance(0.03)) sim.journal = this.chance(0.5) ? 'stalls' : 'fails';
    } else if (this.chance(0.4)) {
      sim.journal = 'commits';
    }
  }
}
