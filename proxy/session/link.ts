/** One upstream connection: negotiation, what is in force, shares under way. Its owner (the farm) decides what to do with jobs. */
import type { PoolConfig } from '../../config/schema.ts';
import type { Convention } from '../mining/versions.ts';
import {
  formatUrl,
  poolReason,
  readConfigureResult,
  readSubscribeResult,
  sameRegistrableDomain,
  type UpstreamMessage,
} from '../protocol/upstream.ts';
import { formatError, formatResult } from '../protocol/downstream.ts';
import { AskedDifficulty } from './asked-difficulty.ts';
import { AUTHORIZE_ID, CONFIGURE_ID, SUBSCRIBE_ID, SUGGEST_ID, USER_AGENT, greeting, introduction } from './greeting.ts';
import type { LinkOwner, NotifyMessage, PendingShare } from './link-owner.ts';
import { Outbox } from './outbox.ts';
import type { Outlet } from './outlets.ts';
import { PassedNames } from './passed-names.ts';
import type { Session } from './session.ts';
import type { Now, Sink } from './sink.ts';
import { LINK_TABLE, type LinkState } from './states.ts';
import { TokenBucket } from './token-bucket.ts';

/** Widest window any server takes (reference §9). */
const NTIME_ROLL_MAX_S = 7000;
/** Seconds' worth of submits that may go at once. */
const BURST_S = 10;

type SetExtranonce = Extract<UpstreamMessage, { kind: 'set-extranonce' }>;

/** Lines between two good jobs that cannot be used; a pool with a dialect of its own sends a few. */
const USELESS_LINES_MAX = 1000;

export class Link {
  readonly number: number;
  outlet: Outlet;
  readonly host: string;
  readonly port: number;
  state: LinkState = 'waiting';
  extranonce1: Uint8Array = new Uint8Array(0);
  extranonce2Bytes = 0;
  /** 0 while the pool grants none. */
  versionMask = 0;
  /** In force from the next notify; Stratum's default is 1. */
  difficulty = '1';
  /** When extranonce and mask were written down; 0 before. */
  subscribedWall = 0;
  openedMono = 0;
  liveSinceMono: number | undefined;
  lastLineMono = 0;
  lastNotifyMono: number | undefined;
  lastBroadcastMono = 0;
  lastExclusiveMono = Number.NEGATIVE_INFINITY;
  readonly outbox: Outbox;
  readonly sessions = new Set<Session>();
  /** Undefined where all shares go under one name. */
  readonly names: PassedNames | undefined;
  /** Since when the pool has sent nothing usable as work, though it sends: undefined while its last job was good. */
  uselessSinceMono: number | undefined;
  /** When the pool last answered a share. */
  lastAnswerMono = 0;
  private uselessLines = 0;
  /** Came before the pool took our name, with what was in force for it. */
  private early: { readonly job: NotifyMessage; readonly difficulty: string; readonly extranonce: SetExtranonce | undefined } | undefined;
  private nextExtranonce: SetExtranonce | undefined;
  /** Where the pool asked to come back to, when it did. */
  reconnectTo: { host: string; port: number; waitMs: number } | undefined;
  /** How this pool combines the sixth parameter; learnt from its rejects when configured as auto. */
  convention: Convention;
  /** The pool has accepted work that only this convention describes. */
  conventionShown: boolean;
  private bucket: TokenBucket;
  private asked: AskedDifficulty | undefined;
  private readonly sink: Sink;
  private readonly owner: LinkOwner;

  constructor(number: number, outlet: Outlet, target: { host: string; port: number }, sink: Sink, owner: LinkOwner) {
    const { config } = outlet;
    this.number = number;
    this.outlet = outlet;
    this.names = config.identity === 'passthrough' ? new PassedNames() : undefined;
    this.host = target.host;
    this.port = target.port;
    this.convention = config.convention === 'auto' ? 'replace' : config.convention;
    this.conventionShown = config.convention !== 'auto';
    this.bucket = new TokenBucket(config.submitsPerSecondMax, BURST_S);
    this.sink = sink;
    this.owner = owner;
    this.outbox = new Outbox((lines) => sink.toLink(this, lines), (share) => owner.linkShed(this, share));
  }

  /** Shares sent or to be sent and not yet answered, by request id, oldest first. */
  get pending(): Map<number, PendingShare> {
    return this.outbox.pending;
  }

  get pool(): string {
    return this.outlet.pool;
  }

  get config(): PoolConfig {
    return this.outlet.config;
  }

  /** Options that need no new connection have changed. */
  adjust(outlet: Outlet): void {
    const { submitsPerSecondMax, convention } = outlet.config;
    if (submitsPerSecondMax !== this.config.submitsPerSecondMax) this.bucket = new TokenBucket(submitsPerSecondMax, BURST_S);
    if (convention !== this.config.convention) {
      this.conventionShown = convention !== 'auto';
      if (convention !== 'auto') this.convention = convention;
    }
    this.outlet = outlet;
  }

  /** Seconds after a job's ntime that the pool takes shares for. */
  get ntimeRollS(): number {
    return Math.min(NTIME_ROLL_MAX_S, Math.floor(this.config.ntimeRollMs / 1000));
  }

  get url(): string {
    return formatUrl(this.config.tls, this);
  }

  dial(now: Now): void {
    this.state = 'dialling';
    this.openedMono = now.monoMs;
    this.lastLineMono = now.monoMs;
    this.sink.dial(this);
  }

  opened(now: Now): void {
    if (LINK_TABLE[this.state].opened !== 'negotiate') return;
    this.state = 'negotiating';
    this.lastLineMono = now.monoMs;
    this.sink.toLink(this, greeting(this.outlet));
  }

  closed(reason: string): void {
    if (LINK_TABLE[this.state].closed === 'end') this.end(reason);
  }

  /** Ends the link from our side. */
  end(reason: string): void {
    if (this.state === 'ended') return;
    this.state = 'ended';
    this.outbox.end();
    this.sink.closeLink(this);
    this.owner.linkEnded(this, reason);
  }

  /** Whether its cap on submits leaves room for one more. */
  maySubmit(now: Now): boolean {
    return this.bucket.take(now.monoMs);
  }

  /** What is to be said to the pool from time to time: the difficulty once more, and names that are new, some at a time. */
  tick(now: Now): void {
    const again = this.asked?.again(this.outlet, this.difficulty, now.monoMs) ?? '';
    const names = this.names?.authorizations(() => this.outbox.giveId(), this.outlet.password) ?? '';
    if (again + names !== '') this.sink.toLink(this, again + names);
  }

  private named(worker: string, message: Extract<UpstreamMessage, { kind: 'response' }>): void {
    const refused = !message.ok ? `${message.code} ${message.text}`.trim() : message.result === false ? 'false' : undefined;
    this.names?.answered(worker, refused === undefined);
    if (refused !== undefined) this.owner.linkRefusedName(this, worker, refused);
  }

  message(message: UpstreamMessage, now: Now): void {
    if (message.kind !== 'malformed') this.lastLineMono = now.monoMs;
    const action = LINK_TABLE[this.state][message.kind];
    switch (action) {
      case 'early-job':
        this.early = { job: message as NotifyMessage, difficulty: this.difficulty, extranonce: this.nextExtranonce ?? this.early?.extranonce };
        this.nextExtranonce = undefined;
        return;
      case 'job':
        this.job(message as NotifyMessage, now);
        return;
      case 'answer':
        this.answer(message as Extract<UpstreamMessage, { kind: 'response' }>, now);
        return;
      case 'reconnect':
        this.reconnect(message as Extract<UpstreamMessage, { kind: 'reconnect' }>);
        return;
      case 'count':
        this.useless((message as { reason: string }).reason, now);
        return;
      case 'ignore':
        return;
      case 'difficulty':
      case 'extranonce':
      case 'mask':
      case 'message':
      case 'version':
      case 'pong':
      case 'refuse-method':
        this.service(message);
        return;
      default:
        return action satisfies never;
    }
  }

  /** A line or job that cannot be used. Log lines become rare as they go on; a flood of them ends the link. */
  useless(reason: string, now: Now): void {
    this.uselessSinceMono ??= now.monoMs;
    this.uselessLines += 1;
    const lines = this.uselessLines;
    if (Number.isInteger(Math.log10(lines))) this.sink.log('pool sent what cannot be used', { pool: this.pool, reason, lines });
    if (lines >= USELESS_LINES_MAX) this.end(`the pool sent ${lines} lines that cannot be used without a job between them, the last: ${reason}`);
  }

  /** A job was good. */
  useful(): void {
    this.uselessSinceMono = undefined;
    this.uselessLines = 0;
  }

  private service(message: UpstreamMessage): void {
    switch (message.kind) {
      case 'set-difficulty':
        this.asked?.told(this.difficulty, message.difficulty);
        this.difficulty = message.difficulty;
        return;
      case 'set-extranonce':
        this.nextExtranonce = message;
        return;
      case 'set-version-mask':
        this.setMask(message.versionMask);
        return;
      case 'show-message':
        this.sink.log('message from pool', { pool: this.pool, text: message.text });
        return;
      case 'get-version':
        this.sink.toLink(this, formatResult(message.id, USER_AGENT));
        return;
      case 'ping':
        this.sink.toLink(this, formatResult(message.id, 'pong'));
        return;
      case 'unsupported':
        if (message.id !== null) this.sink.toLink(this, formatError(message.id, 20, 'Unsupported method'));
        return;
      default:
    }
  }

  private setMask(mask: number): void {
    const granted = (mask & this.config.versionMask) >>> 0;
    if (granted === this.versionMask) return;
    this.versionMask = granted;
    this.owner.linkMask(this);
  }

  /** A new extranonce is valid from the next notify on, which then ends all earlier work. */
  private job(message: NotifyMessage, now: Now): void {
    this.lastNotifyMono = now.monoMs;
    const next = this.nextExtranonce;
    if (next === undefined) {
      this.owner.linkJob(this, message);
      return;
    }
    this.nextExtranonce = undefined;
    this.extranonce1 = next.extranonce1;
    this.extranonce2Bytes = next.extranonce2Bytes;
    this.owner.linkSubscribed(this);
    if (this.ended()) return;
    this.owner.linkJob(this, { ...message, clean: true });
  }

  /** Asked where the owner may have ended it meanwhile. */
  private ended(): boolean {
    return this.state === 'ended';
  }

  private reconnect(message: Extract<UpstreamMessage, { kind: 'reconnect' }>): void {
    const host = message.host ?? this.host;
    if (!sameRegistrableDomain(host, this.host)) {
      this.sink.log('reconnect refused', { pool: this.pool, host });
      return;
    }
    this.reconnectTo = { host, port: message.port ?? this.port, waitMs: message.waitMs };
    this.end(`the pool asked to reconnect to ${host}:${message.port ?? this.port}`);
  }

  private answer(message: Extract<UpstreamMessage, { kind: 'response' }>, now: Now): void {
    // Some pools make text of every id.
    const id = Number(message.id ?? Number.NaN);
    const share = this.pending.get(id);
    if (share !== undefined) {
      this.pending.delete(id);
      this.lastAnswerMono = now.monoMs;
      // It may take back a name that it had taken.
      if (!message.ok && share.user !== this.outlet.user && poolReason(message.code, message.text) === 'unauthorised') this.named(share.user, message);
      this.owner.linkAnswer(this, share, {
        verdict: message.ok ? 'accepted' : 'rejected',
        reason: message.ok ? 'none' : poolReason(message.code, message.text),
        code: message.code,
        text: message.text,
      });
      return;
    }
    const worker = this.names?.workerOf(id);
    if (worker !== undefined) this.named(worker, message);
    else if (id === CONFIGURE_ID && message.ok) this.setMask(readConfigureResult(message.result).versionMask);
    else if (id === SUBSCRIBE_ID) this.subscribed(message);
    else if (id === AUTHORIZE_ID) this.authorised(message, now);
    else if (id === SUGGEST_ID && !message.ok) this.asked?.refuse();
  }

  private subscribed(message: Extract<UpstreamMessage, { kind: 'response' }>): void {
    if (this.state !== 'negotiating') return;
    const read = message.ok ? readSubscribeResult(message.result) : { reason: `${message.code} ${message.text}`.trim() };
    if ('reason' in read) {
      this.end(`the pool refused mining.subscribe: ${read.reason}`);
      return;
    }
    this.extranonce1 = read.extranonce1;
    this.extranonce2Bytes = read.extranonce2Bytes;
    this.sink.toLink(this, introduction(this.outlet));
    this.asked = new AskedDifficulty(this.openedMono);
  }

  private authorised(message: Extract<UpstreamMessage, { kind: 'response' }>, now: Now): void {
    if (this.state !== 'negotiating') return;
    if (!message.ok) {
      this.end(`the pool refused the name ${this.outlet.user}: ${message.code} ${message.text}`.trim());
      return;
    }
    this.state = 'authorised';
    this.owner.linkSubscribed(this);
    if (this.ended()) return;
    this.takeEarly(now);
  }

  /** What the pool has said after an early job is not for that job but for the next. */
  private takeEarly(now: Now): void {
    const { early, difficulty, nextExtranonce } = this;
    if (early === undefined) return;
    this.early = undefined;
    this.difficulty = early.difficulty;
    this.nextExtranonce = early.extranonce;
    this.job(early.job, now);
    this.difficulty = difficulty;
    this.nextExtranonce = nextExtranonce;
  }
}
