/**
 * The ledger's series on their way from the accountant to the supervisor, which asks for all of them at each scrape. Groups
 * keep their places in a book, so their names travel once; after that a group is its numbers.
 */
import type { Random } from '../config/world.ts';
import type { LedgerSeries, SeriesBook } from './series.ts';

/** How many values of each row are names; they come first. */
const NAMES = { delivered: 3, worth: 2, leaseDelivered: 3, leaseWorth: 1, credited: 3 } as const satisfies Record<keyof LedgerSeries, number>;
const TABLES = Object.keys(NAMES) as (keyof LedgerSeries)[];

type Name = string;
type Figure = number | null;

/** What the receiver has: of which book, and the names of how many groups of each table. */
export interface SeriesKnown {
  readonly book: string;
  readonly groups: Readonly<Record<keyof LedgerSeries, number>>;
}

export interface PackedSeries {
  readonly book: string;
  readonly tables: Readonly<
    Record<
      keyof LedgerSeries,
      {
        /** Names of the groups from this place on. */
        readonly from: number;
        readonly names: readonly (readonly Name[])[];
        /** Of all groups, figure by figure. */
        readonly columns: readonly (readonly Figure[])[];
      }
    >
  >;
}

export class SeriesSender {
  readonly #random: Pick<Random, 'uuid'>;
  #book: SeriesBook | undefined;
  #id = '';

  constructor(random: Pick<Random, 'uuid'>) {
    this.#random = random;
  }

  pack(book: SeriesBook, known: SeriesKnown | undefined): PackedSeries {
    if (this.#book !== book) [this.#book, this.#id] = [book, this.#random.uuid()];
    const series = book.read();
    const table = (name: keyof LedgerSeries): PackedSeries['tables'][typeof name] => {
      const rows: readonly (readonly (Name | Figure)[])[] = series[name];
      const from = known?.book === this.#id ? known.groups[name] : 0;
      const figures = (rows[0]?.length ?? 0) - NAMES[name];
      return {
        from,
        names: rows.slice(from).map((row) => row.slice(0, NAMES[name]) as Name[]),
        columns: Array.from({ length: Math.max(0, figures) }, (_, i) => rows.map((row) => row[NAMES[name] + i] as Figure)),
      };
    };
    return { book: this.#id, tables: Object.fromEntries(TABLES.map((name) => [name, table(name)])) as PackedSeries['tables'] };
  }
}

export class SeriesReceiver {
  #book = '';
  #names: Record<keyof LedgerSeries, readonly (readonly Name[])[]> = { delivered: [], worth: [], leaseDelivered: [], leaseWorth: [], credited: [] };

  /** To be sent with a request. */
  get known(): SeriesKnown {
    return { book: this.#book, groups: Object.fromEntries(TABLES.map((name) => [name, this.#names[name].length])) as SeriesKnown['groups'] };
  }

  /** Answers in the order in which they were given; one that was lost is no harm. */
  unpack({ book, tables }: PackedSeries): LedgerSeries {
    const series = TABLES.map((name) => {
      const { from, names, columns } = tables[name];
      // Two requests under way at once are both answered with what was unknown then.
      const all = names.length === 0 && book === this.#book ? this.#names[name] : [...this.#names[name].slice(0, from), ...names];
      this.#names[name] = all;
      return [name, all.map((group, i) => rowOf(group, columns, i))] as const;
    });
    this.#book = book;
    return Object.fromEntries(series) as unknown as LedgerSeries; // As `pack` took it apart.
  }
}

function rowOf(group: readonly Name[], columns: PackedSeries['tables']['delivered']['columns'], place: number): (Name | Figure)[] {
  const row: (Name | Figure)[] = group.slice();
  for (const column of columns) row.push(column[place]!);
  return row;
}
