/** What machines are granted before their pool is known: the extranonce layout and the version mask of their site. */
import type { Link } from './link.ts';
import { reachablePools } from './routes.ts';
import type { Session } from './session.ts';
import type { FarmState } from './state.ts';

export interface Layout {
  readonly prefixBytes: number;
  readonly extranonce2Bytes: number;
}

const DEFAULT_LAYOUT: Layout = { prefixBytes: 4, extranonce2Bytes: 4 };

/** The layout for a pool that leaves `room` bytes: four for the machine if it can be, the rest for the prefix. */
export function layoutOfRoom(room: number): Layout | undefined {
  if (room >= 8) return DEFAULT_LAYOUT;
  if (room >= 5) return { prefixBytes: room - 4, extranonce2Bytes: 4 };
  // 2 bytes would leave a machine one: four minutes of work for each ntime.
  if (room >= 2) return { prefixBytes: 1, extranonce2Bytes: room - 1 };
  return undefined;
}

/** Whether a layout fits what a link leaves. */
export function fits(layout: Layout, link: Link): boolean {
  return layout.prefixBytes + layout.extranonce2Bytes <= link.extranonce2Bytes;
}

export function layoutOf(session: Session): Layout {
  return { prefixBytes: session.prefix.length, extranonce2Bytes: session.extranonce2Bytes };
}

/** The pools a session works for, or could: its route's, or before it has named itself all of its site. */
export function poolsOf(state: FarmState, session: Session): readonly string[] {
  return session.route?.pools ?? reachablePools(state.routes, session.site);
}

/** Bytes that the living links of a pool leave. */
function roomsOf(state: FarmState, pool: string): number[] {
  return state.liveLinks.ofPool(pool).map((link) => link.extranonce2Bytes);
}

/** How long a machine that we closed may take to come back for its smaller layout. */
const RETURN_MS = 120_000;
const RETURNS_MAX = 10_000;

/** What machines are likely to be known by when they come back without their session id. */
function machineKey(session: Session): string {
  return `${session.host}\t${session.userAgent}`;
}

/** Notes that a session is closed because its layout fits no live link: its machine is to have one that does. */
export function expectReturn(state: FarmState, session: Session): void {
  const live = session.route?.pools.flatMap((name) => roomsOf(state, name)) ?? [];
  const layout = layoutOfRoom(Math.max(0, ...live));
  if (layout === undefined) return;
  const key = machineKey(session);
  const count = (state.returns.get(key)?.count ?? 0) + 1;
  state.returns.delete(key);
  state.returns.set(key, { layout, count, untilMono: state.now.monoMs + RETURN_MS });
  if (state.returns.size > RETURNS_MAX) state.returns.delete(state.returns.keys().next().value!);
}

function takeReturn(state: FarmState, session: Session): Layout | undefined {
  const key = machineKey(session);
  const expected = state.returns.get(key);
  if (expected === undefined) return undefined;
  expected.count -= 1;
  if (expected.count === 0 || expected.untilMono < state.now.monoMs) state.returns.delete(key);
  return expected.untilMono < state.now.monoMs ? undefined : expected.layout;
}

/** The roomiest layout that a live pool of this session takes; without a live one, that a known pool takes. */
export function layoutFor(state: FarmState, session: Session): Layout {
  const returning = takeReturn(state, session);
  if (returning !== undefined) return returning;
  const configured = state.config.sites[session.site]?.extranonce;
  if (configured !== undefined) return configured;
  const names = poolsOf(state, session);
  const live = names.flatMap((name) => roomsOf(state, name));
  const known = names.flatMap((name) => state.learnt.get(name)?.extranonce2Bytes ?? []);
  const room = Math.max(0, ...(live.length > 0 ? live : known));
  return layoutOfRoom(room) ?? DEFAULT_LAYOUT;
}

/** The intersection of the masks of all pools that a session of this site can reach: as learnt, else as configured. */
export function siteMask(state: FarmState, site: string): number {
  let mask = 0xffffffff;
  for (const name of reachablePools(state.routes, site)) {
    mask &= state.learnt.get(name)?.versionMask ?? state.config.pools[name]?.versionMask ?? 0;
  }
  return mask >>> 0;
}

/** Whether some pool of every site is known, so that subscribing machines can be granted the right layout and mask. */
export function knowsEverySite(state: FarmState): boolean {
  return Object.keys(state.config.sites).every((site) => reachablePools(state.routes, site).some((name) => state.learnt.has(name)));
}

/** Bytes between coinb1 and coinb2 that every layout fits into: those of this configuration, and of machines that had theirs before. */
export function slotBytesMax(state: FarmState): number {
  const layouts = Object.values(state.config.sites).map((site) => site.extranonce ?? DEFAULT_LAYOUT);
  state.slotBytes = Math.max(state.slotBytes, ...layouts.map((layout) => layout.prefixBytes + layout.extranonce2Bytes));
  return state.slotBytes;
}
