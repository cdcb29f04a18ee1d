/** What lies beyond the last durable marker of a data directory's newest segment: the part of a journal that a crash may cut. */
import { statSync } from 'node:fs';
import { DURABLE_TYPE, segmentSalt } from '../../accounting/journal/format.ts';
import { listSegments } from '../../accounting/journal/reader.ts';
import { fileSource, RecordScanner } from '../../accounting/journal/records.ts';
import { journalDirectory } from '../../accounting/store.ts';

export interface Tail {
  readonly path: string;
  /** End of the last durable marker. */
  readonly from: number;
  /** End of the file. */
  readonly to: number;
}

export function tailOf(dataDir: string): Tail {
  const newest = listSegments(journalDirectory(dataDir)).at(-1);
  if (newest === undefined) throw new Error(`there is no segment in ${dataDir}`);
  const { path, header } = newest;
  const source = fileSource(path);
  const to = statSync(path).size;
  const scanner = new RecordScanner(source, segmentSalt(header.segment), 0, to);
  let from = 0;
  for (let found = scanner.next(); found !== undefined; found = scanner.next()) {
    if (found.kind === 'record' && found.body[0] === DURABLE_TYPE) from = found.end;
  }
  source.close();
  return { path, from, to };
}
