/** Restarting with back-off, in simulated time. */
import { describe, expect, it } from 'vitest';
import { realWorld, type World } from '../../../config/world.ts';
import { Child, type ChildEvents } from '../../../proxy/net/child.ts';

interface Stage {
  readonly child: Child;
  readonly sentences: string[];
  readonly delays: number[];
  /** How often a process was started. */
  starts(): number;
  readonly sent: object[];
  /** The running process ends after `livedMs`. */
  die(livedMs: number): void;
  /** Lets the pending timer fire. */
  fire(): void;
  advance(ms: number): void;
}

function stage(behaviour: { stopsWhenTold: boolean } = { stopsWhenTold: true }): Stage {
  let nowMs = 0;
  let pending: (() => void) | undefined;
  const delays: number[] = [];
  const world: World = {
    ...realWorld,
    monoMs: () => nowMs,
    after: (delayMs, fire) => {
      delays.push(delayMs);
      pending = fire;
      return {
        cancel: () => {
          if (pending === fire) pending = undefined;
        },
      };
    },
  };
  const sentences: string[] = [];
  const sent: object[] = [];
  const runs: ChildEvents[] = [];
  const child = new Child({
    name: 'accountant',
    world,
    onMessage: () => undefined,
    onCrash: (sentence) => sentences.push(sentence),
    spawn: (events) => {
      runs.push(events);
      return {
        pid: runs.length,
        send: (message) => {
          sent.push(message);
          if (behaviour.stopsWhenTold) queueMicrotask(() => events.onExit('exit code 0'));
          return true;
        },
        kill: () => events.onExit('signal SIGKILL'),
      };
    },
  });
  return {
    child,
    sentences,
    delays,
    sent,
    starts: () => runs.length,
    die: (livedMs) => {
      nowMs += livedMs;
      runs.at(-1)?.onExit('exit code 1');
    },
    fire: () => {
      const due = pending;
      pending = undefined;
      due?.();
    },
    advance: (ms) => {
      nowMs += ms;
    },
  };
}

describe('a child process', () => {
  it('is started again ever later while it keeps crashing, within a second at first', () => {
    const s = stage();
    s.child.start();
    for (let crash = 0; crash < 10; crash++) {
      s.die(50);
      s.fire();
    }
    expect(s.delays).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000]);
    expect(s.child.restarts).toBe(10);
    expect(s.child.looping).toBe(true);
    expect(s.sentences[0]).toBe('The accountant ended (exit code 1) after 50 ms; it is started again in 100 ms.');
    expect(s.sentences[4]).toContain(', crash 5 in a row; it is started again in 1600 ms.');
    s.advance(30_000);
    expect(s.child.looping).toBe(false);
  });

  it('begins a new series after half a minute of health', () => {
    const s = stage();
    s.child.start();
    for (const livedMs of [10, 10, 30_000, 10]) {
      s.die(livedMs);
      s.fire();
    }
    expect(s.delays).toEqual([100, 200, 100, 200]);
  });

  it('is not started again once it was told to stop, also when that meets a pause', async () => {
    const s = stage();
    s.child.start();
    expect(await s.child.stop(1000)).toBe('ended');
    expect(s.sent).toEqual([{ type: 'stop' }]);
    s.fire();
    expect(s.starts()).toBe(1);

    const pausing = stage();
    pausing.child.start();
    pausing.die(10);
    expect(await pausing.child.stop(1000)).toBe('ended');
    pausing.fire();
    expect(pausing.starts()).toBe(1);
    expect(pausing.child.running).toBe(false);
  });

  it('is killed when it does not stop in time', async () => {
    const s = stage({ stopsWhenTold: false });
    s.child.start();
    const stopped = s.child.stop(1000);
    s.fire();
    expect(await stopped).toBe('killed');
    expect(s.delays).toEqual([1000]);
    expect(s.sentences).toEqual([]);
  });

  it('is started once by two restarts that meet, and both are done', async () => {
    const s = stage({ stopsWhenTold: false });
    s.child.start();
    const restarts = Promise.all([s.child.restart(1000), s.child.restart(1000)]);
    s.die(10);
    await restarts;
    expect([s.starts(), s.child.running, s.sentences]).toEqual([2, true, []]);
  });

  it('is not started by a restart that meets a stop, whichever was first', async () => {
    for (const order of ['restart first', 'stop first']) {
      const s = stage({ stopsWhenTold: false });
      s.child.start();
      const restart = (): Promise<void> => s.child.restart(1000);
      const stop = (): Promise<unknown> => s.child.stop(1000);
      const both = Promise.all(order === 'restart first' ? [restart(), stop()] : [stop(), restart()]);
      s.die(10);
      await both;
      expect([order, s.starts(), s.child.running]).toEqual([order, 1, false]);
    }
    const late = stage();
    late.child.start();
    await late.child.stop(1000);
    late.child.start();
    expect([late.starts(), late.child.running]).toEqual([1, false]);
  });
});
