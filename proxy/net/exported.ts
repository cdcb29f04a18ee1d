/**
 * What /metrics has shown last, kept in the data directory: counters must never be seen to go back. After a restart the
 * supervisor's own go on from there, and those of the ledger are not shown again before they have come as far. Prometheus
 * takes any smaller value for a counter that began anew, and adds all of it to the rate once more.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../../config/schema.ts';
import { sentenceOf } from './instance.ts';
import { version } from './version.ts';

export class Exported {
  readonly #path: string;
  readonly #durability: Config['durability'];
  /** Sums of the supervisor as they were shown; undefined where nothing was. */
  readonly totals: unknown;
  /** Samples of the ledger's counters as they were shown, one a line. */
  #ledger: Buffer;
  #writing: Promise<void> = Promise.resolve();

  /** A file that is missing or cannot be read is as good as none: then there is nothing to fall behind. */
  constructor(dataDirectory: string, durability: Config['durability']) {
    this.#durability = durability;
    mkdirSync(dataDirectory, { recursive: true });
    this.#path = join(dataDirectory, 'exported');
    const [head, ledger] = readParts(this.#path);
    this.totals = head.totals;
    // Another version may name its series otherwise: what it does not have it has not lost.
    this.#ledger = head.version === version() ? ledger : NOTHING;
  }

  /** '' when none of these samples is below what was shown, and none is missing; else the sentence that says so. */
  fallenBack(ledger: Buffer): string {
    const now = new Map(samplesOf(ledger));
    for (const [series, shown] of samplesOf(this.#ledger)) {
      const value = now.get(series);
      if (value !== undefined && value >= shown) continue;
      return (
        `${series} was ${shown} when it was last exported and is ${value ?? 'missing'} now: /metrics waits until it has come as far. ` +
        `If the ledger was folded anew from fewer journals than before, it never will: remove ${this.#path} and let Prometheus see the counters begin anew.`
      );
    }
    return '';
  }

  /** Settles when it is kept; '' or why it is not. `ledger` undefined: it was not shown this time. */
  remember(totals: unknown, ledger: Buffer | undefined): Promise<string> {
    if (ledger !== undefined) this.#ledger = ledger;
    const text = Buffer.concat([Buffer.from(`${JSON.stringify({ version: version(), totals } satisfies Head)}\n`), this.#ledger]);
    const written = this.#writing.then(() => replaceFile(this.#path, text, this.#durability));
    this.#writing = written.catch(() => undefined);
    return written.then(
      () => '',
      (error: unknown) => `what /metrics shows cannot be kept in ${this.#path}: ${sentenceOf(error)}`,
    );
  }
}

interface Head {
  readonly version?: unknown;
  readonly totals?: unknown;
}

const NOTHING = Buffer.alloc(0);

function readParts(path: string): [head: Head, ledger: Buffer] {
  try {
    const text = readFileSync(path);
    const end = text.indexOf('\n');
    const head: unknown = JSON.parse(text.toString('utf8', 0, end));
    return [typeof head === 'object' && head !== null ? head : {}, text.subarray(end + 1)];
  } catch {
    return [{}, NOTHING];
  }
}

/**
 * Whole or not at all. What the ledger shows was forced to the disk in the journal before, unless `durability: os` says otherwise:
 * only then can a power cut take it back, and only then is this forced too.
 */
async function replaceFile(path: string, text: Buffer, durability: Config['durability']): Promise<void> {
  const draft = `${path}.draft`;
  const file = await open(draft, 'w', 0o640);
  try {
    await file.writeFile(text);
    if (durability === 'os') await file.datasync();
  } finally {
    await file.close();
  }
  await rename(draft, path);
}

function* samplesOf(samples: Buffer): Generator<[series: string, value: number]> {
  for (const line of samples.toString().split('\n')) {
    const space = line.lastIndexOf(' ');
    if (space > 0) yield [line.slice(0, space), Number(line.slice(space + 1))];
  }
}
