/** The last ten minutes of one session's accepted shares, as counts per exponent, over a monotonic clock. */

const SLOTS = 10;
const SLOT_MS = 60_000;
const CELL = 3;

export class ShareWindow {
  private readonly startedMono: number;
  /** Flat triples (minute, exponent, count), oldest first: a Map per minute would cost 2 KiB a connection. */
  private readonly cells: number[] = [];

  /** The clock starts at the first job sent, never at the first share. */
  constructor(monoMs: number) {
    this.startedMono = monoMs;
  }

  private minuteOf(monoMs: number): number {
    return Math.floor((monoMs - this.startedMono) / SLOT_MS);
  }

  private forget(minute: number): void {
    let old = 0;
    while (old < this.cells.length && this.cells[old]! <= minute - SLOTS) old += CELL;
    if (old > 0) this.cells.splice(0, old);
  }

  accepted(exponent: number, monoMs: number): void {
    const minute = this.minuteOf(monoMs);
    for (let at = this.cells.length - CELL; at >= 0 && this.cells[at] === minute; at -= CELL) {
      if (this.cells[at + 1] === exponent) {
        this.cells[at + 2]! += 1;
        return;
      }
    }
    this.forget(minute);
    this.cells.push(minute, exponent, 1);
  }

  /** Accepted difficulty a millisecond; undefined while the window is shorter than `leastMs`. */
  rate(monoMs: number, leastMs: number): number | undefined {
    const { windowMs, accepted } = this.read(monoMs);
    if (windowMs < leastMs) return undefined;
    return accepted.reduce((sum, [exponent, count]) => sum + count * 2 ** exponent, 0) / windowMs;
  }

  /** Counts per exponent and the exposure they belong to: at most nine whole minutes and the running one. */
  read(monoMs: number): { windowMs: number; accepted: [number, number][] } {
    const minute = this.minuteOf(monoMs);
    this.forget(minute);
    const elapsed = monoMs - this.startedMono;
    const windowMs = Math.min(elapsed, (SLOTS - 1) * SLOT_MS + (elapsed % SLOT_MS));
    const sums = new Map<number, number>();
    for (let at = 0; at < this.cells.length; at += CELL) {
      const exponent = this.cells[at + 1]!;
      sums.set(exponent, (sums.get(exponent) ?? 0) + this.cells[at + 2]!);
    }
    return { windowMs, accepted: [...sums] };
  }
}
