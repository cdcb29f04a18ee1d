/** Answers a scrape. Everything is at hand in the supervisor but the ledger's figures, which the accountant gives; no proxy process is asked. */
import { SeriesReceiver, type SeriesKnown } from '../../accounting/series-wire.ts';
import type { Config } from '../../config/schema.ts';
import { Vitals } from '../../config/vitals.ts';
import type { World } from '../../config/world.ts';
import type { ProcessState } from '../../metrics/catalogue.ts';
import { contentTypeFor } from '../../metrics/exposition.ts';
import { exportMetrics, showsLedger, type MetricsInput } from '../../metrics/exporter.ts';
import { LEDGER_COUNTERS } from '../../metrics/ledger.ts';
import { SeriesTexts } from '../../metrics/texts.ts';
import { Contracts } from './contracts.ts';
import { Exported } from './exported.ts';
import type { AccountantMetrics, MachineSnapshot, PackedMetrics, ProxySnapshot } from './messages.ts';
import { Rents } from './rents.ts';
import { CounterTotals } from './totals.ts';
import { version } from './version.ts';
import { WorkerWatch } from './worker-rates.ts';

export interface ScrapeAnswer {
  readonly code: 200 | 503;
  readonly type: string;
  readonly body: string | Buffer;
}

export interface ScrapeSource {
  readonly config: Config;
  readonly world: World;
  /** With what is not known of the ledger's series; undefined when the accountant gives no answer. */
  metrics(known: SeriesKnown): Promise<PackedMetrics | undefined>;
  /** Last reports of the proxy processes that are well, by name. */
  proxies(): readonly (readonly [name: string, snapshot: ProxySnapshot])[];
  /** What each place for a proxy process is in. */
  states(): readonly ProcessState[];
  /** Undefined when no proxy process answers. */
  machines(): Promise<readonly MachineSnapshot[] | undefined>;
  /** How often each child was started again, by name. */
  restarts(): Readonly<Record<string, number>>;
  /** What /metrics shows could not be kept. */
  complain(sentence: string): void;
}

export class Scrapes {
  /** To be told of every report of a proxy process. */
  readonly totals: CounterTotals;
  readonly #source: ScrapeSource;
  readonly #exported: Exported;
  readonly #vitals: Vitals;
  readonly #series = new SeriesReceiver();
  readonly #texts = new SeriesTexts();
  /** One after the other, in the order of the accountant's answers: what is remembered last must be the latest that was shown. */
  #answering: Promise<unknown> = Promise.resolve();
  #contracts!: Contracts;
  #rents!: Rents;
  #workers!: WorkerWatch;
  readonly #startedMs: number;
  /** The ledger whose figures were compared with those shown before. */
  #checked = '';
  #complaint = '';

  constructor(source: ScrapeSource) {
    this.#source = source;
    this.#exported = new Exported(source.config.data, source.config.durability);
    this.totals = new CounterTotals(this.#exported.totals);
    this.#vitals = new Vitals(source.world);
    this.configure(source.config);
    this.#startedMs = source.world.wallMs();
  }

  /** What is shown of the configuration follows it. */
  configure(config: Config): void {
    this.#contracts = new Contracts(config);
    this.#rents = new Rents(config.leases ?? {});
    this.#workers = new WorkerWatch(config.metrics.workersMax, this.#source.world, () => this.#source.machines());
  }

  /**
   * `accept` is the header of the request. A scrape without the ledger's counters after a restart would look like counters
   * that vanished or fell; so it fails, and says why.
   */
  async answer(accept: string): Promise<ScrapeAnswer> {
    const packed = await this.#source.metrics(this.#series.known);
    if (packed === undefined) return refusal('The accountant does not answer, so the ledger counters cannot be exported now.');
    const accountant = { ...packed, series: this.#series.unpack(packed.series) };
    if (!accountant.caughtUp) return refusal('The accountant has not caught up with the journal, so the ledger counters are not final yet.');
    const answered = this.#answering.then(() => this.#write(accountant, accept));
    this.#answering = answered.catch(() => undefined);
    return answered;
  }

  async #write(accountant: AccountantMetrics, accept: string): Promise<ScrapeAnswer> {
    const input = this.#gather(accountant);
    const type = contentTypeFor(accept);
    const written = await exportMetrics(input).written(type, this.#texts);
    const ledger = showsLedger(accountant) ? written.samples(LEDGER_COUNTERS) : undefined;
    const opened = `${accountant.pid} ${accountant.opens}`;
    if (ledger !== undefined && this.#checked !== opened) {
      const fallenBack = this.#exported.fallenBack(ledger);
      if (fallenBack !== '') return refusal(fallenBack);
      this.#checked = opened;
    }
    const complaint = await this.#exported.remember(input.totals, ledger);
    if (complaint !== '' && complaint !== this.#complaint) this.#source.complain(complaint);
    this.#complaint = complaint;
    return { code: 200, type, body: written.text() };
  }

  #gather(accountant: AccountantMetrics): MetricsInput {
    const proxies = this.#source.proxies();
    const vitals = this.#vitals.snapshot();
    const nowMs = this.#source.world.wallMs();
    this.totals.accountant(accountant);
    this.totals.supervisor(vitals, this.#source.restarts());
    const residentBytes: Record<string, number> = { supervisor: vitals.residentBytes, accountant: accountant.vitals.residentBytes };
    for (const [name, proxy] of proxies) residentBytes[name] = proxy.vitals.residentBytes;
    return {
      version: version(),
      startedMs: this.#startedMs,
      residentBytes,
      states: this.#source.states(),
      proxies: proxies.map(([, proxy]) => proxy),
      totals: this.totals.totals(),
      contracts: this.#contracts.leases(nowMs),
      power: this.#contracts.power(nowMs),
      rents: this.#rents.read(accountant, this.#source.world.monoMs()),
      workers: this.#workers.read(),
      accountant,
    };
  }
}

function refusal(sentence: string): ScrapeAnswer {
  return { code: 503, type: 'text/plain; charset=utf-8', body: `${sentence}\n` };
}
