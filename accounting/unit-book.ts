/**
 * What of the embedded ledger is published, kept beside its rows: a line for each unit (units.ts), or for each fine shard of
 * a unit with workers, holding the version that the ledger has and the one the shared ledger is known to have. What is to be
 * published is the set of lines where they differ; it never grows beyond the units themselves.
 */
import type Database from 'libsql';
import type { BucketTable } from './rows.ts';
import { rowOf } from './store-sql.ts';
import { BUCKET_TABLES, LAYOUTS, SHARD_BITS, type Layout } from './units.ts';

export const UNIT_SCHEMA = `
CREATE TABLE unit (
  tbl TEXT NOT NULL, bucket INTEGER NOT NULL, run INTEGER NOT NULL REFERENCES dimension (id), grp INTEGER NOT NULL REFERENCES dimension (id),
  shard INTEGER NOT NULL, slow INTEGER NOT NULL, version INTEGER NOT NULL, published INTEGER NOT NULL, pending INTEGER NOT NULL,
  seq INTEGER NOT NULL, since_ms INTEGER NOT NULL, PRIMARY KEY (tbl, bucket, run, grp, shard)
) WITHOUT ROWID;
CREATE INDEX unit_due ON unit (slow, seq) WHERE published < version;
CREATE TABLE spread (
  tbl TEXT NOT NULL, bucket INTEGER NOT NULL, run INTEGER NOT NULL, grp INTEGER NOT NULL, depth INTEGER NOT NULL, PRIMARY KEY (tbl, bucket, run, grp)
) WITHOUT ROWID;`;

/** A unit, with the numbers of its texts in this ledger. */
export interface UnitId {
  readonly table: BucketTable;
  readonly bucket: number;
  readonly run: number;
  readonly group: number;
}

/** A unit or fine shard whose version the shared ledger now has. */
export interface Mark extends UnitId {
  readonly shard: number;
  readonly version: number;
}

export interface Line extends UnitId {
  readonly shard: number;
  readonly version: number;
  readonly published: number;
}

export interface UnitSum extends UnitId {
  readonly version: number;
  readonly published: number;
}

interface Note extends UnitId {
  readonly shard: number;
  version: number;
  rows: number;
}

export interface Lag {
  /** Row changes that are committed here and not yet published. */
  readonly rows: number;
  readonly units: number;
  /** Wall clock of the oldest commit among them; undefined when there is none. */
  readonly sinceMs: number | undefined;
}

type Value = string | number | bigint;

const NOTE = `INSERT INTO unit (tbl, bucket, run, grp, shard, slow, version, published, pending, seq, since_ms) VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?)
  ON CONFLICT DO UPDATE SET
    seq = CASE WHEN published < version THEN seq ELSE excluded.seq END,
    since_ms = CASE WHEN published < version THEN since_ms ELSE excluded.since_ms END,
    version = version + excluded.version, pending = pending + excluded.pending`;
const LINE = 'tbl, bucket, run, grp, shard, version, published';
const OF_UNIT = 'tbl = ? AND bucket = ? AND run = ? AND grp = ?';

/** Texts remembered; beyond it the table is asked again. */
const TEXTS_MAX = 100_000;

function selectUnit({ table, resolution, group, key, measures, sharded }: Layout): { readonly rows: string; readonly size: string } {
  const from = `FROM ${table} t`;
  const where = [`t.${resolution} = ?`, 't.run = ?', ...group.map((name) => `t.${name} = (SELECT id FROM dimension WHERE text = ?)`)].join(' AND ');
  const columns = key.map(([name, kind]) => (kind === 'text' ? `(SELECT text FROM dimension WHERE id = t.${name})` : `t.${name}`));
  const selected = [`t.${resolution}`, ...columns, ...measures.map(([name]) => `t.${name}`)].join(', ');
  return { rows: `SELECT ${selected} ${from} WHERE ${where}${sharded ? ' AND t.shard BETWEEN ? AND ?' : ''}`, size: `SELECT count(*) ${from} WHERE ${where}` };
}
const SELECT_UNIT = Object.fromEntries(BUCKET_TABLES.map((table) => [table, selectUnit(LAYOUTS[table])])) as Readonly<Record<BucketTable, ReturnType<typeof selectUnit>>>;

export class UnitBook {
  readonly #database: Database.Database;
  readonly #statements = new Map<string, Database.Statement<Value[]>>();
  #notes = new Map<string, Note>();
  #texts = new Map<number, string>();
  #seq: number;

  constructor(database: Database.Database) {
    this.#database = database;
    this.#seq = number(this.#all('SELECT max(seq) FROM unit WHERE published < version')[0]?.[0] ?? 0);
  }

  /** The commit now being written, or to be written next. Lines that became due in one commit share its number. */
  get seq(): number {
    return this.#seq + 1;
  }

  /** Inside a commit: a row of a unit grew by `version`. Written by `flush`. */
  note(unit: UnitId, shard: number, version: number): void {
    const key = `${unit.table} ${unit.bucket} ${unit.run} ${unit.group} ${shard}`;
    const known = this.#notes.get(key);
    if (known === undefined) {
      this.#notes.set(key, { ...unit, shard, version, rows: 1 });
    } else {
      known.version += version;
      known.rows += 1;
    }
  }

  /** Inside the same commit: writes what was noted, yielding the lines written so far after each. `nowMs` is wall clock. */
  *flush(nowMs: number): Generator<number, void, undefined> {
    const statement = this.#prepared(NOTE);
    let written = 0;
    for (const { table, bucket, run, group, shard, version, rows } of this.#notes.values()) {
      statement.run(table, bucket, run, group, shard, LAYOUTS[table].sharded ? 1 : 0, version, rows, this.seq, nowMs);
      written += 1;
      yield written;
    }
  }

  /** The commit is done, or given up. */
  settle(committed: boolean): void {
    this.#notes = new Map();
    if (committed) this.#seq += 1;
  }

  /** Up to `limit` lines that have waited longest, of those that became due in commit `seqMax` or before. */
  due(sharded: boolean, seqMax: number, limit: number): Line[] {
    return this.#lines(`SELECT ${LINE} FROM unit WHERE published < version AND slow = ? AND seq <= ? ORDER BY seq LIMIT ?`, sharded ? 1 : 0, seqMax, limit);
  }

  /** Fine shards `from` to `to`, both included, of a unit. */
  shards(unit: UnitId, from: number, to: number): Line[] {
    return this.#lines(`SELECT ${LINE} FROM unit WHERE ${OF_UNIT} AND shard BETWEEN ? AND ?`, ...idOf(unit), from, to);
  }

  /** Lines of a table from the newest bucket down, after the one given. */
  older(table: BucketTable, after: Line | undefined, limit: number): Line[] {
    const order = 'ORDER BY bucket DESC, run DESC, grp DESC, shard DESC LIMIT ?';
    if (after === undefined) return this.#lines(`SELECT ${LINE} FROM unit WHERE tbl = ? ${order}`, table, limit);
    return this.#lines(`SELECT ${LINE} FROM unit WHERE tbl = ? AND (bucket, run, grp, shard) < (?, ?, ?, ?) ${order}`, table, after.bucket, after.run, after.group, after.shard, limit);
  }

  /** The text of a dimension's number. */
  text(id: number): string {
    const known = this.#texts.get(id);
    if (known !== undefined) return known;
    if (this.#texts.size >= TEXTS_MAX) this.#texts = new Map();
    const found = this.#all('SELECT text FROM dimension WHERE id = ?', id)[0]?.[0];
    if (typeof found !== 'string') throw new Error(`the ledger has no name for its number ${id}; its file may be damaged`);
    this.#texts.set(id, found);
    return found;
  }

  /** Rows of a unit without its group and run; of its fine shards `from` to `to` where it is sharded. */
  rows(unit: UnitId, group: Readonly<Record<string, string>>, from: number, to: number): object[] {
    const layout = LAYOUTS[unit.table];
    const columns = [[layout.resolution, 'int'] as const, ...layout.key, ...layout.measures];
    const selected = this.#all(SELECT_UNIT[unit.table].rows, unit.bucket, unit.run, ...layout.group.map((name) => group[name] ?? ''), ...(layout.sharded ? [from, to] : []));
    return selected.map((values) => rowOf(columns, values));
  }

  /** Number of rows of a unit. */
  size(unit: UnitId, group: Readonly<Record<string, string>>): number {
    const layout = LAYOUTS[unit.table];
    return number(this.#all(SELECT_UNIT[unit.table].size, unit.bucket, unit.run, ...layout.group.map((name) => group[name] ?? ''))[0]?.[0]);
  }

  /** Whole units of a table in the order of their buckets, after the one given. */
  units(table: BucketTable, after: UnitId | undefined, limit: number): UnitSum[] {
    const { bucket, run, group } = after ?? { bucket: -1, run: -1, group: -1 };
    return this.#all(
      `SELECT bucket, run, grp, sum(version), sum(min(published, version)) FROM unit WHERE tbl = ? AND (bucket, run, grp) > (?, ?, ?)
       GROUP BY bucket, run, grp ORDER BY bucket, run, grp LIMIT ?`, table, bucket, run, group, limit,
    ).map((row) => ({ table, bucket: number(row[0]), run: number(row[1]), group: number(row[2]), version: number(row[3]), published: number(row[4]) }));
  }

  /** The version of a unit named by its texts; 0 when this ledger has none. */
  versionOf(table: BucketTable, bucket: number, run: string, group: string): number {
    const id = '(SELECT id FROM dimension WHERE text = ?)';
    return number(this.#all(`SELECT coalesce(sum(version), 0) FROM unit WHERE tbl = ? AND bucket = ? AND run = ${id} AND grp = ${id}`, table, bucket, run, group)[0]?.[0]);
  }

  /** As how many hashes (2^depth) a unit is published; undefined when it never was, or may no longer be. */
  depth(unit: UnitId): number | undefined {
    const found = this.#all(`SELECT depth FROM spread WHERE ${OF_UNIT}`, ...idOf(unit))[0];
    return found === undefined ? undefined : number(found[0]);
  }

  setDepth(unit: UnitId, depth: number): void {
    this.#prepared('INSERT INTO spread (tbl, bucket, run, grp, depth) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET depth = excluded.depth').run(...idOf(unit), depth);
  }

  /** The shared ledger has these versions. Only between commits. */
  mark(marks: readonly Mark[]): void {
    const statement = this.#prepared(`UPDATE unit SET pending = CASE WHEN version = ? THEN 0 ELSE pending END, published = ? WHERE ${OF_UNIT} AND shard = ? AND published < ?`);
    for (const { version, shard, ...unit } of marks) statement.run(version, version, ...idOf(unit), shard, version);
  }

  /** The shared ledger lacks a line: it is due again, and so is how its unit is spread. */
  forget(line: Line, nowMs: number): void {
    const { table } = line;
    this.#prepared(`UPDATE unit SET published = 0, pending = max(pending, 1), seq = ?, since_ms = ? WHERE ${OF_UNIT} AND shard = ? AND published >= version`)
      .run(this.#seq, nowMs, ...idOf(line), line.shard);
    if (LAYOUTS[table].sharded) this.#prepared(`DELETE FROM spread WHERE ${OF_UNIT}`).run(...idOf(line));
  }

  /** Everything in buckets that end after `sinceMs` is due again. */
  forgetSince(sinceMs: number, nowMs: number): void {
    for (const table of BUCKET_TABLES) {
      const bucket = Math.floor(sinceMs / LAYOUTS[table].bucketMs);
      this.#prepared('UPDATE unit SET published = 0, pending = max(pending, 1), seq = ?, since_ms = ? WHERE tbl = ? AND bucket >= ? AND published >= version')
        .run(this.#seq, nowMs, table, bucket);
      this.#prepared('DELETE FROM spread WHERE tbl = ? AND bucket >= ?').run(table, bucket);
    }
  }

  /** Takes note that a table's buckets before `bucket` have expired: they are not due. Returns the row changes that are skipped by it. */
  expire(table: BucketTable, bucket: number): number {
    const condition = 'tbl = ? AND bucket < ? AND published < version';
    const skipped = number(this.#all(`SELECT coalesce(sum(pending), 0) FROM unit WHERE ${condition}`, table, bucket)[0]?.[0]);
    if (skipped > 0) this.#prepared(`UPDATE unit SET published = version, pending = 0 WHERE ${condition}`).run(table, bucket);
    return skipped;
  }

  /** Whether anything is due: one step into an index, however long the backlog. */
  get lags(): boolean {
    return this.#all('SELECT 1 FROM unit INDEXED BY unit_due WHERE published < version LIMIT 1').length > 0;
  }

  lag(): Lag {
    const [rows, units, sinceMs] = this.#all('SELECT coalesce(sum(pending), 0), count(*), min(since_ms) FROM unit INDEXED BY unit_due WHERE published < version')[0] ?? [];
    return { rows: number(rows), units: number(units), sinceMs: sinceMs === null ? undefined : number(sinceMs) };
  }

  /** Runs `write` in a transaction that need not reach the disk: what it loses is published again. */
  lightly(write: () => void): void {
    this.#database.pragma('synchronous = NORMAL');
    this.#database.exec('BEGIN IMMEDIATE');
    let done = false;
    try {
      write();
      this.#database.exec('COMMIT');
      done = true;
    } finally {
      if (!done) this.#database.exec('ROLLBACK');
      this.#database.pragma('synchronous = FULL');
    }
  }

  #lines(sql: string, ...parameters: Value[]): Line[] {
    return this.#all(sql, ...parameters).map((row) => ({
      table: tableOf(row[0]), bucket: number(row[1]), run: number(row[2]), group: number(row[3]), shard: number(row[4]), version: number(row[5]), published: number(row[6]),
    }));
  }

  #all(sql: string, ...parameters: Value[]): unknown[][] {
    return this.#prepared(sql, true).all(...parameters).filter((row) => Array.isArray(row));
  }

  #prepared(sql: string, raw = false): Database.Statement<Value[]> {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare<Value[]>(sql);
      if (raw) statement.raw();
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

/** First and last fine shard of part `part` when a unit is spread over 2^depth parts. */
export function fineShards(depth: number, part: number): readonly [from: number, to: number] {
  const each = 1 << (SHARD_BITS - depth);
  return [part * each, (part + 1) * each - 1];
}

function idOf({ table, bucket, run, group }: UnitId): [string, number, number, number] {
  return [table, bucket, run, group];
}

function tableOf(value: unknown): BucketTable {
  const table = BUCKET_TABLES.find((name) => name === value);
  if (table === undefined) throw new Error(`the ledger holds the table name ${String(value)}, which does not exist; its file may be damaged`);
  return table;
}

function number(value: unknown): number {
  return Number(value);
}
