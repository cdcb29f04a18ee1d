/** Opens the shared ledger from its configuration: to publish to it, or to read it. */
import type { RedisConfig } from '../../config/schema.ts';
import type { World } from '../../config/world.ts';
import { SharedRedis } from './client.ts';
import { HostClaim } from './host.ts';
import { LeasePeers } from './lease-peers.ts';
import { Publisher } from './publisher.ts';
import { retentionOf } from './retention.ts';
import { SharedBook } from './shared-book.ts';

function connect(config: RedisConfig, world: World, name: string): SharedRedis {
  return new SharedRedis({ address: config.url, commandTimeoutMs: config.commandTimeoutMs, world, name });
}

/** Throws a sentence when the host has no id and none can be made; that Redis is away shows in the publisher's figures. */
export function openSharing(config: RedisConfig, dataDir: string, world: World): { readonly publisher: Publisher; readonly peers: LeasePeers } {
  const redis = connect(config, world, 'weighbridge accountant');
  try {
    const claim = new HostClaim({ redis, world, dataDir, prefix: config.prefix });
    const publisher = new Publisher({ redis, claim, world, prefix: config.prefix, retention: retentionOf(config), scrubMs: config.scrubMs });
    return { publisher, peers: new LeasePeers({ redis, claim, world, prefix: config.prefix }) };
  } catch (error) {
    redis.close();
    throw error;
  }
}

/** Only to publish. */
export function openPublisher(config: RedisConfig, dataDir: string, world: World): Publisher {
  return openSharing(config, dataDir, world).publisher;
}

/** A connection for one command. Rejects with a sentence when Redis does not answer in time. */
export async function openRedis(config: RedisConfig, world: World): Promise<SharedRedis> {
  const redis = connect(config, world, 'weighbridge');
  try {
    await redis.untilReady(2 * config.commandTimeoutMs, world);
    return redis;
  } catch (error) {
    redis.close();
    throw error;
  }
}

/** The shared ledger. Rejects with a sentence when Redis does not answer in time. */
export async function openSharedBook(config: RedisConfig, world: World): Promise<SharedBook> {
  const redis = await openRedis(config, world);
  return new SharedBook(redis, config.prefix, () => redis.close());
}
