/** What the journals hold of documents: the digests of statements, countersignatures and imports, from the moment that each was made. */
import { commandFacts } from '../journal/note.ts';
import { listSegments, SegmentReader } from '../journal/reader.ts';
import { journalDirectory } from '../store.ts';
import type { IssuedStatement } from './issue.ts';
import type { Finding } from './verify.ts';

export interface RecordedDocument {
  readonly kind: string;
  readonly name: string;
  readonly digest: string;
  readonly atMs: number;
}

/** A statement's digest is journaled as it is issued: this much apart, and its time is another one. */
const ISSUE_MS = 10 * 60_000;

/** What the journals of some data directories tell of documents, and how far they reach; undefined where there are none. */
export interface Records {
  readonly documents: readonly RecordedDocument[];
  readonly reachedMs: number | undefined;
}

export function recordsOf(dataDirs: readonly string[]): Records {
  return { documents: recordedDocuments(dataDirs), reachedMs: reachedMs(dataDirs) };
}

/** In the order of time. */
function recordedDocuments(dataDirs: readonly string[]): RecordedDocument[] {
  const found = new Map<string, RecordedDocument>();
  for (const dataDir of dataDirs) {
    for (const fact of commandFacts(journalDirectory(dataDir))) {
      if (fact.type === 'document') found.set(JSON.stringify([fact.kind, fact.name, fact.digest, fact.atMs]), { kind: fact.kind, name: fact.name, digest: fact.digest, atMs: fact.atMs });
    }
  }
  return [...found.values()].toSorted((a, b) => a.atMs - b.atMs);
}

function reachedMs(dataDirs: readonly string[]): number | undefined {
  const files = dataDirs.flatMap((dataDir) => listSegments(journalDirectory(dataDir)));
  if (files.length === 0) return undefined;
  // What is still written to has no end on record; its last facts tell.
  const ends = files.map((file) => (file.sealed ? Math.max(file.lastMs, file.header.createdMs) : lastFactMs(file.path, file.limit, file.header.createdMs)));
  return ends.reduce((a, b) => Math.max(a, b));
}

function lastFactMs(path: string, limit: number | undefined, createdMs: number): number {
  const reader = SegmentReader.open(path, limit);
  let last = createdMs;
  try {
    for (const event of reader.events(0)) if (event.kind === 'fact' && !event.live) last = Math.max(last, event.fact.atMs);
  } finally {
    reader.close();
  }
  return last;
}

/** Whether the statement is the one whose digest was journaled when it was issued, and the one before it too. */
export function journaledFindings(issued: IssuedStatement, { documents, reachedMs: reached }: Records): Finding[] {
  const { statement: { number, issuedAt, previous, lease }, digest } = issued;
  const statements = documents.filter(({ kind, name }) => kind === 'statement' && isOf(lease, name));
  const under = statements.filter(({ name }) => name === number);
  const own = under.findLast((each) => each.digest === digest);
  if (own === undefined) return [notJournaled(under, Date.parse(issuedAt), reached)];
  const later = under.slice(under.indexOf(own) + 1).find((each) => each.digest !== digest);
  if (later !== undefined) return [wrong(`Another statement was journaled under its number at ${iso(later.atMs)}, with digest ${short(later.digest)}: that one replaced it.`)];
  if (Math.abs(own.atMs - Date.parse(issuedAt)) > ISSUE_MS) return [wrong(`It says that it was issued at ${issuedAt}, and its digest was journaled at ${iso(own.atMs)}.`)];
  const earlier = under.find((each) => each.digest !== digest);
  const beforeIt = statements.slice(0, statements.indexOf(own)).findLast(({ name }) => name !== number);
  return [
    { ok: true, sentence: `Its digest was journaled at ${iso(own.atMs)}.${earlier === undefined ? '' : ` Another one was journaled under its number before, at ${iso(earlier.atMs)}, with digest ${short(earlier.digest)}.`}` },
    ...previousFinding(previous, beforeIt),
  ];
}

function notJournaled(under: readonly RecordedDocument[], issuedMs: number, reached: number | undefined): Finding {
  const other = under.at(-1);
  if (other !== undefined) return wrong(`It is not the statement that was journaled under its number: that has the digest ${short(other.digest)}, journaled at ${iso(other.atMs)}.`);
  if (reached === undefined) return { ok: true, sentence: 'No journal is here to tell whether its digest was journaled when it was issued.' };
  if (reached < issuedMs) return { ok: true, sentence: `These journals end at ${iso(reached)}, before it was issued: whether its digest was journaled then, only later ones tell.` };
  return wrong(`Its digest is in none of these journals, which reach to ${iso(reached)}: it was signed and never issued.`);
}

/** Nothing that was journaled may be left out of the chain. */
function previousFinding(previous: IssuedStatement['statement']['previous'], recorded: RecordedDocument | undefined): Finding[] {
  if (recorded === undefined) return [];
  if (previous !== null && previous.number === recorded.name && previous.digest === recorded.digest) return [{ ok: true, sentence: `${recorded.name} was journaled before it, with the digest that it names.` }];
  const named = previous === null ? 'it names none' : `it names ${previous.number} with digest ${short(previous.digest)}`;
  return [wrong(`Before it ${recorded.name} was journaled, with digest ${short(recorded.digest)}, and ${named}.`)];
}

/** Numbers are the lease, its period and the revision. */
function isOf(lease: string, number: string): boolean {
  return number.startsWith(`${lease}-`) && /^\d{4}-\d{2}(?:-\d{2})?\/\d+$/.test(number.slice(lease.length + 1));
}

function wrong(sentence: string): Finding {
  return { ok: false, sentence };
}

function short(digest: string): string {
  return `${digest.slice(0, 16)}…`;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
