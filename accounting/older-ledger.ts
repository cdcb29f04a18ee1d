/** A ledger that an earlier version has written: put aside, for the journals give all of it again. */
import { existsSync, renameSync, rmSync } from 'node:fs';
import Database from 'libsql';
import { listSegments } from './journal/reader.ts';
import { SCHEMA_VERSION } from './schema.ts';
import { journalDirectory, ledgerFile, sentenceOf } from './store.ts';

/** How long to wait for another who holds the file. */
const BUSY_TIMEOUT_MS = 1_000;

/** Segments that a ledger of any version has folded and that are no longer among the journals of its data directory. */
export function goneSegments(dataDir: string): string[] {
  const present = new Set(listSegments(journalDirectory(dataDir)).map(({ header }) => header.segment));
  return look(ledgerFile(dataDir), (database) => texts(database, 'SELECT segment FROM position')).filter((segment) => !present.has(segment));
}

/**
 * Renames the ledger of an earlier version, if there is one, and returns its new path. Throws a sentence when the journals
 * cannot give all that it holds: then nothing is changed.
 */
export function setOlderAside(dataDir: string): string | undefined {
  const file = ledgerFile(dataDir);
  if (!existsSync(file)) return undefined;
  const version = look(file, versionOf);
  // None yet, ours, or of a later version, which opening it will refuse.
  if (version === 0 || version >= SCHEMA_VERSION) return undefined;
  const gone = goneSegments(dataDir);
  if (gone.length > 0) {
    throw new Error(
      `the ledger ${file} is of version ${version}, this program folds version ${SCHEMA_VERSION} from the journals, and ${gone.length} of the segments in it are no longer there: ` +
        'restore them, or run `weighbridge rebuild --force` to have what the journals show; the ledger from before is kept beside it',
    );
  }
  return renameLedger(dataDir, `version-${version}`);
}

/** Renames a ledger of any version, with all that was committed to it. */
export function renameLedger(dataDir: string, ending: string): string {
  const file = ledgerFile(dataDir);
  look(file, (database) => database.pragma('wal_checkpoint(TRUNCATE)'));
  const free = [`${file}.${ending}`, ...Array.from({ length: 1000 }, (_, index) => `${file}.${ending}-${index + 2}`)].find((path) => !existsSync(path));
  if (free === undefined) throw new Error(`there are too many old ledgers beside ${file}: remove those named ${ending}`);
  renameSync(file, free);
  for (const suffix of ['-wal', '-shm']) rmSync(`${file}${suffix}`, { force: true });
  return free;
}

function look<V>(file: string, use: (database: Database.Database) => V): V {
  let database: Database.Database;
  try {
    database = new Database(file, { timeout: BUSY_TIMEOUT_MS });
  } catch (error) {
    throw new Error(`cannot open the ledger ${file}: ${sentenceOf(error)}`, { cause: error });
  }
  try {
    return use(database);
  } finally {
    database.close();
  }
}

function versionOf(database: Database.Database): number {
  return Number(texts(database, 'PRAGMA user_version')[0]);
}

function texts(database: Database.Database, sql: string): string[] {
  return database.prepare(sql).raw().all().map((row) => String(Array.isArray(row) ? row[0] : row));
}
