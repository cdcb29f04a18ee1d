/** Runs the audit's tasks on threads, or here when there are none (as under a test runner that reads TypeScript). */
import { Worker } from 'node:worker_threads';
import { openRuns, validateSegment, type SegmentResult, type SegmentTask } from './audit-segment.ts';
import type { AuditWorkerData, FromAuditWorker } from './audit-worker.ts';

export interface PoolEvents {
  readonly onShares: (shares: number) => void;
  readonly onResult: (task: SegmentTask, result: SegmentResult) => void;
  /** A task failed with this error; the others go on. */
  readonly onFailure: (task: SegmentTask, error: unknown) => void;
}

/** Threads need the compiled module beside this one. */
export const canThread = import.meta.url.endsWith('.js');

export async function runTasks(tasks: readonly SegmentTask[], directory: string, threads: number, events: PoolEvents): Promise<void> {
  const queue = [...tasks];
  if (threads === 0) return runHere(queue, directory, events);
  const count = Math.min(threads, queue.length);
  await Promise.all(Array.from({ length: count }, (_, writer) => runThread(queue, { directory, writer }, events)));
}

async function runHere(queue: SegmentTask[], directory: string, events: PoolEvents): Promise<void> {
  const runs = openRuns(directory, 0);
  for (const task of queue) {
    try {
      const validation = validateSegment(task, runs);
      let next = validation.next();
      for (; next.done !== true; next = validation.next()) {
        events.onShares(next.value);
        await new Promise((resolve) => setImmediate(resolve));
      }
      events.onResult(task, next.value);
    } catch (error) {
      events.onFailure(task, error);
    }
  }
}

/** One thread takes tasks until none is left; a thread that dies of one is replaced. */
async function runThread(queue: SegmentTask[], workerData: AuditWorkerData, events: PoolEvents): Promise<void> {
  let worker: Worker | undefined;
  for (let task = queue.shift(); task !== undefined; task = queue.shift()) {
    worker ??= new Worker(new URL('./audit-worker.js', import.meta.url), { workerData });
    try {
      events.onResult(task, await runOn(worker, task, events));
    } catch (error) {
      events.onFailure(task, error);
      await worker.terminate();
      worker = undefined;
    }
  }
  await worker?.terminate();
}

function runOn(worker: Worker, task: SegmentTask, events: PoolEvents): Promise<SegmentResult> {
  return new Promise((resolve, reject) => {
    worker.removeAllListeners();
    worker.on('error', reject);
    worker.on('exit', (code) => reject(new Error(`an audit thread ended with code ${code}`)));
    worker.on('message', (message: FromAuditWorker) => {
      if (message.type === 'progress') events.onShares(message.shares);
      else resolve(message.result);
    });
    worker.postMessage(task);
  });
}
