/**
 * What becomes of the counts of unjournaled shares when their process dies before the journal takes them: they are also kept
 * in a file of the data directory that needs no free space (slots.ts), one for each living process and named after it. Who
 * starts takes over the file of one that is gone. A count whose admission may have reached the journal before the crash is
 * looked for there first, once that process's segments are sealed: so it is admitted exactly once.
 */
import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pid } from 'node:process';
import type { Admission, Unadmitted } from '../../proxy/session/facts.ts';
import { isMissing } from './directory.ts';
import { isWriterAlive, processStart } from './liveness.ts';
import { listSegments, SegmentReader, type SegmentFile } from './reader.ts';
import { UNFINISHED_EXTENSION } from './segment.ts';
import { SlotFile, STATE_BYTES_MAX } from './slots.ts';

const DIRECTORY = 'unadmitted';
/** How often files of others that are gone are looked for. */
const LOOK_MS = 60_000;
/** How often it is said again that counts cannot be kept. */
const REPORT_MS = 60_000;
/** Records read in one turn of the event loop. */
const TURN_RECORDS = 500;

/** An admission under way: the segments of `process` from number `sequence` on hold it, if any does. */
interface UnderWay extends Admission {
  readonly process: string;
  readonly sequence: number;
}

interface Kept {
  readonly waiting: readonly Unadmitted[];
  readonly underWay: readonly UnderWay[];
}

export interface AdmissionsOptions {
  readonly dataDir: string;
  /** UUID of this process run. */
  readonly process: string;
  readonly monoMs: () => number;
  /** Number of the journal segment that the next record goes to, or of an earlier one. */
  readonly segment: () => number;
  /** Counts left behind by a process that is gone: to be admitted by this one. */
  readonly onInherited: (entries: readonly Unadmitted[]) => void;
  readonly onProblem: (sentence: string) => void;
  /** Left out: asked of the system. */
  readonly isAlive?: (owner: Owner) => boolean;
  readonly owner?: Owner;
}

export interface Owner {
  readonly pid: number;
  readonly pidStart: string;
}

function fileName({ pid: number, pidStart }: Owner): string {
  return `${number}.${pidStart.replace('/', '.')}`;
}

function ownerOf(name: string): Owner | undefined {
  const [, number = '', boot = '', start = ''] = /^(\d+)\.([0-9a-f-]*)(?:\.(\d+))?(?:\.new)?$/.exec(name) ?? [];
  return number === '' ? undefined : { pid: Number(number), pidStart: boot === '' ? '' : `${boot}/${start}` };
}

/** Shares answered as good that no journal holds and no ledger admits yet, by what processes left in `dataDir`. */
export function unadmittedShares(dataDir: string): number {
  const directory = join(dataDir, DIRECTORY);
  let shares = 0;
  for (const name of namesIn(directory)) {
    if (ownerOf(name) === undefined || name.endsWith(UNFINISHED_EXTENSION)) continue;
    for (const { count } of readKept(join(directory, name))?.waiting ?? []) shares += count;
  }
  return shares;
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory).toSorted();
  } catch {
    return [];
  }
}

/** Undefined when another process has taken it over. */
function readKept(path: string): Kept | undefined {
  try {
    const file = SlotFile.open(path);
    file.close();
    return keptIn(file);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Its CRC holds, so it is what this code wrote, or a version of it that knew no leases. */
function keptIn(file: SlotFile): Kept {
  const { waiting, underWay } = (file.found as Kept | undefined) ?? { waiting: [], underWay: [] };
  const whole = (entries: readonly Unadmitted[]): Unadmitted[] => entries.map((entry) => ({ ...entry, leases: entry.leases ?? '' }));
  return { waiting: whole(waiting), underWay: underWay.map((each) => ({ ...each, entries: whole(each.entries) })) };
}

export class Admissions {
  private readonly options: AdmissionsOptions;
  private readonly directory: string;
  private readonly own: string;
  private file: SlotFile | undefined;
  private waiting: readonly Unadmitted[] = [];
  private admitting: UnderWay | undefined;
  /** Of processes that are gone, not yet looked for in their journals. */
  private inherited: readonly UnderWay[] = [];
  private resolving = false;
  private lookAgainMs = -Infinity;
  private reportAgainMs = -Infinity;

  constructor(options: AdmissionsOptions) {
    this.options = options;
    this.directory = join(options.dataDir, DIRECTORY);
    this.own = join(this.directory, fileName(options.owner ?? { pid, pidStart: processStart(pid) }));
  }

  /** Writes down what is not admitted at this moment; to be called before a machine is told of it. */
  keep(waiting: readonly Unadmitted[], admitting: Admission | undefined): void {
    const { process, segment } = this.options;
    this.waiting = waiting;
    // Where its records will be is known when it begins.
    if (admitting?.atMs !== this.admitting?.atMs) this.admitting = admitting && { ...admitting, process, sequence: segment() };
    this.write();
  }

  /** To be called at the start and every second: makes or takes over a file, and sees to what was inherited. */
  tick(): void {
    const { monoMs } = this.options;
    const idle = this.waiting.length === 0 && this.admitting === undefined && this.inherited.length === 0;
    if (this.file === undefined || (idle && monoMs() >= this.lookAgainMs)) this.attempt(() => this.claim());
    if (this.inherited.length > 0 && !this.resolving) void this.resolve();
  }

  private attempt(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.report(error, `counts of unjournaled shares cannot be kept in ${this.own}, and the end of this process would lose them; make room on its disk`);
    }
  }

  private report(error: unknown, sentence: string): void {
    this.say(`${sentence} (${error instanceof Error ? error.message : String(error)})`);
  }

  private say(sentence: string): void {
    const nowMs = this.options.monoMs();
    if (nowMs < this.reportAgainMs) return;
    this.reportAgainMs = nowMs + REPORT_MS;
    this.options.onProblem(sentence);
  }

  /** A file with counts, of a process that is gone, becomes ours by being renamed: only one can succeed. */
  private claim(): void {
    this.lookAgainMs = this.options.monoMs() + LOOK_MS;
    mkdirSync(this.directory, { recursive: true, mode: 0o700 });
    for (const name of namesIn(this.directory)) {
      const owner = ownerOf(name);
      const path = join(this.directory, name);
      if (owner === undefined || path === this.own || (this.options.isAlive ?? isWriterAlive)(owner)) continue;
      if (name.endsWith(UNFINISHED_EXTENSION)) rmSync(path, { force: true });
      else if (this.takeOver(path)) return;
    }
    if (this.file !== undefined) return;
    this.file = SlotFile.create(this.own);
    this.write();
  }

  private takeOver(path: string): boolean {
    const left = readKept(path);
    if (left === undefined) return false;
    if (this.file !== undefined && left.waiting.length === 0 && left.underWay.length === 0) return false;
    try {
      renameSync(path, this.own);
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
    this.file?.close();
    this.file = SlotFile.open(this.own);
    const { waiting, underWay } = keptIn(this.file);
    this.inherited = [...this.inherited, ...underWay];
    // The file holds them until `keep` is called with them among ours.
    if (waiting.length > 0) this.options.onInherited(waiting);
    else this.write();
    return true;
  }

  /** Looks for inherited admissions in the journal; what is not there is still to be admitted. */
  private async resolve(): Promise<void> {
    this.resolving = true;
    try {
      for (const each of this.inherited) {
        const files = listSegments(join(this.options.dataDir, 'journal')).filter(({ header }) => header.process === each.process && header.sequence >= each.sequence);
        // Until it is sealed, what counts of a dead process's last segment is not settled.
        if (!files.every(({ sealed }) => sealed)) continue;
        const missing = await notAdmitted(each, files);
        this.inherited = this.inherited.filter((other) => other !== each);
        if (missing.length > 0) this.options.onInherited(missing);
        else this.write();
      }
    } catch (error) {
      this.report(error, `counts of unjournaled shares wait in ${this.own}: the journal that may hold them cannot be read`);
    } finally {
      this.resolving = false;
    }
  }

  private write(): void {
    const { file, waiting, admitting, inherited } = this;
    if (file === undefined) return;
    this.attempt(() => {
      const underWay = admitting === undefined ? inherited : [...inherited, admitting];
      const fit = fitting(waiting, underWay);
      file.write(JSON.stringify({ waiting: waiting.slice(0, fit), underWay } satisfies Kept));
      if (fit < waiting.length) this.say(`counts of unjournaled shares of ${waiting.length - fit} combinations of site, lessee, leases and difficulty do not fit into ${this.own}, and the end of this process would lose them; make room on the journal's disk`);
    });
  }
}

/** How many of the counts fit into a slot: all, but for a thousand combinations of site, lessee, leases and difficulty. */
function fitting(waiting: readonly Unadmitted[], underWay: readonly UnderWay[]): number {
  const room = STATE_BYTES_MAX - Buffer.byteLength(JSON.stringify({ waiting: [], underWay }));
  let used = 0;
  for (const [index, entry] of waiting.entries()) {
    used += Buffer.byteLength(JSON.stringify(entry)) + 1;
    if (used > room) return index;
  }
  return waiting.length;
}

async function notAdmitted(underWay: UnderWay, files: readonly SegmentFile[]): Promise<readonly Unadmitted[]> {
  const keyOf = (of: Unadmitted): string => JSON.stringify([of.site, of.lessee, of.leases, of.exponent, of.verdict]);
  const missing = new Map(underWay.entries.map((entry) => [keyOf(entry), entry]));
  for (const file of files) {
    const reader = SegmentReader.open(file.path, file.limit);
    try {
      let read = 0;
      for (const event of reader.events(0)) {
        if (event.kind === 'fact' && event.fact.type === 'unjournaled' && event.fact.atMs === underWay.atMs) missing.delete(keyOf(event.fact));
        if (++read % TURN_RECORDS === 0) await new Promise((resolve) => setImmediate(resolve));
      }
    } finally {
      reader.close();
    }
  }
  return [...missing.values()];
}
