/**
 * `npm run test:faults`: the fault tests that take minutes. With --rounds N only random sequences of faults, N of them, from
 * seed S on (--seed S; a fresh one by default); --minutes M begins no further round after M minutes.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { realWorld } from '../../config/world.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const USAGE = 'npm run test:faults [-- --rounds N [--seed S] [--minutes M]], each a whole number';
const DEFAULT_ROUNDS = 5;
const SEEDS = 1_000_000;

/** A whole number from 0 to 2^32 − 1; undefined when it was left out. */
function whole(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const number = /^\d{1,10}$/.test(text) ? Number(text) : NaN;
  if (number < 2 ** 32) return number;
  throw new Error(`--${name} must be a whole number from 0 to ${2 ** 32 - 1}, not ${JSON.stringify(text)}. Usage: ${USAGE}`);
}

function main(): number {
  const { values } = parseArgs({ options: { rounds: { type: 'string' }, seed: { type: 'string' }, minutes: { type: 'string' } } });
  const rounds = whole('rounds', values.rounds);
  const plan = {
    rounds: rounds ?? DEFAULT_ROUNDS,
    seed: whole('seed', values.seed) ?? realWorld.random.u32() % SEEDS,
    minutes: whole('minutes', values.minutes),
  };
  const files = rounds === undefined ? [] : ['test/fault/long/rounds.long.ts'];
  const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
  const run = spawnSync(process.execPath, [vitest, 'run', '--config', 'vitest.faults.config.ts', ...files], {
    cwd: ROOT, stdio: 'inherit', env: { ...process.env, WEIGHBRIDGE_ROUNDS: JSON.stringify(plan) },
  });
  return run.status ?? 1;
}

try {
  process.exitCode = main();
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 2;
}
