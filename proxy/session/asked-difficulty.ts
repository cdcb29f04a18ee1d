/**
 * The difficulty that a link asks its pool for. A pool that tunes by shares lowers it for a link that only stands by, which must
 * not start with a fleet behind it as if it were one machine: so it is asked for again, as long as the pool does not refuse.
 */
import { suggestion } from './greeting.ts';
import type { Outlet } from './outlets.ts';

/** Between two times that it is asked for. */
const AGAIN_MS = 60_000;

export class AskedDifficulty {
  /** The pool has gone below it since it was asked for last. */
  private lowered = false;
  private refused = false;
  /** It is asked for when a link introduces itself. */
  private askedMono: number;

  constructor(monoMs: number) {
    this.askedMono = monoMs;
  }

  /** The pool sets another difficulty. What it leaves as it was when asked for more is its answer. */
  told(before: string, now: string): void {
    if (Number(now) < Number(before)) this.lowered = true;
  }

  /** The pool refuses to be asked. */
  refuse(): void {
    this.refused = true;
  }

  /** What to send now, '' for nothing. */
  again(outlet: Outlet, inForce: string, monoMs: number): string {
    const { difficulty } = outlet.config;
    if (!this.lowered || this.refused || difficulty === undefined || monoMs - this.askedMono < AGAIN_MS) return '';
    this.lowered = false;
    if (Number(inForce) >= Number(difficulty)) return '';
    this.askedMono = monoMs;
    return suggestion(outlet);
  }
}
