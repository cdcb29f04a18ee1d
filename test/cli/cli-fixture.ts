/** Runs one command line against captured streams. */
import { realWorld } from '../../config/world.ts';
import type { DemoOptions } from '../../cli/commands.ts';
import type { Io } from '../../cli/io.ts';
import { main } from '../../cli/main.ts';

export interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  readonly demos: readonly DemoOptions[];
}

/** 2026-03-01T12:34:56Z unless the test needs the real clock. */
export const NOON_MS = 1_772_368_496_000;

export async function run(args: readonly string[], options: { stdin?: string; nowMs?: number } = {}): Promise<Run> {
  const out: string[] = [];
  const err: string[] = [];
  const demos: DemoOptions[] = [];
  const io: Io = {
    out: (text) => void out.push(text.endsWith('\n') ? text : `${text}\n`),
    err: (text) => void err.push(text),
    interactive: false,
    readStdin: () => Promise.resolve(options.stdin ?? ''),
    onSignal: () => undefined,
    onHangup: () => undefined,
    world: { ...realWorld, wallMs: () => options.nowMs ?? NOON_MS },
  };
  const demo = (given: DemoOptions): Promise<void> => {
    demos.push(given);
    return Promise.resolve();
  };
  const code = await main(args, io, { demo });
  return { code, out: out.join(''), err: err.join(''), demos };
}
