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
import { leaseHistory } from './history.ts';
import { importedAt } from './imported.ts';
import { proveInventory } from './inventory-proof.ts';
import type { IssuedStatement } from './issue.ts';
import { recordFindings } from './on-record.ts';
import { signedFindings, type Signed } from './signed.ts';
import { verifyFigures } from './figures.ts';
import { wellFormed, type Finding } from './verify.ts';

export interface ProofOptions {
  /** Validates so many shares drawn at random instead of all. */
  readonly sample?: number;
  /** Other issued statements of the lease. */
  readonly others: readonly IssuedStatement[];
  /** What shows that amendments were signed. */
  readonly signed: Signed;
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
export async function proveFigures(issued: IssuedStatement, dataDirs: readonly string[], { sample, others, signed, world }: ProofOptions): Promise<Finding[]> {
  const { period } = issued.statement;
  const scratch = mkdtempSync(join(tmpdir(), 'weighbridge-verify-'));
  try {
    const report = await audit({ dataDir: dataDirs, fromMs: Date.parse(period.from), toMs: Date.parse(period.to), world, ...(sample === undefined ? {} : { sample }) });
    await foldFiles(segmentsOf(issued, dataDirs), scratch, world);
    const book = LocalBook.open(scratch);
    try {
      // Terms are repeated at the head of each segment; what was stated may have been recorded at any time.
      const history = { ...leaseHistory(...dataDirs), terms: leaseHistory(scratch).terms };
      const inventory = proveInventory(issued, dataDirs);
      return [auditFinding(report), ...wellFormed(() => [...recordFindings(issued, history, 'journals'), ...signedFindings(issued, history, signed)]), ...inventory.findings, ...(await verifyFigures(issued, { book, source: 'journals', history, others, imported: importedAt(dataDirs, signed.records, Date.parse(issued.statement.issuedAt)), inventory }))];
    } finally {
      book.close();
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function auditFinding(report: AuditReport): Finding {
  const { validated, shares, duplicates, differences, differencesTotal, corrupt, sample } = report;
  const [first] = differences;
  if (first !== undefined) return { ok: false, sentence: `The journals do not prove themselves: ${first.kind} at ${first.where}: ${first.message}${differencesTotal > 1 ? ` (and ${differencesTotal - 1} more; see \`weighbridge audit\`)` : ''}.` };
  if (corrupt.length > 0) return { ok: false, sentence: `${corrupt.length} stretches of the journals are damaged; \`weighbridge audit\` names them.` };
  const drawn = sample === null ? `All ${validated} accepted shares of these journals in the period were` : `Of ${shares} accepted shares of these journals in the period ${validated} were drawn at random and`;
  return { ok: true, sentence: `${drawn} validated with bitcoinjs-lib${duplicates === null ? '' : ', and no header counts twice'}.` };
}
