/** How far the splits of a process have come: kept in its file, and told to the process that follows it once that one has read the file. */
import type { Splitting } from '../session/splitting.ts';
import type { SplitMemory } from '../session/splits.ts';
import type { ProxyFiles } from './proxy-files.ts';

export interface SplitKeepingOptions {
  readonly files: ProxyFiles;
  /** Those in force. */
  readonly splits: () => Splitting;
  /** What has come since the file was left to the successor, or since it was told last. */
  readonly onAdded: (added: ReadonlyMap<string, SplitMemory>) => void;
  readonly onProblem: (why: string) => void;
}

export class SplitKeeping {
  private readonly options: SplitKeepingOptions;
  /** What the successor knows; undefined while the file is this process's own. */
  private told: ReadonlyMap<string, SplitMemory> | undefined;
  private leaving = false;

  constructor(options: SplitKeepingOptions) {
    this.options = options;
  }

  keep(): void {
    const { files, splits, onAdded, onProblem } = this.options;
    const memory = splits().memory();
    if (memory.size === 0) return;
    if (this.told !== undefined) {
      // While a successor starts, the file stays as that one reads it, and nobody is there to be told.
      if (!this.leaving) return;
      onAdded(splits().since(this.told));
      this.told = memory;
      return;
    }
    try {
      files.writeSplits(memory);
    } catch (error) {
      onProblem(String(error));
    }
  }

  /** `on`: a successor is about to read the file, and goes on from there. Not `on`: it did not come up. */
  handOver(on: boolean): void {
    this.told = undefined;
    this.keep();
    if (on) this.told = this.options.splits().memory();
  }

  /** Its machines are being taken away: a successor listens, if there is to be one. */
  leave(): void {
    this.leaving = true;
    this.keep();
  }

  /** The last word. An end before the successor listened leaves the file as it should be. */
  close(): void {
    if (!this.leaving) this.told = undefined;
    this.keep();
  }
}
