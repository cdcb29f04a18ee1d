/**
 * Worker names that a shared link passes on to its pool, so that the pool's own pages show machines. A name is used once the
 * pool has taken it; until then, and where it is refused, shares go under the account of the link.
 */
import { formatRequest } from '../protocol/upstream.ts';

/** Names authorised each second: a hall that comes back at once must not look like an attack. */
const NAMES_PER_TICK = 50;
/** Names of one link; further ones go under its account. Anybody can name anything. */
const NAMES_MAX = 20_000;
/** Pools cut or refuse longer ones. */
const NAME_CHARACTERS_MAX = 255;

export class PassedNames {
  private readonly states = new Map<string, 'waiting' | 'asked' | 'granted' | 'refused'>();
  private readonly waiting: string[] = [];
  /** By request id. */
  private readonly requests = new Map<number, string>();

  /** A machine of this name works on the link. */
  introduce(worker: string): void {
    if (this.states.has(worker) || this.states.size >= NAMES_MAX || worker.length > NAME_CHARACTERS_MAX) return;
    this.states.set(worker, 'waiting');
    this.waiting.push(worker);
  }

  /** Asks the pool for the next ones. */
  authorizations(giveId: () => number, password: string): string {
    const asked = this.waiting.splice(0, NAMES_PER_TICK).map((worker) => {
      const id = giveId();
      this.states.set(worker, 'asked');
      this.requests.set(id, worker);
      return formatRequest(id, 'mining.authorize', [worker, password]);
    });
    return asked.join('');
  }

  /** Whose authorisation an answer is about, once; undefined when it is about something else. */
  workerOf(id: number): string | undefined {
    const worker = this.requests.get(id);
    this.requests.delete(id);
    return worker;
  }

  /** The pool's answer; or that it refused a share for its name, which it may do after it had taken the name. */
  answered(worker: string, taken: boolean): void {
    this.states.set(worker, taken ? 'granted' : 'refused');
  }

  isGranted(worker: string): boolean {
    return this.states.get(worker) === 'granted';
  }
}
