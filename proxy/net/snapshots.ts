/** The farm as plain numbers, for the supervisor's status, machines and metrics. */
import { pid } from 'node:process';
import type { WriterStats } from '../../accounting/journal/writer.ts';
import type { Farm } from '../session/farm.ts';
import type { Link } from '../session/link.ts';
import { leaseIds } from '../session/leases.ts';
import type { Bind, Session } from '../session/session.ts';
import type { Now } from '../session/sink.ts';
import type { LinkSnapshot, MachineSnapshot, ProxySnapshot, SplitSnapshot } from './messages.ts';
import { version } from './version.ts';

function linkSnapshot(farm: Farm, link: Link, now: Now): LinkSnapshot {
  const { reconnects, lastError } = farm.linkStatus(link);
  return {
    link: link.number,
    pool: link.pool,
    url: link.url,
    state: link.state,
    sessions: link.sessions.size,
    difficulty: link.state === 'live' ? link.difficulty : '',
    extranonce1: Buffer.from(link.extranonce1).toString('hex'),
    jobAgeMs: link.lastNotifyMono === undefined ? undefined : Math.round(now.monoMs - link.lastNotifyMono),
    ...troubleOf(farm, link),
    pending: link.pending.size,
    reconnects,
    lastError,
  };
}

/** A link that is to be dialled again is shown too, with why it ended. */
function waitingSnapshot(waiting: ReturnType<Farm['waitingLinks']>[number]): LinkSnapshot {
  return { link: 0, state: 'waiting', sessions: 0, difficulty: '', extranonce1: '', jobAgeMs: undefined, trouble: '', troubleWhy: '', pending: 0, ...waiting };
}

function troubleOf(farm: Farm, link: Link): Pick<LinkSnapshot, 'trouble' | 'troubleWhy'> {
  const found = farm.state.trust.troubleOf(link);
  return { trouble: found?.trouble ?? '', troubleWhy: found?.why ?? '' };
}

function splitSnapshots(farm: Farm): SplitSnapshot[] {
  return farm.splits.all().map(({ route, parts, work, forgiven, moves }) => ({ route, moves, parts: parts.map((part, index) => ({ ...part, work: work[index]!, forgiven: forgiven[index]! })) }));
}

function reconnects(farm: Farm): Record<string, number> {
  return Object.fromEntries(Object.keys(farm.state.config.pools).map((pool) => [pool, farm.reconnects(pool)]));
}

export function proxySnapshot(
  farm: Farm,
  stats: WriterStats,
  closes: ReadonlyMap<string, number>,
  identity: Pick<ProxySnapshot, 'process' | 'startedMs' | 'vitals'>,
  now: Now,
): ProxySnapshot {
  const { state } = farm;
  const groups: Record<string, number> = {};
  const failover: Record<string, number> = Object.fromEntries(Object.keys(state.config.pools).map((pool) => [pool, 0]));
  for (const session of state.sessions) {
    if (session.state !== 'mining') continue;
    const key = `${session.site}\t${session.route?.lessee ?? ''}`;
    groups[key] = (groups[key] ?? 0) + 1;
    const pool = session.link?.pool;
    if (pool !== undefined && pool !== session.route?.orders[session.part]?.[0]) failover[pool] = (failover[pool] ?? 0) + 1;
  }
  return {
    ...identity,
    pid,
    version: version(),
    sessions: state.sessions.size,
    sessionsByGroup: groups,
    links: [...farm.links().map((link) => linkSnapshot(farm, link, now)), ...farm.waitingLinks().map(waitingSnapshot)],
    splits: splitSnapshots(farm),
    counters: { ...state.counters },
    closes: Object.fromEntries(closes),
    fsync: stats.syncSeconds,
    replies: state.replies.latency.snapshot(),
    measures: { ...state.measures.snapshot(), reconnects: reconnects(farm), failover, duplicateHashes: state.book.hashes, furtherPlanes: state.prefixes.furtherPlanes },
    journal: {
      state: stats.state === 'open' ? 'open' : 'failed',
      segment: stats.segment,
      writtenBytes: stats.writtenBytes,
      waitingShares: stats.waiting,
      freeBytes: stats.freeBytes ?? 0,
    },
  };
}

function machineSnapshot(session: Session, { worker, lessee }: Bind, leases: string, process: number, now: Now): MachineSnapshot {
  const { windowMs, accepted } = session.window?.read(now.monoMs) ?? { windowMs: 0, accepted: [] };
  return {
    worker,
    site: session.site,
    lessee,
    leases: leaseIds(leases),
    address: session.address,
    firmware: session.userAgent,
    exponent: session.exponent ?? 0,
    pool: session.link?.pool ?? '',
    link: session.link?.number ?? 0,
    process,
    connectedMs: Math.round(now.monoMs - session.openedMono),
    lastShareMs: session.lastShareMs,
    windowMs: Math.round(windowMs),
    accepted,
    rejects: Object.fromEntries(session.rejects),
    acceptedTotal: session.acceptedTotal,
  };
}

/** One entry per mining session, under its first name: shares of further names on the same connection are in its counts. */
export function machineSnapshots(farm: Farm, process: number, now: Now): MachineSnapshot[] {
  return [...farm.state.sessions].flatMap((session) => {
    const [bind] = session.binds;
    return bind === undefined ? [] : [machineSnapshot(session, bind, farm.state.leases.inForce(bind.worker, session.site, session.address, now.wallMs).leases, process, now)];
  });
}
