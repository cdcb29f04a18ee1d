/** Every share that a data directory's journals hold, with its header rebuilt from raw bytes by the rig's own arithmetic. */
import { SegmentReader, listSegments } from '../../accounting/journal/reader.ts';
import { journalDirectory } from '../../accounting/store.ts';
import type { BindFact, Fact, JobFact, LinkFact, PoolVerdictFact, SessionFact, ShareFact, UnjournaledFact } from '../../proxy/session/facts.ts';
import { headerOf, merkleRoot, type RigJob } from '../rig/work.ts';

export interface JournaledShare {
  /** '' when its job is not known. */
  readonly headerHex: string;
  readonly fact: ShareFact;
  readonly worker: string;
  readonly lessee: string;
  readonly site: string;
  readonly pool: string;
  /** Hex; what its pool gave to the one connection that the share's job came on. */
  readonly upstreamExtranonce1: string;
  /** UUID of the run of the process that journaled it. */
  readonly run: string;
  /** When its job came from the pool; 0 when its job is not known. */
  readonly jobAtMs: number;
  /** What the pool said, if anything was said. */
  poolVerdict: PoolVerdictFact | undefined;
}

export interface JournalContent {
  readonly shares: readonly JournaledShare[];
  readonly sessions: readonly SessionFact[];
  readonly unjournaled: readonly UnjournaledFact[];
  readonly corruptRanges: number;
}

/** What one run of a proxy process has said so far, by the numbers it gave. */
interface Run {
  readonly uuid: string;
  readonly links: Map<number, LinkFact>;
  readonly jobs: Map<number, JobFact>;
  readonly sessions: Map<number, SessionFact>;
  readonly binds: Map<number, BindFact>;
  readonly shares: Map<number, JournaledShare>;
  /** Shares of which only a pool's verdict is journaled. */
  readonly strangers: Set<number>;
}

/** Reads all segments in their order. What the head of a segment repeats gives context and does not count again. */
export function readJournal(dataDir: string): JournalContent {
  const runs = new Map<string, Run>();
  const unjournaled: UnjournaledFact[] = [];
  let corruptRanges = 0;
  for (const { path, limit } of listSegments(journalDirectory(dataDir))) {
    const reader = SegmentReader.open(path, limit);
    const run = runs.get(reader.header.process) ?? { uuid: reader.header.process, links: new Map(), jobs: new Map(), sessions: new Map(), binds: new Map(), shares: new Map(), strangers: new Set() };
    runs.set(reader.header.process, run);
    for (const event of reader.events(0)) {
      if (event.kind === 'corrupt') corruptRanges += 1;
      else if (event.fact.type === 'unjournaled') unjournaled.push(event.fact);
      else note(run, event.fact, event.live);
    }
    reader.close();
  }
  const all = [...runs.values()];
  const strangers = all.flatMap((run) => [...run.strangers]);
  // A share that a full disk did not take may have reached the pool.
  if (strangers.length > unjournaled.reduce((sum, { count }) => sum + count, 0)) throw new Error(`verdicts of shares ${strangers.join(', ')}, which are not journaled`);
  return { shares: all.flatMap(({ shares }) => [...shares.values()]), sessions: all.flatMap(({ sessions }) => [...sessions.values()]), unjournaled, corruptRanges };
}

function note(run: Run, fact: Fact, live: boolean): void {
  switch (fact.type) {
    case 'link':
      run.links.set(fact.link, fact);
      return;
    case 'job':
      run.jobs.set(fact.job, fact);
      return;
    case 'refresh': {
      const original = run.jobs.get(fact.of);
      if (original !== undefined) run.jobs.set(fact.job, { ...original, job: fact.job });
      return;
    }
    case 'session':
      run.sessions.set(fact.session, fact);
      return;
    case 'bind':
      run.binds.set(fact.bind, fact);
      return;
    case 'share':
      if (live) throw new Error(`share ${fact.share} is repeated at a segment's head`);
      if (run.shares.has(fact.share)) throw new Error(`share ${fact.share} is journaled twice`);
      run.shares.set(fact.share, describe(run, fact));
      return;
    case 'pool-verdict': {
      const share = run.shares.get(fact.share);
      if (live) throw new Error(`the verdict of share ${fact.share} is repeated at a segment's head`);
      if (share === undefined) {
        run.strangers.add(fact.share);
        return;
      }
      if (share.poolVerdict !== undefined) throw new Error(`share ${fact.share} has two pool verdicts`);
      share.poolVerdict = fact;
      return;
    }
    default:
  }
}

function describe(run: Run, fact: ShareFact): JournaledShare {
  const bind = run.binds.get(fact.bind);
  const session = run.sessions.get(bind?.session ?? 0);
  const job = run.jobs.get(fact.job);
  const link = run.links.get(job?.link ?? 0);
  const headerHex = session === undefined || job === undefined || link === undefined ? '' : rebuild(fact, session, job, link);
  const upstreamExtranonce1 = Buffer.from(link?.extranonce1 ?? []).toString('hex');
  return { headerHex, fact, worker: bind?.worker ?? '', lessee: bind?.lessee ?? '', site: session?.site ?? '', pool: link?.pool ?? '', upstreamExtranonce1, run: run.uuid, jobAtMs: job?.atMs ?? 0, poolVerdict: undefined };
}

/** The 160 hex digits of the header that was hashed. */
function rebuild(share: ShareFact, session: SessionFact, job: JobFact, link: LinkFact): string {
  const { content } = job;
  const zeros = link.extranonce2Bytes - job.paddingBytes - session.prefix.length - session.extranonce2Bytes;
  const work: RigJob = {
    id: '',
    prevhash: Buffer.from(content.prevhash),
    coinb1: Buffer.from(content.coinb1),
    coinb2: Buffer.from(content.coinb2),
    branches: Array.from({ length: content.branches.length / 32 }, (_, index) => Buffer.from(content.branches.subarray(index * 32, index * 32 + 32))),
    version: content.version,
    nBits: content.nBits,
    ntime: content.ntime,
    clean: job.clean,
  };
  const extranonce = Buffer.concat([Buffer.alloc(Math.max(0, zeros)), session.prefix, share.extranonce2]);
  return headerOf(work, merkleRoot(work, extranonce), share.ntime, share.nonce, share.version).toString('hex');
}
