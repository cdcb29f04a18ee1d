/** Reloads of the configuration, one after the other: each reads the file when its turn comes, so the last one finds it as it is in the end. */
import { changesBetween, concernsAccountant, type Change } from '../../config/changes.ts';
import type { Loaded } from '../../config/load.ts';
import type { Config } from '../../config/schema.ts';
import type { Reconfigured } from '../session/reconfigure.ts';
import { InstanceError } from './instance.ts';
import type { Reloaded } from './status.ts';

/** What is read: the whole file, or only what was put on record of leases since the configuration in force. */
export type Reading = 'file' | 'record';

export interface ReloadsOptions {
  readonly reread: ((inForce?: Config) => Loaded) | undefined;
  /** In force now. */
  readonly inForce: () => Config;
  /** Puts another one in force in the proxy processes. Rejects with InstanceError, with nothing changed, when that is not possible. */
  readonly apply: (config: Config) => Promise<Reconfigured>;
  /** It is in force there. */
  readonly onApplied: (config: Config, changes: readonly Change[]) => void;
  /** Starts the accountant again. */
  readonly restartAccountant: () => Promise<void>;
}

export class Reloads {
  readonly #options: ReloadsOptions;
  #last: Promise<unknown> = Promise.resolve();
  /** Not begun yet: whoever asks for the same meanwhile is answered by it. */
  readonly #waiting = new Map<Reading, Promise<Reloaded>>();

  constructor(options: ReloadsOptions) {
    this.#options = options;
  }

  /** Rejects with InstanceError, with nothing changed, when what is read cannot be followed. */
  ask(reading: Reading): Promise<Reloaded> {
    const waiting = this.#waiting.get(reading);
    if (waiting !== undefined) return waiting;
    const turn = this.#last.then(() => {
      this.#waiting.delete(reading);
      return this.#reload(reading);
    });
    this.#waiting.set(reading, turn);
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  async #reload(reading: Reading): Promise<Reloaded> {
    const { reread, inForce, apply, onApplied, restartAccountant } = this.#options;
    if (reread === undefined) throw new InstanceError('This instance was not started from a configuration file; start it with --config.');
    const after = readAnew(() => reread(reading === 'file' ? undefined : inForce()));
    const changes = changesBetween(inForce(), after);
    const fixed = changes.filter(({ when }) => when === 'with a new instance');
    if (fixed.length > 0) {
      const remedy = 'Nothing was changed. Stop the instance and start it again for that, or take it back.';
      throw new InstanceError([...fixed.map(({ sentence }) => `Cannot be changed while the instance runs: ${sentence}`), remedy].join('\n'));
    }
    const outcome = changes.length === 0 ? { rerouted: 0, leaving: 0 } : await apply(after);
    onApplied(after, changes);
    const accountant = concernsAccountant(changes);
    if (accountant) await restartAccountant();
    return { changes: changes.map(({ path, sentence, when }) => ({ path, sentence, now: when === 'now' })), accountant, ...outcome };
  }
}

/** A configuration that is right as a whole; its first problems as an InstanceError otherwise. */
function readAnew(reread: () => Loaded): Config {
  const { config, problems } = reread();
  if (config !== undefined) return config;
  const lines = problems.map(({ path, line, message }) => `${line === undefined ? '' : `line ${line}: `}${path} ${message}`.trim());
  throw new InstanceError(['The configuration is not right, and nothing was changed:', ...lines].join('\n'));
}
