/** Validates the accepted shares of one segment, or of one part of it, and notes their header hashes. */
import { createHash } from 'node:crypto';
import type { PoolVerdictFact, ShareFact } from '../proxy/session/facts.ts';
import { ShareChecker } from './audit-check.ts';
import { Differences, type Difference } from './audit-report.ts';
import { RunWriter } from './audit-runs.ts';
import { openSegment } from './segment-file.ts';

/** Plain data: it travels to a thread. */
export interface SegmentTask {
  /** Index in the audit's plan. */
  readonly index: number;
  readonly path: string;
  readonly limit: number | undefined;
  /** Shares whose number modulo `parts` is `part`. */
  readonly part: number;
  readonly parts: number;
  /** Only shares found in [fromMs, toMs). */
  readonly fromMs: number;
  readonly toMs: number;
  /** Share numbers to look at; undefined: all, and their hashes are noted. */
  readonly chosen: readonly number[] | undefined;
}

export interface SegmentResult {
  readonly validated: number;
  readonly unproven: number;
  readonly differences: readonly Difference[];
  readonly differencesTotal: number;
}

/** Header hashes of accepted shares, and digests that stand for (process, share) of pool verdicts. */
export interface Runs {
  readonly headers: RunWriter;
  readonly verdicts: RunWriter;
}

export function openRuns(directory: string, writer: number): Runs {
  return { headers: new RunWriter(directory, 'header', writer), verdicts: new RunWriter(directory, 'verdict', writer) };
}

/** Shares between two reports of progress. */
const PROGRESS_SHARES = 500;

/** Yields the number of shares validated since it last did, so that the caller may report and breathe. */
export function* validateSegment(task: SegmentTask, runs: Runs): Generator<number, SegmentResult, undefined> {
  const chosen = task.chosen === undefined ? undefined : new Set(task.chosen);
  const checker = new ShareChecker();
  const differences = new Differences();
  const reader = openSegment(task.path, task.limit);
  let validated = 0;
  let reported = 0;
  let unproven = 0;
  const { process, segment } = reader.header;
  try {
    for (const event of reader.events(0)) {
      if (event.kind === 'corrupt') continue;
      const { fact } = event;
      if (fact.type === 'pool-verdict' && !event.live && chosen === undefined) noteVerdict(fact, process, task, runs);
      if (fact.type !== 'share') {
        checker.learn(fact, event.live);
        continue;
      }
      if (event.live || fact.verdict !== 'accepted' || !isWanted(fact, task, chosen)) continue;
      const result = checker.check(fact);
      validated += 1;
      if (!result.ok) differences.add(result.kind, `${segment} share ${fact.share}`, result.message);
      else if (result.unproven) unproven += 1;
      if (result.ok && chosen === undefined) runs.headers.add(result.hash, task.index, fact.share);
      if (validated - reported >= PROGRESS_SHARES) {
        yield validated - reported;
        reported = validated;
      }
    }
  } finally {
    reader.close();
  }
  runs.headers.flush();
  runs.verdicts.flush();
  if (validated > reported) yield validated - reported;
  return { validated, unproven, differences: differences.list, differencesTotal: differences.total };
}

function isWanted(share: ShareFact, task: SegmentTask, chosen: ReadonlySet<number> | undefined): boolean {
  if (share.atMs < task.fromMs || share.atMs >= task.toMs) return false;
  return chosen === undefined ? share.share % task.parts === task.part : chosen.has(share.share);
}

function noteVerdict(fact: PoolVerdictFact, process: string, task: SegmentTask, runs: Runs): void {
  if (fact.share % task.parts !== task.part) return;
  runs.verdicts.add(createHash('sha256').update(`${process} ${fact.share}`).digest(), task.index, fact.share);
}
