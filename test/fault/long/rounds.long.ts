/** Random sequences of faults, as many as `npm run test:faults -- --rounds N --seed S` asks for. */
import { expect, it } from 'vitest';
import { realWorld } from '../../../config/world.ts';
import { describePlan, planOf, playRound } from '../rounds.ts';

interface Asked {
  readonly rounds: number;
  readonly seed: number;
  /** No round begins later than so many minutes after the first. */
  readonly minutes?: number;
}

const { rounds, seed, minutes = Infinity } = JSON.parse(process.env['WEIGHBRIDGE_ROUNDS'] ?? '{"rounds":1,"seed":1}') as Asked;

it('random sequences of faults: no round breaks what is always true', async () => {
  const failed: string[] = [];
  const beganMs = realWorld.monoMs();
  let round = 0;
  for (; round < rounds && realWorld.monoMs() - beganMs < minutes * 60_000; round += 1) {
    const plan = planOf(seed + round);
    console.log(`round ${round + 1} of ${rounds}, seed ${seed + round}: ${describePlan(plan)}`);
    const roundBeganMs = realWorld.monoMs();
    const result = await playRound(plan).then(() => 'held', (error: unknown) => `FAILED: ${error instanceof Error ? error.message : String(error)}`);
    console.log(`  ${result} (${((realWorld.monoMs() - roundBeganMs) / 1000).toFixed(1)} s)`);
    if (result === 'held') continue;
    failed.push(`seed ${seed + round}: ${result}`);
    console.log(`  repeat it with: npm run test:faults -- --rounds 1 --seed ${seed + round}`);
  }
  console.log(`${round} rounds from seed ${seed}, ${failed.length} failed`);
  expect(failed).toEqual([]);
}, 2 ** 31 - 1);
