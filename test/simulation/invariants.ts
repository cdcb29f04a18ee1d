/** The design's invariants, held against everything a simulation remembers. Each breach is a sentence. */
import { GOOD_VERDICTS } from '../../proxy/mining/verdict.ts';
import type { ShareFact } from '../../proxy/session/facts.ts';
import { Evidence } from './evidence.ts';
import type { SimFarm } from './sim-farm.ts';

interface Counted {
  readonly fact: ShareFact;
  readonly sequence: number;
}

/** Shares that count, by header; with sentences about those that count twice or prove nothing. */
function countedShares(sim: SimFarm): { counted: Map<string, Counted>; lost: Map<string, Counted>; faults: string[] } {
  const evidence = new Evidence();
  const counted = new Map<string, Counted>();
  const lost = new Map<string, Counted>();
  const faults: string[] = [];
  sim.recorder.facts.forEach((fact, index) => {
    evidence.read(fact);
    if (fact.type !== 'share' || (fact.verdict !== 'accepted' && fact.verdict !== 'courtesy')) return;
    const header = evidence.headerOf(fact);
    if (header === undefined) {
      faults.push(`share ${fact.share} cannot be rebuilt`);
      return;
    }
    if (counted.has(header) || lost.has(header)) faults.push(`share ${fact.share}: its header counts twice`);
    (sim.recorder.lost.has(index + 1) ? lost : counted).set(header, { fact, sequence: index + 1 });
  });
  return { counted, lost, faults: [...faults, ...evidence.orphans] };
}

/** Answered true ⊆ counted ∪ lost and admitted; at the k that was told; each submit answered once. */
function machineFaults(sim: SimFarm, counted: ReadonlyMap<string, Counted>, lost: ReadonlyMap<string, Counted>): string[] {
  const faults: string[] = [];
  for (const machine of sim.machines) {
    faults.push(...machine.faults.map((fault) => `${machine.habits.worker}: ${fault}`));
    if (machine.connected && machine.open > 0) faults.push(`${machine.habits.worker}: ${machine.open} submits were not answered`);
    for (const told of machine.told) {
      if (!told.good && told.value) faults.push(`${machine.habits.worker}: a bad share was answered true`);
      if (!told.value) continue;
      const entry = counted.get(told.headerHex) ?? lost.get(told.headerHex);
      if (entry === undefined) faults.push(`${machine.habits.worker}: answered true and not in the ledger: ${told.headerHex}`);
      else if (entry.fact.exponent !== told.exponent) faults.push(`${machine.habits.worker}: told 2^${told.exponent}, journaled 2^${entry.fact.exponent}`);
    }
  }
  return faults;
}

/** Every share answered as good that was lost is admitted, no more and no fewer; courtesy ones apart. */
function admissionFaults(sim: SimFarm, lost: ReadonlyMap<string, Counted>): string[] {
  return GOOD_VERDICTS.flatMap((verdict) => {
    const claimed = [...lost.values()].filter(({ fact }) => fact.verdict === verdict).length;
    let admitted = 0;
    sim.recorder.facts.forEach((fact, index) => {
      if (fact.type === 'unjournaled' && fact.verdict === verdict && !sim.recorder.lost.has(index + 1)) admitted += fact.count;
    });
    const kept = [...sim.recorder.unadmitted.waiting, ...sim.recorder.unadmitted.entries];
    if (kept.length > 0) return [`${kept.length} counts were kept for a successor although nothing is left to admit`];
    return claimed === admitted ? [] : [`${claimed} ${verdict} shares were lost and ${admitted} admitted`];
  });
}

/** One pool verdict for each forwarded share, and what pools accepted is what the journal says they did. */
function poolFaults(sim: SimFarm): string[] {
  const faults: string[] = [];
  const verdicts = new Map<number, number>();
  let accepted = 0;
  for (const fact of sim.recorder.of('pool-verdict')) {
    verdicts.set(fact.share, (verdicts.get(fact.share) ?? 0) + 1);
    if (fact.verdict === 'accepted') accepted += 1;
  }
  for (const fact of sim.recorder.of('share')) {
    const expected = fact.forwarding === 'forwarded' ? 1 : 0;
    if ((verdicts.get(fact.share) ?? 0) !== expected) faults.push(`share ${fact.share} (${fact.forwarding}) has ${verdicts.get(fact.share) ?? 0} pool verdicts`);
  }
  const booked = [...sim.pools.values()].reduce((sum, pool) => sum + pool.accepted.size, 0);
  if (accepted > booked) faults.push(`the journal has ${accepted} accepted by pools, they booked ${booked}`);
  return faults;
}

/** All breaches after a run; call `settle` before. */
export function breaches(sim: SimFarm): string[] {
  const { counted, lost, faults } = countedShares(sim);
  return [...sim.faults, ...faults, ...machineFaults(sim, counted, lost), ...admissionFaults(sim, lost), ...poolFaults(sim)];
}

/** Shares the journal holds, by verdict. */
export function verdictCounts(sim: SimFarm): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { verdict } of sim.recorder.of('share')) counts[verdict] = (counts[verdict] ?? 0) + 1;
  return counts;
}
