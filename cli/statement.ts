/** `statement`: drafts one, or issues it numbered, signed and chained. */
import { draft, findLease, isWhole, unrecordedTerms } from '../accounting/leases/draft.ts';
import { countersignatures, disputeOf, stateOf } from '../accounting/leases/agreement.ts';
import { leaseHistory } from '../accounting/leases/history.ts';
import { issuedStatements, keepStatement, latestOf, nextStatement, type IssuedFile } from '../accounting/leases/issue.ts';
import { signingKey } from '../accounting/leases/keys.ts';
import { statementPdf, type Seal } from '../accounting/leases/pdf.ts';
import { STATEMENT_CSV_HEAD, statementCsvRows } from '../accounting/leases/statement-csv.ts';
import { retroactiveChanges } from '../accounting/leases/retroactive.ts';
import type { StatementDraft } from '../accounting/leases/statement.ts';
import type { Config } from '../config/schema.ts';
import { acceptCountersignature, countersignFile, disputeStatement } from './agreement.ts';
import { openBook } from './book.ts';
import { csv, table } from './format.ts';
import { readConfig } from './instance.ts';
import { CommandError, EXIT, type ExitCode, type Io, usageError, writeOut } from './io.ts';
import { reasonText, type ParsedOptions } from './options.ts';
import { recordDocument } from './record.ts';

const FORMATS = ['json', 'csv', 'pdf'] as const;
type Format = (typeof FORMATS)[number];

export async function statement(options: ParsedOptions, io: Io): Promise<ExitCode> {
  const { text } = options;
  const action = options.argument ?? 'draft';
  if (action === 'countersign') return countersignFile(options, io);
  const file = text['config'];
  if (file === undefined) throw usageError('Say whose statement: --config FILE.');
  const lease = text['lease'];
  if (lease === undefined) throw usageError('Say which lease: --lease ID.');
  const config = readConfig(file);
  const terms = findLease(config, lease);
  if ('refused' in terms) throw new CommandError(terms.refused);
  if (action === 'accept') return acceptCountersignature(config, lease, options, io);
  if (action === 'dispute') return disputeStatement(config, lease, options, io);
  const issued = issuedStatements(config.data, lease);
  if (action === 'list') {
    io.out(listText(issued, io.world.wallMs()));
    return EXIT.ok;
  }
  if (action !== 'draft' && action !== 'issue') throw usageError(`There is no \`statement ${action}\`; there are draft, issue, list, countersign, accept and dispute.`);
  const period = text['period'];
  if (period === undefined) throw usageError('Say which period: --period 2026-11.');
  const format = formatOf(text['format'], text['out']);
  const printed = action === 'issue' ? await issue(config, options, lease, period, issued, io) : { document: await drafted(config, options, lease, period, issued, io) };
  await print(printed, format, text['out'], io);
  return EXIT.ok;
}

interface Printed {
  readonly document: StatementDraft;
  /** Of an issued one: the exact text of its file. */
  readonly text?: string;
  readonly seal?: Seal;
}

/** Looked at before anything is issued. */
function formatOf(text: string | undefined, out: string | undefined): Format {
  const format = FORMATS.find((each) => each === (text ?? 'json'));
  if (format === undefined) throw usageError(`--format ${text ?? ''} must be one of ${FORMATS.join(', ')}.`);
  if (format === 'pdf' && out === undefined) throw usageError('A PDF is written to a file: --out FILE.');
  return format;
}

async function drafted(config: Config, options: ParsedOptions, lease: string, period: string, issued: readonly IssuedFile[], io: Io): Promise<StatementDraft> {
  const book = await openBook(options, io);
  try {
    const result = await draft(config, { lease, period, nowMs: io.world.wallMs() }, book, issued);
    if ('refused' in result) throw new CommandError(result.refused);
    return result;
  } finally {
    book.close();
  }
}

/** What was issued is printed again without looking at the ledger, so that it can never come out otherwise. Terms that are not on record are not signed. */
async function issue(config: Config, options: ParsedOptions, lease: string, period: string, issued: readonly IssuedFile[], io: Io): Promise<Printed> {
  const { correct, reason } = options.text;
  if ((correct === undefined) !== (reason === undefined)) throw usageError('--correct NUMBER and --reason TEXT go together.');
  const standing = latestOf(issued, period);
  if (standing !== undefined && correct === undefined) return printedOf(standing);
  const history = leaseHistory(config.data);
  const without = unrecordedTerms(history, lease);
  if (without !== undefined) throw new CommandError(`${without}.`);
  const [unrecorded] = retroactiveChanges(config, history, io.world.wallMs()).filter((each) => each.lease === lease);
  if (unrecorded !== undefined) throw new CommandError(`${lease} ${unrecorded.message}. Without \`issue\` a draft by the terms on record is printed.`);
  const fresh = await drafted(config, options, lease, period, issued, io);
  const terms = findLease(config, lease);
  if ('refused' in terms) throw new CommandError(terms.refused);
  if (!isWhole(fresh, fresh.contract.lease)) throw new CommandError(`${period} is not over in ${terms.lease.timezone}: a statement is issued for whole periods. Without \`issue\` a draft is printed.`);
  const change = correct === undefined || reason === undefined ? undefined : { number: correct, reason: reasonText(reason) };
  const made = nextStatement(config.data, fresh, signingKey(config.data, io.world), io.world.wallMs(), change);
  if (made.isNew) {
    await recordDocument(config.data, 'statement', made.issued.statement.number, made.issued.digest, io.world);
    keepStatement(made);
  }
  return printedOf(made);
}

function printedOf({ issued, text }: IssuedFile): Printed {
  const { statement: document, digest, signature } = issued;
  return { document, text, seal: { digest, key: signature.key, issuedAt: document.issuedAt, correction: document.correction } };
}

async function print(printed: Printed, format: Format, out: string | undefined, io: Io): Promise<void> {
  if (format === 'pdf' && out !== undefined) {
    writeOut(out, await statementPdf(printed.document, printed.seal));
    return;
  }
  const bytes = format === 'csv' ? `${csv(STATEMENT_CSV_HEAD, statementCsvRows(printed.document))}\r\n` : (printed.text ?? `${JSON.stringify(printed.document, null, 2)}\n`);
  if (out === undefined) io.out(bytes);
  else writeOut(out, bytes);
}

function listText(issued: readonly IssuedFile[], nowMs: number): string {
  if (issued.length === 0) return 'No statement of this lease has been issued.';
  const rows = issued.map((each) => {
    const { number, issuedAt, netDue, correction } = each.issued.statement;
    const due = netDue.map(({ payer, payee, currency, amount }) => `${payer} owes ${payee} ${amount} ${currency}`).join('; ');
    return [number, stateOf(each, issued, nowMs), issuedAt.slice(0, 16).replace('T', ' '), countersignatures(each).map(({ party }) => party).join(', '), due, correction?.reason ?? disputeOf(each)?.reason ?? ''];
  });
  return table([{ title: 'number' }, { title: 'state' }, { title: 'issued (UTC)' }, { title: 'also signed by' }, { title: 'net due' }, { title: 'why corrected or disputed' }], rows);
}
