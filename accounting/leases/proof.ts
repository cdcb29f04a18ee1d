/** A statement's figures once more from journals alone: every share validated with bitcoinjs-lib, all folded anew, all valued anew. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { World } from '../../config/world.ts';
import { audit } from '../audit.ts';
import type { AuditReport } from '../audit-report.ts';
import { foldFiles } from '../fold-files.ts';
import { listSegments, type SegmentFile } from '../journal/reader.ts';
import { LocalBook } from '../local-book.ts';
import { HOUR_MS } from '../rows.ts';
import { journalDirectory } from '../store.ts';
import { eventsOf, leaseHistory, statedTimes, type LeaseEvent, type LeaseHistory } from './history.ts';
import type { IssuedStatement } from './issue.ts';
import { digestOf } from './terms.ts';
import { verifyFigures, type Finding } from './verify.ts';

export interface ProofOptions {
  /** Validates so many shares drawn at random instead of all. */
  readonly sample?: number;
  readonly world: World;
}

/** Segments of these data directories that may hold facts of the statement's period, each once. */
export function segmentsOf({ statement }: IssuedStatement, dataDirs: readonly string[]): SegmentFile[] {
  const [fromMs, toMs] = [Date.parse(statement.period.from), Date.parse(statement.period.to)];
  const found = new Map<string, SegmentFile>();
  for (const file of dataDirs.flatMap((dataDir) => listSegments(journalDirectory(dataDir)))) {
    // A pool's verdict on a share may stand in a later segment than the share.
    const meets = file.header.createdMs < toMs + HOUR_MS && (!file.sealed || Math.max(file.lastMs, file.header.createdMs) >= fromMs);
    if (meets) found.set(file.header.segment, file);
  }
  return [...found.values()];
}

/** Nothing of the data directories is changed. */
export async function proveFigures(issued: IssuedStatement, dataDirs: readonly string[], { sample, world }: ProofOptions): Promise<Finding[]> {
  const { period } = issued.statement;
  const scratch = mkdtempSync(join(tmpdir(), 'weighbridge-verify-'));
  try {
    const report = await audit({ dataDir: dataDirs, fromMs: Date.parse(period.from), toMs: Date.parse(period.to), world, ...(sample === undefined ? {} : { sample }) });
    await foldFiles(segmentsOf(issued, dataDirs), scratch, world);
    const book = LocalBook.open(scratch);
    try {
      const events = dataDirs.flatMap((dataDir) => eventsOf(leaseHistory(dataDir), issued.statement.lease));
      return [auditFinding(report), contractFinding(issued, leaseHistory(scratch), events), ...statedFindings(issued, events), ...(await verifyFigures(issued, book, 'journals'))];
    } finally {
      book.close();
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/**
 * Whether the contract of the statement is one that the proxy wrote down, or that was stated.
 *
 * @param events What was stated of the lease at any time: an amendment of the period was recorded after it.
 */
function contractFinding({ statement: { lease, termsDigest } }: IssuedStatement, history: LeaseHistory, events: readonly LeaseEvent[]): Finding {
  const written = history.terms.filter((terms) => terms.lease === lease);
  const found = written.find(({ digest }) => digest === termsDigest);
  if (found !== undefined) return { ok: true, sentence: `Its terms were journaled at ${new Date(found.recorded_ms).toISOString()}.` };
  const amended = events.find(({ event, terms }) => event === 'amendment' && digestOf(JSON.parse(terms)) === termsDigest);
  if (amended !== undefined) return { ok: true, sentence: `Its terms are those of the amendment that was recorded at ${new Date(amended.recorded_ms).toISOString()}: ${amended.reason}.` };
  const changed = events.some(({ event }) => event === 'amendment' || event === 'termination');
  if (changed) return { ok: true, sentence: 'Its terms follow from an amendment or a termination: compare them with what was agreed.' };
  return { ok: written.length === 0, sentence: written.length === 0 ? 'These journals hold no terms of the lease: compare those of the statement with the contract.' : `Its terms are none of the ${written.length} that were journaled for ${lease}: compare them with the contract.` };
}

/** Whether what excuses hours was put on record: without these records the figures rest on the statement's own word for it. */
function statedFindings({ statement: { stated } }: IssuedStatement, events: readonly LeaseEvent[]): Finding[] {
  if (stated.length === 0) return [];
  const recorded = new Set(statedTimes(events).map(({ fromMs, toMs, what, by, reason, document }) => digestOf({ from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString(), what, by, reason, document })));
  const missing = stated.filter((each) => !recorded.has(digestOf(each)));
  const named = missing.map(({ what, from, to, by }) => `${what} ${from} to ${to} by ${by}`).join(', ');
  const sentence = missing.length === 0 ? `What was stated of hours (${stated.length}) is on record in these journals.` : `These journals have no record of what was stated: ${named}. Compare it with what was agreed.`;
  return [{ ok: true, sentence }];
}

function auditFinding(report: AuditReport): Finding {
  const { validated, shares, duplicates, differences, differencesTotal, corrupt, sample } = report;
  const [first] = differences;
  if (first !== undefined) return { ok: false, sentence: `The journals do not prove themselves: ${first.kind} at ${first.where}: ${first.message}${differencesTotal > 1 ? ` (and ${differencesTotal - 1} more; see \`weighbridge audit\`)` : ''}.` };
  if (corrupt.length > 0) return { ok: false, sentence: `${corrupt.length} stretches of the journals are damaged; \`weighbridge audit\` names them.` };
  const drawn = sample === null ? `All ${validated} accepted shares of these journals in the period were` : `Of ${shares} accepted shares of these journals in the period ${validated} were drawn at random and`;
  return { ok: true, sentence: `${drawn} validated with bitcoinjs-lib${duplicates === null ? '' : ', and no header counts twice'}.` };
}
