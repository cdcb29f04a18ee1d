/**
 * The embedded ledger: one SQLite file per host. Counts and the positions they stand for are committed together or not
 * at all, so a batch that is applied twice counts once.
 */
import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import { TABLE_NAMES, type Deltas, type KeptRow, type Position, type Rows, type TableName } from './rows.ts';
import type { LedgerReader } from './reader.ts';
import { SCHEMA, SCHEMA_VERSION } from './schema.ts';
import { countOf as count, mergedRows, SELECT_BIG, selectRows, STORED, textOf as text, UPSERTS, type Value } from './store-sql.ts';
import { UnitBook, type UnitId } from './unit-book.ts';
import { groupText, isBucketTable, LAYOUTS, shardOf, versionOf } from './units.ts';

/** The ledger's file in a data directory. */
export function ledgerFile(dataDir: string): string {
  return join(dataDir, 'ledger.sqlite');
}

/** The journals' directory in a data directory. */
export function journalDirectory(dataDir: string): string {
  return join(dataDir, 'journal');
}

export interface StoreOptions {
  /** Refuses writes; the file must exist. */
  readonly readonly?: boolean;
  /** For scratch copies only: gives up durability for speed. */
  readonly scratch?: boolean;
  /** How long to wait for another who holds the file. */
  readonly busyTimeoutMs?: number;
}

/** Rows that one slice of a write puts down before it lets go of the thread. */
const SLICE_ROWS = 100;
/** Interned texts remembered; beyond it the table is asked again. */
const INTERNED_MAX = 200_000;
const BUSY_TIMEOUT_MS = 5_000;

type Statement = Database.Statement<Value[]>;

export class Store implements LedgerReader {
  readonly #database: Database.Database;
  readonly #statements = new Map<string, Statement>();
  #interned = new Map<string, number>();
  readonly #writes: boolean;
  /** What of this ledger is published. */
  readonly units: UnitBook;

  private constructor(database: Database.Database, writes: boolean) {
    this.#database = database;
    this.#writes = writes;
    this.units = new UnitBook(database);
  }

  /** Opens the ledger of a data directory, creating it unless `readonly`. Throws a sentence when it cannot be used. */
  static open(dataDir: string, options: StoreOptions = {}): Store {
    const file = ledgerFile(dataDir);
    if (options.readonly === true && !existsSync(file)) throw new Error(`there is no ledger at ${file}: has this instance ever been started?`);
    if (options.readonly !== true) {
      mkdirSync(dataDir, { recursive: true, mode: 0o700 });
      // SQLite would create it readable for all; its WAL takes the mode of the file.
      if (!existsSync(file)) closeSync(openSync(file, 'a', 0o600));
    }
    return Store.openFile(file, options);
  }

  /** Opens a ledger file that need not be a data directory's. */
  static openFile(file: string, options: StoreOptions = {}): Store {
    let database: Database.Database;
    const timeout = options.busyTimeoutMs ?? BUSY_TIMEOUT_MS;
    try {
      database = new Database(file, { timeout });
    } catch (error) {
      throw new Error(`cannot open the ledger ${file}: ${sentenceOf(error)}`, { cause: error });
    }
    try {
      database.defaultSafeIntegers(true);
      database.pragma(`busy_timeout = ${timeout}`);
      database.pragma(`synchronous = ${options.scratch === true ? 'OFF' : 'FULL'}`);
      // The driver has no read-only mode of its own.
      if (options.readonly === true) database.pragma('query_only = 1');
      else database.pragma(`journal_mode = ${options.scratch === true ? 'OFF' : 'WAL'}`);
      checkSchema(database, file, options.readonly === true);
    } catch (error) {
      database.close();
      throw error;
    }
    return new Store(database, options.readonly !== true && options.scratch !== true);
  }

  /** Adds counts and moves positions in one transaction. */
  apply(deltas: Deltas, positions: Iterable<Position>): void {
    const writing = this.writing(deltas, positions);
    while (writing.next().done !== true);
  }

  /**
   * The same in slices, so that a long write need not block its thread: yields the rows written so far inside the open
   * transaction, and has committed when it returns. Abandoning it (or any error) rolls everything back. With `known`, the
   * positions that the counts go on from: throws when the ledger stands elsewhere, because someone else has folded into it.
   * `nowMs`, wall clock, is when what is changed began to wait for its publication.
   */
  *writing(deltas: Deltas, positions: Iterable<Position>, known?: ReadonlyMap<string, Position>, nowMs = 0): Generator<number, void, undefined> {
    this.#database.exec('BEGIN IMMEDIATE');
    let committed = false;
    try {
      if (known !== undefined) for (const { segment } of positions) this.#expectAt(segment, known.get(segment));
      let written = 0;
      for (const table of TABLE_NAMES) {
        for (const row of deltas[table].values()) {
          this.#add(table, row);
          written += 1;
          if (written % SLICE_ROWS === 0) yield written;
        }
      }
      for (const noted of this.units.flush(nowMs)) if (noted % SLICE_ROWS === 0) yield written + noted;
      for (const position of positions) this.#move(position);
      this.#database.exec('COMMIT');
      committed = true;
    } finally {
      this.units.settle(committed);
      if (!committed) this.#rollBack();
    }
  }

  positions(): Position[] {
    return this.all('SELECT segment, process, sequence, offset, finished, records, corrupt_ranges, corrupt_bytes, orphans, first_ms, last_ms FROM position').map((row) => ({
      segment: text(row[0]), process: text(row[1]), sequence: count(row[2]), offset: count(row[3]), finished: count(row[4]) === 1,
      records: count(row[5]), corruptRanges: count(row[6]), corruptBytes: count(row[7]), orphans: count(row[8]),
      firstMs: row[9] === null ? undefined : count(row[9]), lastMs: row[10] === null ? undefined : count(row[10]),
    }));
  }

  /**
   * Rows of a table in the order of their keys, added up over runs. With `from` and `to`, only those whose bucket (first
   * column) is in [from, to); with `lease`, of those only the lease's.
   */
  *rows<T extends TableName>(table: T, from?: number, to?: number, lease?: string): Generator<Rows[T]> {
    const ranged = from !== undefined && to !== undefined;
    yield* mergedRows(table, this.iterate(selectRows(table, ranged, lease !== undefined), ...(ranged ? [from, to] : []), ...(lease === undefined ? [] : [lease])));
  }

  /** Runs a query; each row is an array of its columns. Integers are bigints. */
  all(sql: string, ...parameters: Value[]): unknown[][] {
    return [...this.iterate(sql, ...parameters)];
  }

  *iterate(sql: string, ...parameters: Value[]): Generator<unknown[]> {
    const statement = this.#database.prepare<Value[]>(sql).raw();
    for (const row of statement.iterate(...parameters)) if (Array.isArray(row)) yield row;
  }

  /** Makes another ledger file readable beside this one, under a schema name. */
  attach(file: string, schema: 'refold'): void {
    this.#database.prepare<Value[]>(`ATTACH ? AS ${schema}`).run(file);
  }

  /** Runs `read` on one moment of the ledger, whatever is committed meanwhile. */
  consistently<V>(read: () => V): V {
    this.#database.exec('BEGIN');
    try {
      return read();
    } finally {
      this.#database.exec('ROLLBACK');
    }
  }

  /** A consistent copy of the whole ledger as of now. `file` must not exist. */
  copyTo(file: string): void {
    // It writes nothing here, but SQLite counts it as writing.
    const [[queryOnly] = []] = this.all('PRAGMA query_only');
    this.#database.pragma('query_only = 0');
    try {
      this.#database.prepare('VACUUM INTO ?').run(file);
    } finally {
      this.#database.pragma(`query_only = ${String(queryOnly)}`);
    }
  }

  /** A writer leaves one file that can be copied by itself, as far as readers let it. */
  close(): void {
    this.#statements.clear();
    if (this.#writes) {
      try {
        this.#database.pragma('wal_checkpoint(TRUNCATE)');
      } catch {
        // On a full disk the WAL stays beside the file, where the next start finds it.
      }
    }
    this.#database.close();
  }

  #rollBack(): void {
    // Ids that were handed out in this transaction are gone with it.
    this.#interned = new Map();
    try {
      this.#database.exec('ROLLBACK');
    } catch {
      // SQLite rolls back by itself on errors such as a full disk, and then refuses to do so again.
    }
  }

  #add<T extends TableName>(table: T, row: KeptRow<T>): void {
    const record = row as unknown as Readonly<Record<string, Value>>;
    const shard = isBucketTable(table) && LAYOUTS[table].sharded ? shardOf(String(record['worker'])) : 0;
    const values: Value[] = [];
    let big: bigint | undefined;
    const keys: Value[] = [];
    for (const [name, kind] of STORED[table]) {
      const value = record[name] ?? '';
      if (kind === 'text') keys.push(this.#intern(String(value)));
      else if (kind === 'int') keys.push(name === 'shard' ? shard : value);
      else if (kind === 'big') big = BigInt(value);
      else values.push(value);
    }
    if (big !== undefined) values.push(String(big + this.#big(table, keys)));
    this.#prepared(UPSERTS[table], false).run(...keys, ...values);
    // A scratch copy is not published.
    if (!this.#writes || !isBucketTable(table)) return;
    const layout = LAYOUTS[table];
    const unit: UnitId = { table, bucket: Number(record[layout.resolution]), run: this.#intern(String(record['run'])), group: this.#intern(groupText(layout, row)) };
    this.units.note(unit, shard, versionOf(layout, row));
  }

  #big(table: TableName, keys: Value[]): bigint {
    const found = this.#prepared(SELECT_BIG[table], true).all(...keys)[0];
    return Array.isArray(found) ? BigInt(text(found[0])) : 0n;
  }

  #intern(value: string): number {
    const known = this.#interned.get(value);
    if (known !== undefined) return known;
    if (this.#interned.size >= INTERNED_MAX) this.#interned = new Map();
    const find = this.#prepared('SELECT id FROM dimension WHERE text = ?', true);
    let found = find.all(value)[0];
    if (found === undefined) {
      this.#prepared('INSERT INTO dimension (text) VALUES (?)', false).run(value);
      found = find.all(value)[0];
    }
    if (!Array.isArray(found)) throw new Error(`the ledger did not keep the name ${JSON.stringify(value)}; its file may be damaged`);
    const id = count(found[0]);
    this.#interned.set(value, id);
    return id;
  }

  #prepared(sql: string, raw: boolean): Statement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare<Value[]>(sql);
      if (raw) statement.raw();
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  /** An accountant that outlived its supervisor may still commit while its successor works. */
  #expectAt(segment: string, known: Position | undefined): void {
    const found = this.#prepared('SELECT offset, finished FROM position WHERE segment = ?', true).all(segment)[0];
    const [offset, finished] = Array.isArray(found) ? [count(found[0]), count(found[1]) === 1] : [undefined, undefined];
    if (offset === known?.offset && finished === known?.finished) return;
    throw new Error(`someone else has folded segment ${segment} to byte ${offset ?? 0} of this ledger, where byte ${known?.offset ?? 0} was known; the fold begins again from there`);
  }

  #move(position: Position): void {
    this.#prepared(
      `INSERT INTO position (segment, process, sequence, offset, finished, records, corrupt_ranges, corrupt_bytes, orphans, first_ms, last_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULLIF(?, -1), NULLIF(?, -1))
       ON CONFLICT (segment) DO UPDATE SET offset = excluded.offset, finished = excluded.finished, records = excluded.records,
         corrupt_ranges = excluded.corrupt_ranges, corrupt_bytes = excluded.corrupt_bytes, orphans = excluded.orphans,
         first_ms = excluded.first_ms, last_ms = excluded.last_ms`,
      false,
    ).run(
      position.segment, position.process, position.sequence, position.offset, position.finished ? 1 : 0, position.records,
      position.corruptRanges, position.corruptBytes, position.orphans, position.firstMs ?? -1, position.lastMs ?? -1,
    );
  }
}

function checkSchema(database: Database.Database, file: string, readonly: boolean): void {
  const found = database.prepare('PRAGMA user_version').raw().all()[0];
  const version = Array.isArray(found) ? count(found[0]) : 0;
  if (version === SCHEMA_VERSION) return;
  if (version !== 0 || readonly) {
    const remedy = version < SCHEMA_VERSION ? 'start the instance, which folds it anew from its journals and keeps the old file beside it' : 'use the program that wrote it, or move the file away and the journals will be folded anew';
    throw new Error(`the ledger ${file} has schema version ${version}, this program reads ${SCHEMA_VERSION}: ${remedy}`);
  }
  database.exec(`BEGIN IMMEDIATE; ${SCHEMA} PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT;`);
}

/** The message of whatever was thrown. */
export function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
