/** What facts prove by themselves: every share's header from raw bytes, and that nothing refers to what a segment does not hold. */
import { ShareChecker } from '../../accounting/audit-check.ts';
import { referenceHeader } from '../../proxy/mining/reference.ts';
import type { Fact, JobFact, ShareFact } from '../../proxy/session/facts.ts';

/** Like a segment being read: facts in order, each referring only to what came before it. */
export class Evidence {
  /** Sentences about facts that refer to nothing. */
  readonly orphans: string[] = [];
  private readonly auditor = new ShareChecker();
  private readonly links = new Map<number, number>();
  private readonly jobs = new Map<number, { readonly fact: JobFact; readonly slotBytes: number }>();
  private readonly sessions = new Map<number, { prefix: Uint8Array; extranonce2Bytes: number }>();
  private readonly binds = new Map<number, number>();

  private need(known: boolean, fact: Fact, what: string): void {
    if (!known) this.orphans.push(`${fact.type} refers to ${what}`);
  }

  /** `live`: repeated at the head of a segment. */
  read(fact: Fact, live = false): void {
    this.auditor.learn(fact, live);
    if (fact.type === 'share' && fact.verdict === 'accepted') {
      const check = this.auditor.check(fact);
      if (!check.ok) this.orphans.push(`the audit finds share ${fact.share} wrong: ${check.message}`);
    }
    switch (fact.type) {
      case 'link':
        this.links.set(fact.link, fact.extranonce2Bytes);
        return;
      case 'job':
        this.need(this.links.has(fact.link), fact, `link ${fact.link}`);
        this.jobs.set(fact.job, { fact, slotBytes: (this.links.get(fact.link) ?? 0) - fact.paddingBytes });
        return;
      case 'refresh': {
        const original = this.jobs.get(fact.of);
        this.need(original !== undefined, fact, `job ${fact.of}`);
        if (original === undefined) return;
        const content = { ...original.fact.content, ntime: fact.ntime, versionMask: fact.versionMask };
        this.jobs.set(fact.job, { ...original, fact: { ...original.fact, job: fact.job, content } });
        return;
      }
      case 'session':
        this.sessions.set(fact.session, fact);
        return;
      case 'bind':
        this.need(this.sessions.has(fact.session), fact, `session ${fact.session}`);
        this.binds.set(fact.bind, fact.session);
        return;
      case 'share':
        this.need(this.binds.has(fact.bind), fact, `bind ${fact.bind}`);
        if (fact.job !== 0) this.need(this.jobs.has(fact.job), fact, `job ${fact.job}`);
        return;
      case 'pool-verdict':
        this.need(this.binds.has(fact.bind), fact, `bind ${fact.bind}`);
        this.need(this.jobs.has(fact.job), fact, `job ${fact.job}`);
        this.need(this.links.has(fact.link), fact, `link ${fact.link}`);
        return;
      case 'difficulty':
      case 'rejects':
      case 'session-end':
        this.need(this.sessions.has(fact.session), fact, `session ${fact.session}`);
        return;
      default:
    }
  }

  /** The header of a share, hex, by bitcoinjs-lib; undefined when the facts do not suffice. */
  headerOf(share: ShareFact): string | undefined {
    const job = this.jobs.get(share.job);
    const session = this.sessions.get(this.binds.get(share.bind) ?? 0);
    if (job === undefined || session === undefined) return undefined;
    const zeros = job.slotBytes - session.prefix.length - share.extranonce2.length;
    if (zeros < 0) return undefined;
    const extranonce = Buffer.concat([Buffer.alloc(zeros), session.prefix, share.extranonce2]);
    return Buffer.from(referenceHeader(job.fact.content, extranonce, share.ntime, share.nonce, share.version).header).toString('hex');
  }
}
