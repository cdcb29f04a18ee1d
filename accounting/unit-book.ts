/**
 * What of the embedded ledger is published, kept beside its rows: a line for each unit (units.ts), or for each fine shard of
 * a unit with workers, holding the version that the ledger has and the one the shared ledger is known to have. What is to be
 * published is the set of lines where they differ; it never grows beyond the units themselves.
 */
import type Database from 'libsql';
import { BUCKET_TABLES, LAYOUTS, SHARD_BITS, type BucketTable } from './units.ts';

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

export class UnitBook {
  readonly #database: Database.Database;
  readonly #statements = new Map<string, Database.Statement<Value[]>>();
  #notes = new Map<string, Note>();
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

  /** Inside the same commit: writes what was noted, yielding after each line. */
  *flush(nowMs: number): Generator<void, void, undefined> {
    const statement = this.#prepared(NOTE);
    for (const { table, bucket, run, group, shard, version, rows } of this.#notes.values()) {
      statement.run(table, bucket, run, group, shard, LAYOUTS[table].sharded ? 1 : 0, version, rows, this.seq, nowMs);
      yield;
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

  /** Lines of a table with buckets from the newest down, after the one given. */
  older(table: BucketTable, after: Line | undefined, limit: number): Line[] {
    if (after === undefined) return this.#lines(`SELECT ${LINE} FROM unit WHERE tbl = ? ORDER BY bucket DESC, run, grp, shard LIMIT ?`, table, limit);
    const { bucket, run, group, shard } = after;
    const rest = this.#lines(`SELECT ${LINE} FROM unit WHERE tbl = ? AND bucket = ? AND (run, grp, shard) > (?, ?, ?) ORDER BY run, grp, shard LIMIT ?`, table, bucket, run, group, shard, limit);
    if (rest.length > 0) return rest;
    return this.#lines(`SELECT ${LINE} FROM unit WHERE tbl = ? AND bucket < ? ORDER BY bucket DESC, run, grp, shard LIMIT ?`, table, bucket, limit);
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
