/** Turns what is due in the embedded ledger into publications: keys, arguments, and the lines they settle. */
import { fineShards, type Line, type Mark, type UnitBook, type UnitId } from '../unit-book.ts';
import { depthOf, groupValues, LAYOUTS, SHARD_BITS, versionOf } from '../units.ts';
import { encodeRow, expiresAt, indexKey, ownerText, rowsKey } from './keys.ts';
import type { Retention } from './retention.ts';

/** One call of the publish command. */
export interface Publication {
  readonly keys: readonly [rows: string, index: string];
  readonly args: readonly string[];
  readonly marks: readonly Mark[];
  readonly rows: number;
  /** The unit is spread over one hash from now on, which this publication fills and announces. */
  readonly begins: UnitId | undefined;
}

/** A unit that needs more hashes than it has: all are published, then announced, then the old ones lapse. */
export interface Spreading {
  readonly unit: UnitId;
  readonly depth: number;
  readonly index: string;
  readonly owner: string;
  readonly expiresAt: string;
  readonly oldKeys: readonly string[];
}

export interface Place {
  readonly index: string;
  readonly owner: string;
  readonly group: Readonly<Record<string, string>>;
}

export class Batches {
  readonly #prefix: string;
  readonly #retention: Retention;

  constructor(prefix: string, retention: Retention) {
    this.#prefix = prefix;
    this.#retention = retention;
  }

  place(units: UnitBook, unit: UnitId): Place {
    const group = units.text(unit.group);
    return {
      index: indexKey(this.#prefix, unit),
      owner: ownerText(group, units.text(unit.run)),
      group: groupValues(LAYOUTS[unit.table], group),
    };
  }

  /** Publications of lines that are no shards. */
  plain(units: UnitBook, lines: readonly Line[]): Publication[] {
    return lines.map((line) => this.#publication(units, line, this.place(units, line), 0, 0, [line], true));
  }

  /**
   * Publications of fine shards, joined to the hashes their unit is spread over. A unit that has outgrown its hashes is not
   * among them but returned as `outgrown`.
   */
  sharded(units: UnitBook, lines: readonly Line[]): { readonly publications: Publication[]; readonly outgrown: UnitId | undefined } {
    const publications: Publication[] = [];
    const found = new Map<string, { unit: UnitId; shards: Set<number> }>();
    for (const line of lines) {
      const key = `${line.table} ${line.bucket} ${line.run} ${line.group}`;
      const known = found.get(key);
      if (known === undefined) found.set(key, { unit: line, shards: new Set([line.shard]) });
      else known.shards.add(line.shard);
    }
    let outgrown: UnitId | undefined;
    for (const { unit, shards } of found.values()) {
      const place = this.place(units, unit);
      const depth = depthOf(units.size(unit, place.group));
      const current = units.depth(unit);
      if (depth > (current ?? 0)) {
        outgrown ??= unit;
        continue;
      }
      if (current === undefined) {
        publications.push({ ...this.#part(units, unit, place, 0, 0, true), begins: unit });
        continue;
      }
      const parts = new Set([...shards].map((shard) => shard >>> (SHARD_BITS - current)));
      for (const part of parts) publications.push(this.#part(units, unit, place, current, part, true));
    }
    return { publications, outgrown };
  }

  /** How a unit is to be spread now. */
  spreading(units: UnitBook, unit: UnitId): Spreading {
    const { index, owner, group } = this.place(units, unit);
    const depth = depthOf(units.size(unit, group));
    const before = units.depth(unit);
    const oldKeys = before === undefined || before === depth ? [] : Array.from({ length: 1 << before }, (_, part) => rowsKey(index, owner, 1 << before, part));
    return { unit, depth, index, owner, expiresAt: this.#expiresAt(unit), oldKeys };
  }

  /** Publications of the parts [from, to) of a unit that is being spread; parts without rows have none. */
  parts(units: UnitBook, spreading: Spreading, from: number, to: number): Publication[] {
    const place = this.place(units, spreading.unit);
    const publications: Publication[] = [];
    for (let part = from; part < to; part += 1) {
      const publication = this.#part(units, spreading.unit, place, spreading.depth, part, false);
      if (publication.rows > 0) publications.push(publication);
    }
    return publications;
  }

  #part(units: UnitBook, unit: UnitId, place: Place, depth: number, part: number, announce: boolean): Publication {
    const [from, to] = fineShards(depth, part);
    return this.#publication(units, unit, place, depth, part, units.shards(unit, from, to), announce);
  }

  #publication(units: UnitBook, unit: UnitId, place: Place, depth: number, part: number, marks: readonly Mark[], announce: boolean): Publication {
    const layout = LAYOUTS[unit.table];
    const rows = units.rows(unit, place.group, ...fineShards(depth, part));
    let version = 0;
    const fields: string[] = [];
    for (const row of rows) {
      version += versionOf(layout, row);
      fields.push(...encodeRow(layout, row));
    }
    const parts = 1 << depth;
    return {
      keys: [rowsKey(place.index, place.owner, parts, part), place.index],
      args: [String(version), this.#expiresAt(unit), place.owner, announce ? String(parts) : '', ...fields],
      marks,
      rows: rows.length,
      begins: undefined,
    };
  }

  #expiresAt(unit: UnitId): string {
    return String(expiresAt(unit, this.#retention[LAYOUTS[unit.table].resolution]));
  }
}
