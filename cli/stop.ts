/** `stop`: asks a running instance to stop and waits until its data directory is free. */
import { askInstance } from '../proxy/net/control.ts';
import { lockHolder, isAlive } from '../proxy/net/instance.ts';
import { dataDirectory } from './instance.ts';
import { CommandError, EXIT, type ExitCode, type Io } from './io.ts';
import type { ParsedOptions } from './options.ts';

const ANSWER_LIMIT_MS = 3_000;
/** An instance stops in less than two seconds; this one is not well when it needs five. */
const GONE_LIMIT_MS = 5_000;
const LOOK_EVERY_MS = 20;

export async function stop(options: ParsedOptions, io: Io): Promise<ExitCode> {
  const data = dataDirectory(options);
  const beganMs = io.world.monoMs();
  const { pid } = await askInstance(data, 'stop', io.world, ANSWER_LIMIT_MS);
  await untilGone(data, pid, io);
  io.out(`Stopped the instance on ${data} (pid ${pid}) in ${((io.world.monoMs() - beganMs) / 1000).toFixed(1)} s.`);
  return EXIT.ok;
}

/** Waits until an instance that was told to stop has let go of its data directory. */
export async function untilGone(data: string, pid: number, io: Io): Promise<void> {
  const beganMs = io.world.monoMs();
  while (holds(data, pid)) {
    if (io.world.monoMs() - beganMs > GONE_LIMIT_MS) {
      throw new CommandError(`The instance (pid ${pid}) has not stopped after ${GONE_LIMIT_MS / 1000} s; \`kill -9 ${pid}\` ends it without loss of what it answered.`);
    }
    await pause(LOOK_EVERY_MS);
  }
}

function holds(data: string, pid: number): boolean {
  const holder = lockHolder(data);
  return holder !== undefined && holder.pid === pid && isAlive(holder);
}

/** Sleeps with the thread, because the world's timers alone would let this process end; then lets others have a turn. */
function pause(ms: number): Promise<void> {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
  return new Promise((resolve) => void setImmediate(resolve));
}
