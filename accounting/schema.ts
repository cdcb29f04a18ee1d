/** The SQL of the embedded ledger, made from the description of its tables. */
import { keptColumns, TABLE_NAMES, type TableName } from './rows.ts';
import { UNIT_SCHEMA } from './unit-book.ts';
import { storedColumns } from './units.ts';

/** In `PRAGMA user_version`. A ledger of an earlier version is folded anew from the journals (older-ledger.ts), not migrated in place. */
export const SCHEMA_VERSION = 7;

function createTable(table: TableName): string {
  const defined = storedColumns(table).map(([name, kind]) => {
    if (kind === 'big') return `${name} TEXT NOT NULL`;
    return kind === 'text' ? `${name} INTEGER NOT NULL REFERENCES dimension (id)` : `${name} INTEGER NOT NULL`;
  });
  const keys = storedColumns(table).filter(([, kind]) => kind === 'int' || kind === 'text');
  return `CREATE TABLE ${table} (${defined.join(', ')}, PRIMARY KEY (${keys.map(([name]) => name).join(', ')})) WITHOUT ROWID;`;
}

/** The table with its names in place of their numbers, for people and for comparisons between files. */
function createView(table: TableName): string {
  const selected = keptColumns(table).map(([name, kind]) => (kind === 'text' ? `d_${name}.text AS ${name}` : `t.${name} AS ${name}`));
  const joins = keptColumns(table)
    .filter(([, kind]) => kind === 'text')
    .map(([name]) => ` JOIN dimension d_${name} ON d_${name}.id = t.${name}`);
  return `CREATE VIEW ${table}_text AS SELECT ${selected.join(', ')} FROM ${table} t${joins.join('')};`;
}

export const SCHEMA = [
  'CREATE TABLE dimension (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);',
  `CREATE TABLE position (
    segment TEXT PRIMARY KEY, process TEXT NOT NULL, sequence INTEGER NOT NULL, offset INTEGER NOT NULL, finished INTEGER NOT NULL,
    records INTEGER NOT NULL, corrupt_ranges INTEGER NOT NULL, corrupt_bytes INTEGER NOT NULL, orphans INTEGER NOT NULL,
    first_ms INTEGER, last_ms INTEGER
  ) WITHOUT ROWID;`,
  UNIT_SCHEMA,
  ...TABLE_NAMES.map(createTable),
  ...TABLE_NAMES.map(createView),
].join('\n');
