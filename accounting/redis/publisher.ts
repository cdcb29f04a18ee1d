/**
 * Publishes the embedded ledger: after each commit what is due goes out in one batch, and is marked as published when Redis
 * has answered. Memory holds one batch, whatever the backlog: what is due is a query on the ledger's own file.
 */
import { hostname } from 'node:os';
import type { World } from '../../config/world.ts';
import type { Mark, UnitBook, UnitId } from '../unit-book.ts';
import { BUCKET_TABLES } from '../units.ts';
import { Batches, type Publication, type Spreading } from './batch.ts';
import type { SharedRedis } from './client.ts';
import { ANNOUNCE, PUBLISH } from './commands.ts';
import { CommitClock } from './commit-clock.ts';
import type { HostClaim } from './host.ts';
import { putLive } from './live.ts';
import { firstKept, type Retention } from './retention.ts';
import { Scrub } from './scrub.ts';
import { Watch } from './watch.ts';

export interface PublisherOptions {
  readonly redis: SharedRedis;
  readonly claim: HostClaim;
  readonly world: World;
  readonly prefix: string;
  readonly retention: Retention;
  readonly scrubMs: number;
  /** How long a change waits for others to the same hash: of plain tables, of tables by worker. */
  readonly lingerMs?: { readonly plain: number; readonly sharded: number };
}

/** As proxy/net/messages.ts has it. */
export interface PublisherFigures {
  /** Row changes committed here and not yet published, and the age of the oldest. */
  readonly lagRows: number;
  readonly lagSeconds: number;
  readonly publishedRows: number;
  /** Publications that Redis had already, in the same or a newer version. */
  readonly keptPublications: number;
  /** Row changes never published because their bucket had expired. */
  readonly expiredRows: number;
  /** Hashes that Redis had lost, found by comparison. */
  readonly missingFound: number;
  readonly errors: number;
  /** '' or what keeps the shared ledger from being whole, one sentence. */
  readonly problem: string;
}

/** A farm of 250,000 machines changes every hash by worker all the time: once in 15 s is enough for figures by the hour. */
const LINGER_MS = { plain: 500, sharded: 15_000 };
const NO_LINGER_MS = { plain: 0, sharded: 0 };
const LINES_PER_BATCH = 500;
const PARTS_PER_BATCH = 250;
const BACKOFF_MIN_MS = 250;
const BACKOFF_MAX_MS = 5_000;
/** What may have been lost with a failover: far more than a replica ever lags. */
const RECENT_MS = 2 * 3_600_000;
const EXPIRE_EVERY_MS = 60_000;
/** Hashes of a spread that was outgrown live on for readers that have just read the index. */
const OLD_SPREAD_SECONDS = 60;
const SCRUB_PAUSE_MS = 500;
const RELEASE_LIMIT_MS = 300;

/** What came back of a batch. */
interface Outcome {
  readonly marks: Mark[];
  readonly begun: UnitId[];
  failures: number;
}

export class Publisher {
  readonly #options: PublisherOptions;
  readonly #batches: Batches;
  readonly #scrub: Scrub;
  readonly #watch: Watch;
  readonly #commits: CommitClock;
  /** Work on its way to Redis; what is to be done in the ledger when it is back. */
  #sending = false;
  #returned: ((units: UnitBook) => void) | undefined;
  #spreading: { readonly plan: Spreading; next: number; marks: Mark[] } | undefined;
  #resumeAtMs = -Infinity;
  #backoffMs = BACKOFF_MIN_MS;
  #scrubAtMs = -Infinity;
  #scrubStepAtMs = -Infinity;
  #expireAtMs = -Infinity;
  #lag = { rows: 0, sinceMs: undefined as number | undefined, takenAtMs: -Infinity, costMs: 0 };
  #counts = { publishedRows: 0, keptPublications: 0, expiredRows: 0, missingFound: 0, errors: 0 };
  #problem = '';
  #closed = false;

  constructor(options: PublisherOptions) {
    const { redis, claim, world, prefix, retention } = options;
    this.#options = options;
    this.#batches = new Batches(prefix, retention);
    this.#scrub = new Scrub(this.#batches, retention, world);
    this.#watch = new Watch(redis, claim, world, (error) => this.#error(error));
    this.#commits = new CommitClock(world);
  }

  /**
   * Does a bounded piece of work, between two commits of the ledger: settles what came back, sends the next batch. Returns
   * whether there is more to do soon. `hurry` publishes also what would have waited for more.
   */
  turn(units: UnitBook, hurry = false): boolean {
    const { world, redis } = this.#options;
    this.#commits.look(units);
    const returned = this.#returned;
    this.#returned = undefined;
    if (returned !== undefined) units.lightly(() => returned(units));
    if (this.#sending || this.#closed) return true;
    if (!redis.ready || world.monoMs() < this.#resumeAtMs) return false;
    if (!this.#watch.ready()) return false;
    if (this.#watch.takeLoss()) this.#afterLoss(units);
    this.#expire(units);
    return this.#publish(units, hurry) || (!hurry && this.#compare(units));
  }

  figures(units: UnitBook | undefined): PublisherFigures {
    const { world, redis, claim } = this.#options;
    if (units !== undefined) this.#measureLag(units);
    const { sinceMs, rows } = this.#lag;
    const problems = [claim.problem, redis.problem === '' ? '' : `Redis cannot be reached: ${redis.problem}`, this.#problem, this.#watch.risk];
    return {
      lagRows: rows,
      lagSeconds: sinceMs === undefined ? 0 : Math.max(0, (world.wallMs() - sinceMs) / 1000),
      ...this.#counts,
      problem: problems.find((problem) => problem !== '') ?? '',
    };
  }

  /** Puts this host's live machines where the other hosts see them. What fails is made good by the next snapshot. */
  async live(machines: readonly unknown[]): Promise<void> {
    const { redis, claim, world, prefix } = this.#options;
    if (this.#closed || !redis.ready || !claim.held) return;
    try {
      await putLive(redis, world, prefix, { id: claim.id, name: hostname() }, machines);
    } catch (error) {
      this.#error(error);
    }
  }

  /** Stops publishing and gives up the host's name, if Redis takes note of it soon. */
  async close(): Promise<void> {
    const { redis, claim, world } = this.#options;
    this.#closed = true;
    this.#watch.close();
    if (redis.ready) {
      // Not released, the claim lapses by itself.
      const limit = new Promise<void>((resolve) => void world.after(RELEASE_LIMIT_MS, resolve));
      await Promise.race([claim.release().catch(() => undefined), limit]);
    }
    redis.close();
  }

  /** What was acknowledged may be gone: recent buckets go out again, older ones are compared. */
  #afterLoss(units: UnitBook): void {
    const nowMs = this.#options.world.wallMs();
    units.lightly(() => units.forgetSince(nowMs - RECENT_MS, nowMs));
    this.#spreading = undefined;
    this.#scrub.begin();
    this.#scrubStepAtMs = -Infinity;
  }

  #expire(units: UnitBook): void {
    const { world, retention } = this.#options;
    if (world.monoMs() < this.#expireAtMs) return;
    this.#expireAtMs = world.monoMs() + EXPIRE_EVERY_MS;
    units.lightly(() => {
      for (const table of BUCKET_TABLES) this.#counts.expiredRows += units.expire(table, firstKept(table, retention, world.wallMs()));
    });
  }

  /** Sends the next batch, if anything is due. */
  #publish(units: UnitBook, hurry: boolean): boolean {
    if (this.#spreading !== undefined) return this.#spread(units, this.#spreading);
    const linger = hurry ? NO_LINGER_MS : (this.#options.lingerMs ?? LINGER_MS);
    const publications = this.#batches.plain(units, units.due(false, this.#commits.before(linger.plain), LINES_PER_BATCH));
    const sharded = this.#batches.sharded(units, units.due(true, this.#commits.before(linger.sharded), LINES_PER_BATCH));
    publications.push(...sharded.publications);
    if (sharded.outgrown !== undefined) this.#spreading = { plan: this.#batches.spreading(units, sharded.outgrown), next: 0, marks: [] };
    if (publications.length > 0) {
      this.#send(async () => {
        const { marks, begun } = await this.#sendAll(publications);
        return (book) => {
          for (const unit of begun) book.setDepth(unit, 0);
          book.mark(marks);
        };
      });
      return true;
    }
    return this.#spreading !== undefined && this.#spread(units, this.#spreading);
  }

  #spread(units: UnitBook, spreading: { readonly plan: Spreading; next: number; marks: Mark[] }): boolean {
    const { plan } = spreading;
    const parts = 1 << plan.depth;
    const to = Math.min(parts, spreading.next + PARTS_PER_BATCH);
    const publications = this.#batches.parts(units, plan, spreading.next, to);
    this.#send(async () => {
      const { marks, failures } = await this.#sendAll(publications);
      if (failures > 0) {
        // Nothing is announced: readers stay with the hashes that were. The pass begins again.
        this.#spreading = undefined;
        return () => undefined;
      }
      spreading.next = to;
      spreading.marks.push(...marks);
      if (to < parts) return () => undefined;
      this.#spreading = undefined;
      await this.#announce(plan);
      return (book) => {
        book.setDepth(plan.unit, plan.depth);
        book.mark(spreading.marks);
      };
    });
    return true;
  }

  async #announce({ index, owner, depth, expiresAt, oldKeys }: Spreading): Promise<void> {
    const { redis } = this.#options;
    await redis.run(ANNOUNCE, [index], [owner, String(1 << depth), expiresAt]);
    await Promise.all(oldKeys.map((key) => redis.expire(key, OLD_SPREAD_SECONDS)));
  }

  async #sendAll(publications: readonly Publication[]): Promise<Outcome> {
    const outcome: Outcome = { marks: [], begun: [], failures: 0 };
    await Promise.all(
      publications.map(async ({ keys, args, marks, rows, begins }) => {
        try {
          const replaced = await this.#options.redis.run(PUBLISH, keys, args);
          if (replaced === 1) this.#counts.publishedRows += rows;
          else this.#counts.keptPublications += 1;
          outcome.marks.push(...marks);
          if (begins !== undefined) outcome.begun.push(begins);
        } catch (error) {
          outcome.failures += 1;
          this.#error(error);
        }
      }),
    );
    if (outcome.failures > 0) this.#pause();
    else this.#recovered();
    return outcome;
  }

  /** Takes the next step of a comparison, if one is due. */
  #compare(units: UnitBook): boolean {
    const { world, scrubMs, redis } = this.#options;
    const nowMs = world.monoMs();
    if (!this.#scrub.active && nowMs >= this.#scrubAtMs) {
      this.#scrub.begin();
      this.#scrubAtMs = nowMs + scrubMs;
    }
    if (!this.#scrub.active || nowMs < this.#scrubStepAtMs) return false;
    this.#scrubStepAtMs = nowMs + SCRUB_PAUSE_MS;
    const checks = this.#scrub.take(units);
    if (checks.length === 0) return this.#scrub.active;
    this.#send(async () => {
      const missing = await this.#scrub.compare(redis, checks);
      this.#recovered();
      if (missing.length === 0) return () => undefined;
      this.#counts.missingFound += missing.length;
      // Where some are missing there may be more: go on without a pause.
      this.#scrubStepAtMs = -Infinity;
      return (book) => missing.forEach((line) => book.forget(line, world.wallMs()));
    });
    return true;
  }

  /** Runs work that ends outside of the ledger; what it returns is done in the ledger at the next turn. */
  #send(work: () => Promise<(units: UnitBook) => void>): void {
    this.#sending = true;
    void work()
      .then((settle) => {
        this.#returned = settle;
      })
      .catch((error: unknown) => {
        this.#error(error);
        this.#pause();
      })
      .finally(() => {
        this.#sending = false;
      });
  }

  #error(error: unknown): void {
    this.#counts.errors += 1;
    this.#problem = `the shared ledger lags: ${error instanceof Error ? error.message : String(error)}`;
  }

  #pause(): void {
    this.#resumeAtMs = this.#options.world.monoMs() + this.#backoffMs;
    this.#backoffMs = Math.min(BACKOFF_MAX_MS, this.#backoffMs * 2);
  }

  #recovered(): void {
    this.#problem = '';
    this.#backoffMs = BACKOFF_MIN_MS;
  }

  /** A long backlog takes long to count: never more than a fiftieth of the time. That nothing is left of it is seen at once. */
  #measureLag(units: UnitBook): void {
    const { world } = this.#options;
    const nowMs = world.monoMs();
    if (!units.lags) {
      this.#lag = { rows: 0, sinceMs: undefined, takenAtMs: -Infinity, costMs: 0 };
      return;
    }
    if (nowMs - this.#lag.takenAtMs < 50 * this.#lag.costMs) return;
    const { rows, sinceMs } = units.lag();
    this.#lag = { rows, sinceMs, takenAtMs: nowMs, costMs: world.monoMs() - nowMs };
  }
}
