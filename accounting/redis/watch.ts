/**
 * Watches with whom we publish: keeps the host's name claimed, and notices when the data that was acknowledged may be gone
 * (a new connection, another server, a failover, a claim that vanished).
 */
import type { World } from '../../config/world.ts';
import type { SharedRedis } from './client.ts';
import { RENEW_MS, type HostClaim } from './host.ts';

const IDENTITY_EVERY_MS = 5_000;
/** A storm of reconnections publishes recent buckets again once in so long. */
const LOSS_EVERY_MS = 5_000;
const FAILED_AGAIN_MS = 1_000;

export class Watch {
  readonly #redis: SharedRedis;
  readonly #claim: HostClaim;
  readonly #world: World;
  readonly #onError: (error: unknown) => void;
  #identity: string | undefined;
  #identityAtMs = -Infinity;
  #renewAtMs = -Infinity;
  #asking = false;
  #lost = false;
  #lossAtMs = -Infinity;
  #connections = 0;
  #closed = false;
  risk = '';

  constructor(redis: SharedRedis, claim: HostClaim, world: World, onError: (error: unknown) => void) {
    this.#redis = redis;
    this.#claim = claim;
    this.#world = world;
    this.#onError = onError;
    redis.onReady(() => {
      this.#connections += 1;
      if (this.#connections > 1) this.#lost = true;
      this.#identityAtMs = -Infinity;
    });
  }

  /** Asks what is to be asked; whether this instance may publish. */
  ready(): boolean {
    const nowMs = this.#world.monoMs();
    if (!this.#asking && !this.#closed && (nowMs >= this.#renewAtMs || nowMs >= this.#identityAtMs)) {
      this.#asking = true;
      void this.#ask(nowMs)
        .catch((error: unknown) => {
          this.#onError(error);
          const againAtMs = this.#world.monoMs() + FAILED_AGAIN_MS;
          if (nowMs >= this.#renewAtMs) this.#renewAtMs = againAtMs;
          if (nowMs >= this.#identityAtMs) this.#identityAtMs = againAtMs;
        })
        .finally(() => {
          this.#asking = false;
        });
    }
    return this.#claim.held;
  }

  /** Whether something was lost since the last call. */
  takeLoss(): boolean {
    const nowMs = this.#world.monoMs();
    if (!this.#lost || nowMs - this.#lossAtMs < LOSS_EVERY_MS) return false;
    this.#lost = false;
    this.#lossAtMs = nowMs;
    return true;
  }

  close(): void {
    this.#closed = true;
  }

  async #ask(nowMs: number): Promise<void> {
    if (nowMs >= this.#renewAtMs) {
      const renewed = await this.#claim.renew();
      if (renewed === 'lost') this.#lost = true;
      this.#renewAtMs = nowMs + RENEW_MS;
    }
    if (nowMs >= this.#identityAtMs) {
      const identity = await this.#redis.identity();
      if (this.#identity !== undefined && this.#identity !== identity) this.#lost = true;
      this.#identity = identity;
      this.risk = await this.#redis.risk();
      this.#identityAtMs = nowMs + IDENTITY_EVERY_MS;
    }
  }
}
