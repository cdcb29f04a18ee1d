/** A thread of the audit: takes segments one at a time and says how it gets on. */
import { parentPort, workerData } from 'node:worker_threads';
import { openRuns, validateSegment, type SegmentResult, type SegmentTask } from './audit-segment.ts';

export interface AuditWorkerData {
  readonly directory: string;
  readonly writer: number;
}
export type FromAuditWorker =
  | { readonly type: 'progress'; readonly shares: number }
  | { readonly type: 'done'; readonly result: SegmentResult };

const { directory, writer } = workerData as AuditWorkerData;
const runs = openRuns(directory, writer);

parentPort?.on('message', (task: SegmentTask) => {
  const validation = validateSegment(task, runs);
  for (let next = validation.next(); ; next = validation.next()) {
    if (next.done === true) {
      post({ type: 'done', result: next.value });
      return;
    }
    post({ type: 'progress', shares: next.value });
  }
});

function post(message: FromAuditWorker): void {
  parentPort?.postMessage(message);
}
