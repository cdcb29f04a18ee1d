/**
 * The prefixes of one run by length: a range of its own, that no other living run hands out from, and those of other runs
 * that machines brought back with them.
 *
 * When a range is all in use or at rest it is handed out once more, on the next plane. Sessions of two planes may have the same
 * prefix, so they never share a link: each plane has links of its own to every pool, and on each the pool's own extranonce1.
 * Of prefixes of four bytes there are so many that one plane does; of one byte there are 255 (docs/decisions, 013).
 */
import { isOver, PrefixAllocator, type Rest, type RestRule } from '../mining/extranonce.ts';

/** Prefixes `first … first + count − 1`. */
export interface PrefixRange {
  readonly first: number;
  readonly count: number;
}

/** Lowest prefix of a length. First bytes are never zero, so that layouts of different length padded with zeros cannot overlap. */
export function lowestPrefix(prefixBytes: number): number {
  return 2 ** (8 * (prefixBytes - 1));
}

/** Every prefix of a length. */
export function allPrefixes(prefixBytes: number): PrefixRange {
  const first = lowestPrefix(prefixBytes);
  return { first, count: 2 ** (8 * prefixBytes) - first };
}

/** With 255 prefixes each this serves 16,000 machines. One address begins as many as its sessions need (successors.ts). */
const PLANES_MAX = 64;

/** A prefix as a session has it. */
export interface Placed {
  readonly prefix: Uint8Array;
  readonly plane: number;
}

/** Prefixes remembered that were with other runs; the oldest are forgotten. */
const STRAYS_MAX = 2 ** 20;

function textOf(prefix: Uint8Array): string {
  return Buffer.from(prefix).toString('hex');
}

export class Prefixes {
  private readonly ranges: Readonly<Record<number, PrefixRange>>;
  /** By length, and of each length by plane: those that have been needed so far. */
  private readonly own: ReadonlyMap<number, PrefixAllocator[]>;
  private readonly rule: RestRule;
  /** Of no range of this run, all on the first plane: in use here, and at rest in order of release. */
  private readonly brought = new Set<string>();
  private readonly resting = new Map<string, Rest>();
  /** Under which another run may have sent work: brought from one, or taken to one. */
  private readonly strays = new Set<string>();

  /** `ranges`: this run's own, by length (1–4 bytes). */
  constructor(ranges: Readonly<Record<number, PrefixRange>>, rule: RestRule) {
    this.ranges = ranges;
    this.rule = rule;
    this.own = new Map(Object.keys(ranges).map((bytes) => [Number(bytes), [this.newPlane(Number(bytes))]]));
  }

  private newPlane(prefixBytes: number): PrefixAllocator {
    const { first, count } = this.ranges[prefixBytes]!;
    return new PrefixAllocator(prefixBytes, first, count, this.rule);
  }

  /** Planes above the first on which prefixes are in use. */
  get furtherPlanes(): number {
    return Math.max(0, ...[...this.own.values()].map((planes) => planes.findLastIndex(({ inUse }) => inUse > 0)));
  }

  /** A prefix whose rest is over, on the lowest plane that has one; undefined when there is none. `begun`: on planes that are in use already. */
  allocate(prefixBytes: number, monoMs: number, begun = false): Placed | undefined {
    const planes = this.own.get(prefixBytes);
    if (planes === undefined) return undefined;
    const until = begun ? this.furtherPlanes + 1 : PLANES_MAX;
    for (let plane = 0; plane < until; plane += 1) {
      const range = (planes[plane] ??= this.newPlane(prefixBytes));
      const prefix = range.allocate(monoMs);
      if (prefix !== undefined) return { prefix, plane };
    }
    return undefined;
  }

  private rangeOf({ prefix, plane }: Placed): PrefixAllocator | undefined {
    const range = this.own.get(prefix.length)?.[plane];
    return range?.owns(prefix) === true ? range : undefined;
  }

  /** Gives a resumed session its prefix back; false when somebody has it, or had it since. */
  reserve(placed: Placed, sessionId: string): boolean {
    const range = this.rangeOf(placed);
    if (range !== undefined) return range.reserve(placed.prefix, sessionId);
    return this.take(textOf(placed.prefix), (rest) => rest.owner === sessionId);
  }

  /** Gives a session that was with another run its prefix, on the first plane; false when somebody has it, or it rests from its last use here. */
  bring(prefix: Uint8Array, monoMs: number): boolean {
    const range = this.rangeOf({ prefix, plane: 0 });
    const brought = range?.bring(prefix, monoMs) ?? this.take(textOf(prefix), (rest) => isOver(rest, this.rule, monoMs));
    if (brought) this.strayed(prefix);
    return brought;
  }

  /** Another run has it from now on, or had it. */
  strayed(prefix: Uint8Array): void {
    this.strays.add(textOf(prefix));
    if (this.strays.size > STRAYS_MAX) this.strays.delete(this.strays.values().next().value!);
  }

  /** Whether another run may have sent work under it. */
  isStray(prefix: Uint8Array): boolean {
    return this.strays.size > 0 && this.strays.has(textOf(prefix));
  }

  private take(text: string, may: (rest: Rest) => boolean): boolean {
    const rest = this.resting.get(text);
    if (this.brought.has(text) || (rest !== undefined && !may(rest))) return false;
    this.resting.delete(text);
    this.brought.add(text);
    return true;
  }

  /** Ends the use of a prefix. `sessionId`: of the session that may have it back; undefined when no job was sent under it. */
  release(placed: Placed, monoMs: number, sessionId: string | undefined): void {
    const { prefix } = placed;
    const range = this.rangeOf(placed);
    if (range !== undefined) {
      range.release(prefix, monoMs, sessionId);
      return;
    }
    for (const [text, rest] of this.resting) {
      if (!isOver(rest, this.rule, monoMs)) break;
      this.resting.delete(text);
    }
    this.brought.delete(textOf(prefix));
    if (sessionId !== undefined) this.resting.set(textOf(prefix), { owner: sessionId, releasedMs: monoMs });
  }
}
