/**
 * Debug lines about the machines whose name matches a glob, switched on at run time and for a time: each line they sent and were
 * sent, and what came of their shares. A machine's password is never among them, nor what a line holds that is no Stratum.
 */
import type { LogEvent } from '../../config/log-events.ts';
import type { World } from '../../config/world.ts';
import { jsonText } from '../protocol/reply.ts';
import type { Fact } from '../session/facts.ts';
import { globMatches } from '../session/routes.ts';
import type { Session } from '../session/session.ts';

/** Longest text of a line that is logged; coinbases make notify lines of tens of kilobytes. */
const TEXT_MAX = 2048;
/** Debug lines in a second; what is beyond is counted. A glob of everything must not fill the disk. */
const LINES_PER_SECOND_MAX = 500;
const HIDDEN = '[hidden]';
/** Methods whose parameters hold no secret. */
const OPEN_METHODS = new Set(['mining.submit', 'mining.subscribe', 'mining.configure', 'mining.suggest_difficulty', 'mining.suggest_target', 'mining.extranonce.subscribe', 'mining.ping', 'mining.pong', 'mining.multi_version']);

type DebugLine = (event: LogEvent, fields: Readonly<Record<string, unknown>>) => void;

export class Watch {
  /** What is watched, as it was asked for. */
  readonly worker: string;
  readonly #untilMono: number;
  readonly #world: World;
  readonly #line: DebugLine;
  /** Numbers of the names of sessions that have been heard since this began. */
  readonly #binds = new Map<number, string>();
  #second = 0;
  #lines = 0;
  #dropped = 0;

  /** Watches for `forMs` from now on. */
  constructor(worker: string, forMs: number, world: World, line: DebugLine) {
    this.worker = worker;
    this.#untilMono = world.monoMs() + forMs;
    this.#world = world;
    this.#line = line;
  }

  get over(): boolean {
    return this.#world.monoMs() >= this.#untilMono;
  }

  /** A line of a machine, before it is acted upon: an authorize is watched by the name in it. */
  heard(session: Session, text: string): void {
    const message = readMessage(text);
    const asked = message?.method === 'mining.authorize' && typeof message.params?.[0] === 'string' ? message.params[0] : undefined;
    const worker = this.#watched(session) ?? (asked !== undefined && globMatches(this.worker, asked) ? asked : undefined);
    if (worker === undefined) return;
    for (const { number } of session.binds) if (number !== 0) this.#binds.set(number, worker);
    this.#write('heard', { worker, address: session.address, line: shownHeard(text, message) });
  }

  /** Lines to a machine. */
  told(session: Session, lines: string): void {
    const worker = this.#watched(session);
    if (worker === undefined) return;
    for (const line of lines.split('\n')) if (line !== '') this.#write('told', { worker, address: session.address, line: cut(line) });
  }

  /** What was journaled of a watched machine's shares. */
  fact(fact: Fact): void {
    if (fact.type !== 'share' && fact.type !== 'pool-verdict') return;
    const worker = this.#binds.get(fact.bind);
    if (worker === undefined) return;
    const { share, job, verdict } = fact;
    if (fact.type === 'share') this.#write('share judged', { worker, share, job, exponent: fact.exponent, verdict, forwarding: fact.forwarding });
    else this.#write('pool verdict', { worker, share, job, verdict, reason: fact.reason, code: fact.code, text: fact.text });
  }

  closed(session: Session, reason: string): void {
    const worker = this.#watched(session);
    if (worker !== undefined) this.#write('session closed', { worker, address: session.address, reason });
  }

  #watched(session: Session): string | undefined {
    return session.binds.find(({ worker }) => globMatches(this.worker, worker))?.worker;
  }

  #write(event: LogEvent, fields: Readonly<Record<string, unknown>>): void {
    const second = Math.floor(this.#world.monoMs() / 1000);
    if (second !== this.#second) {
      if (this.#dropped > 0) this.#line('debug lines dropped', { lines: this.#dropped });
      this.#second = second;
      this.#lines = 0;
      this.#dropped = 0;
    }
    this.#lines += 1;
    if (this.#lines > LINES_PER_SECOND_MAX) this.#dropped += 1;
    else this.#line(event, fields);
  }
}

interface Message {
  readonly id: unknown;
  readonly method: string | undefined;
  readonly params: readonly unknown[] | undefined;
  readonly result: unknown;
  readonly error: unknown;
}

function readMessage(text: string): Message | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    const { id, method, params, result, error } = value as Readonly<Record<string, unknown>>;
    return { id, method: typeof method === 'string' ? method : undefined, params: Array.isArray(params) ? params : undefined, result, error };
  } catch {
    return undefined;
  }
}

/** What a machine said, without its password. Of an unknown method only the name is shown, of what is no Stratum only the length. */
function shownHeard(text: string, message: Message | undefined): string {
  if (message === undefined) return `${text.length} characters that are no Stratum`;
  const { id, method, params, result, error } = message;
  if (method === undefined) return cut(jsonText({ id, result, error }));
  const open = OPEN_METHODS.has(method);
  const named = method === 'mining.authorize';
  return cut(jsonText({ id, method, params: open ? params : (params?.map((value, index) => (named && index === 0 ? value : HIDDEN)) ?? HIDDEN) }));
}

function cut(text: string): string {
  return text.length <= TEXT_MAX ? text : `${text.slice(0, TEXT_MAX)}… (${text.length} characters)`;
}
