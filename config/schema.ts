/** Every option with its default, bound and reason. The types, the documentation and the editors' JSON schema all follow from here. */
import { resolve } from 'node:path';
import { z } from 'zod';
import {
  duration,
  extranonceLayout,
  isOneLine,
  listenAddress,
  name,
  poolDifficulty,
  poolUrl,
  powerOfTwo,
  size,
  text,
  versionMask,
  whole,
} from './fields.ts';
import { leasesSchema, partiesSchema, price, pricesSchema } from './leases.ts';
import { networkBlock } from './networks.ts';
import { redisUrl } from './redis-url.ts';
import { routePools } from './route-pools.ts';
import { list, named, oneOf, option, section, yesOrNo } from './sections.ts';

/** More cores than this are better used by another host. */
const PROCESSES_MAX = 64;

/** Where journals and ledger are, relative to the configuration file. */
export const DATA_DEFAULT = './data';

/** What a configuration depends on besides its text. */
export interface Surroundings {
  /** Absolute folder of the configuration file; relative paths start there. */
  readonly folder: string;
  /** Environment variables, for `password: { env: NAME }`. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** One entry of `sites`. */
export const siteSchema = section({
  listen: list(listenAddress(), 'addresses').describe('Where machines of this site connect. Port 0 lets the system choose a free one.'),
  from: z
    .array(networkBlock(), { error: 'must be a list of address ranges' })
    .prefault([])
    .describe('Addresses that machines of this site have. Empty: any. Needed where sites share one listener; the ranges must not overlap then.'),
  extranonce: extranonceLayout()
    .optional()
    .describe(
      'Bytes of our prefix and bytes each machine counts through. Left out: 4+4, or what the pools of the site leave room for. ' +
        'A prefix of one byte serves 255 sessions a link, two bytes 65280; for more, further links are opened. Machines reject more than 8 bytes and old Avalons need 3.',
    ),
  power: section({
    watts: whole(1, 10_000_000_000).describe('Power that the site draws when all of it runs, at the meter.'),
    price: price(['kWh'], '0.045 USD/kWh').describe('Price of energy. In another currency than BTC the latest price of bitcoin in the file of `prices` converts it.'),
  })
    .optional()
    .describe('What power costs, for metrics and the alarm that income is below it. Left out: neither.'),
});

function password(env: Surroundings['env']) {
  const error = 'must be text (a number needs quotes) or { env: NAME }';
  const variable = z.strictObject({ env: z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, { error }) }, { error });
  const plain = z.string().max(1024, { error }).refine(isOneLine, { error });
  return z.union([plain, variable], { error }).transform((value, context) => {
    if (typeof value === 'string') return value;
    const found = env[value.env];
    if (found !== undefined) return found;
    context.addIssue(`must name an environment variable that is set: ${value.env} is not`);
    return z.NEVER;
  });
}

/** One entry of `pools`. */
function poolSchema(env: Surroundings['env']) {
  return section({
    url: poolUrl().describe('Where the pool is reached. The certificate is checked with ssl and tls, which mean the same.'),
    user: text(255).describe('Name to authorise with; shares of all machines go to it. Pools cut or refuse longer names.'),
    password: option(password(env), 'x', 'Sent with the name. Most pools ignore it. `{ env: NAME }` reads it from an environment variable.'),
    difficulty: poolDifficulty()
      .optional()
      .describe('Asked for by suggest_difficulty on every link, and again, once a minute at most, when the pool has gone below it: one that tunes by shares does so with a link that only stands by. Left out: the pool decides. Lower gives the pool, and the reconciliation with it, more shares to count.'),
    passwordDifficulty: option(yesOrNo(), false, 'Also append `d=` and the difficulty to the password, for pools that read it there and ignore suggest_difficulty. Needs `difficulty`.'),
    versionMask: option(versionMask(), '1fffe000', 'Version bits asked of this pool at most. The default is the 16 bits of BIP 320; some pools grant bits outside them that machines cannot roll.'),
    convention: option(
      oneOf(['auto', 'replace', 'xor', 'or']),
      'auto',
      "How this pool puts a share's version bits into the job's version. They only differ where the job already has bits inside the mask; auto learns from the pool's verdicts.",
    ),
    ntimeRoll: option(duration('0s', '7200s'), '7000s', "How far after the job's ntime the pool takes shares. 7000 s is what the ckpool family takes; the btcpool family takes 600 s."),
    submitsPerSecondMax: option(
      whole(1, 100_000),
      200,
      'Shares sent to this pool per link and second. A pool that starts at a low difficulty must not be flooded, or it bans the address; what is above the cap is counted as not credited.',
    ),
    identity: option(
      oneOf(['aggregate', 'passthrough']),
      'aggregate',
      'Under whose name shares reach this pool. `aggregate`: under `user`. `passthrough`: under the name of the worker, once the pool has taken it on the shared link; names it refuses go under `user`.',
    ),
    aggregation: option(
      whole(1, 1_000_000),
      10_000,
      'Sessions that share one link. With more of them another link is opened. Fewer links are cheaper for both sides; more bound what one broken connection moves.',
    ),
  }).transform(({ url, ntimeRoll, ...pool }) => ({ ...url, ...pool, ntimeRollMs: ntimeRoll }));
}

/** One entry of `routes`. */
export const routeSchema = section({
  match: section({
    site: name().optional().describe('Name of the site. Left out: every site.'),
    listener: listenAddress().optional().describe('Address of the site that the machine connected to, as written in `listen`. Left out: every address.'),
    worker: text(255).optional().describe('Glob over the worker name: * is any run of characters, ? is one. Left out: every name.'),
    lease: name().optional().describe('Lease that the machine is under at present, by its name in `leases`. Left out: any or none.'),
    userAgent: text(255).optional().describe('Glob over what the machine calls its software in mining.subscribe; one that names itself before it subscribes has none. Left out: every software.'),
  })
    .prefault({})
    .describe('What a session must have to take this route. The first route that matches wins.'),
  lessee: z
    .union([z.literal(''), name()], { error: 'must be a name of 1 to 63 letters, digits, dots, dashes or underscores' })
    .prefault('')
    .describe('Whose hash rate this is in the ledger. Empty: nobody in particular.'),
  pools: routePools().describe(
    'Pools in order of preference: the first that lives gets the work. Or a split of the work by weight: `[ { pool: a, weight: 65 }, { pool: b, weight: 35 } ]`. ' +
      'A part may fail over in itself (`pool: [a, c]`), and a split may be one level of the order (`[ [ { pool: a, weight: 65 }, { pool: b, weight: 35 } ], c ]`). See docs/routing.md.',
  ),
});

/** The section `difficulty`. */
export const difficultySchema = section({
  start: option(powerOfTwo(), 65_536, 'Difficulty of a session whose machine asks for nothing. At six shares a minute 65536 suits 28 TH/s; the first minutes correct it.'),
  min: option(powerOfTwo(), 1, 'Lowest difficulty given to a machine. Below 1 only for tests and hobby devices.'),
  max: option(powerOfTwo(), 4_294_967_296, 'Highest difficulty given to a machine. 2^32 is a petahash machine at one share in five hours.'),
  sharesPerMinute: option(
    whole(1, 6000),
    6,
    'Shares a machine should find in a minute. The error of a measured hash rate falls with the root of the share count: 6 a minute give ±2.1 % (95 %) for one machine and day.',
  ),
})
  .prefault({})
  .transform(({ start, min, max, sharesPerMinute }) => ({ startExponent: start, minExponent: min, maxExponent: max, sharesPerMinute }));

const journalSchema = section({
  retain: option(duration('1h', '3660d'), '90d', 'How long closed segments are kept. Longer than the time in which a statement may be disputed.'),
  compress: option(yesOrNo(), true, 'Compress closed segments with gzip after they were folded and verified.'),
  segment: option(size('64KiB', '2GiB'), '64MiB', 'A segment is closed at this size. Small enough to check alone in seconds, large enough that the repeated head does not weigh.'),
  freeMin: option(size('0B', '16TiB'), '1GiB', 'Free space below which an alarm is raised. A gibibyte holds some ten million shares: time to act before shares go unjournaled.'),
})
  .prefault({})
  .transform(({ retain, compress, segment, freeMin }) => ({ retainMs: retain, compress, segmentBytes: segment, freeBytesMin: freeMin }));

function redisSchema(env: Surroundings['env']) {
  const retention = section({
    minute: option(duration('1h', '3660d'), '8d', 'Figures by minute, by far the most. A week can be looked at closely while it is disputed; older minutes are in the ledger of each host.'),
    hour: option(duration('1d', '3660d'), '100d', 'Figures by hour and by worker. A quarter, and the days in which its statement is written.'),
    day: option(duration('1d', '36600d'), '3660d', 'Figures by day. Ten years, as long as books are kept; they take next to no room.'),
  }).prefault({});
  return section({
    url: redisUrl(env).describe('Where Redis is. `{ env: NAME }` reads it from an environment variable, for a url with a password. Its maxmemory-policy must be noeviction.'),
    prefix: option(name(), 'wb', 'Begin of every key, so that one Redis can serve other things too. All hosts of one ledger have the same.'),
    retention: retention.describe('How long the shared ledger keeps a bucket after its end. What is older when it is published is skipped and counted.'),
    commandTimeout: option(duration('100ms', '60s'), '2s', 'Longest wait for an answer. An unanswered publication is sent again, which changes nothing if it had arrived.'),
    scrub: option(duration('1s', '7d'), '1h', 'How often everything unexpired is compared with what this host has published. It finds what was deleted or lost without a trace.'),
  }).transform(({ retention, commandTimeout, scrub, ...redis }) => ({
    ...redis,
    retention: { minuteMs: retention.minute, hourMs: retention.hour, dayMs: retention.day },
    commandTimeoutMs: commandTimeout,
    scrubMs: scrub,
  }));
}

const metricsSchema = section({
  workersMax: option(whole(0, 20_000), 0, 'Worker names that have a series of their own. 0: none, because they are many and come and go; `weighbridge machines` shows them. Names beyond it are counted.'),
}).prefault({});

const limitsSchema = section({
  lineBytesMax: option(size('1KiB', '1MiB'), '16KiB', 'Longest line of a machine. A submit with a 2 KiB name is far shorter; what exceeds it is not mining.'),
  upstreamLineBytesMax: option(size('64KiB', '16MiB'), '1MiB', 'Longest line of a pool. Coinbases of 16 KiB exist and hexadecimal doubles them.'),
  paramsMax: option(whole(8, 1024), 16, "Most entries in a machine's params. No known method has more than nine."),
  sessionsMax: option(whole(1, 1_000_000), 20_000, 'Sessions of one proxy process. At 8 KiB each this is 160 MiB; further connections are closed at once.'),
  sessionsPerAddressMax: option(whole(1, 1_000_000), 5000, 'Sessions from one address. A container behind one router is a few thousand machines.'),
  pendingRepliesMax: option(whole(1, 65_536), 256, 'Unanswered messages of one session. A machine that pipelines has a handful.'),
  slowReaderBytesMax: option(size('16KiB', '64MiB'), '256KiB', 'Bytes waiting for a machine that does not read. More than a dozen large jobs; then the session is closed.'),
  journaledRejectsMax: option(whole(0, 1_000_000), 1000, 'Rejects of one session journaled one by one. Beyond it they are only counted, so that a faulty machine cannot fill the disk.'),
  workersPerSessionMax: option(whole(1, 65_536), 64, 'Names authorised on one session. Farm proxies use one connection for a rack.'),
  jobsPerLinkMax: option(whole(4, 4096), 64, 'Jobs remembered per link. Machines keep 16; with a refresh every 25 s this is the last 25 minutes.'),
  sharesPerSecondMax: option(whole(1, 1_000_000), 20_000, 'Shares of one proxy process and second. About what one core judges; above it sessions get a higher difficulty.'),
  duplicatesMax: option(whole(1000, 100_000_000), 5_000_000, 'Hashes remembered to find duplicates, at 66 bytes each: those since the last block. Above it the oldest work ends early rather than count a share twice.'),
}).prefault({});

/** The section `timeouts`. */
export const timeoutsSchema = section({
  unauthenticated: option(duration('1s', '1h'), '60s', 'A connection that has not named itself by then is closed. Slow firmware needs some seconds.'),
  idle: option(duration('1s', '24h'), '10m', 'A session without any byte is closed. A slow machine at a high difficulty is silent for minutes.'),
  refresh: option(duration('100ms', '30s'), '25s', 'A session without a new job for so long gets the work again with a later ntime. Many machines take a minute without a job for a dead pool.'),
  poolReply: option(duration('10ms', '60s'), '5s', "With reply: pool, how long a machine waits for the pool's verdict before it gets ours."),
  dial: option(duration('100ms', '5m'), '15s', 'How long connecting to a pool may take, until it has answered authorize.'),
  poolSilent: option(duration('1s', '1h'), '180s', 'A link is given up when for so long its pool says nothing, says nothing that can be worked on, or answers none of the shares sent to it. Pools send work at least each minute.'),
  backoffMin: option(duration('10ms', '1h'), '1s', 'First pause before dialling a pool again; it doubles, with jitter, so that a farm does not dial as one.'),
  backoffMax: option(duration('10ms', '1h'), '60s', 'Longest pause before dialling a pool again.'),
  prefixQuarantine: option(duration('0s', '24h'), '10m', 'How long a prefix is not given again, at least: it also rests until the work that it was sent is over. Late shares of its old owner must not meet the jobs of a new one.'),
  resume: option(duration('0s', '24h'), '10m', 'How long a lost session can be resumed with its prefix, by the session id in subscribe.'),
  outage: option(
    duration('1m', '7d'),
    '2h',
    'How long a machine is kept without any living pool of its route; then it is closed, so that it turns to the next pool in its own list. By then its last work is too old for every pool (7000 s).',
  ),
  returnStable: option(duration('0s', '1h'), '30s', 'How long a preferred pool must live before sessions return to it. Each move costs the machine a moment of work.'),
  closesPerSecond: option(whole(1, 100_000), 20, 'Sessions closed per second when closing is the only way to move them. A farm that reconnects as one is a storm.'),
})
  .prefault({})
  .transform(({ closesPerSecond, ...durations }) => ({ ...inMilliseconds(durations), closesPerSecond }));

type InMilliseconds<D> = { [K in keyof D & string as `${K}Ms`]: number };

function inMilliseconds<D extends Record<string, number>>(durations: D): InMilliseconds<D> {
  return Object.fromEntries(Object.entries(durations).map(([key, ms]) => [`${key}Ms`, ms])) as InMilliseconds<D>;
}

const failoverSchema = section({
  refusedPercentMax: option(
    whole(1, 100),
    50,
    'Of the shares that a pool answered within two minutes, at least 20, how many of a hundred it may refuse or leave unanswered before machines go to the next pool. Stale shares after a block are a few.',
  ),
  retry: option(duration('10s', '24h'), '5m', 'How long machines stay away from a pool that refused shares or went back to a lower height. Twice as long each time that it refuses again, up to sixteen times.'),
  splitDebtMax: option(duration('1h', '31d'), '24h', "What a part of a split missed while its pools were away is made good, at most its share of what was delivered in so many hours at work, in whole hours; meanwhile the other parts may have nothing. What is above is forgiven and shown (`weighbridge_split_forgiven_ratio`). Longer where a revenue share must be met in hash rate after long outages."),
  behind: option(duration('5s', '1h'), '60s', 'How long a pool may send work on an old block while another pool has moved on. Pools hear of a block within seconds; such work earns nothing.'),
})
  .prefault({})
  .transform(({ refusedPercentMax, retry, splitDebtMax, behind }) => ({ refusedPercentMax, retryMs: retry, splitDebtMaxMs: splitDebtMax, behindMs: behind }));

/** The option `http`. */
export const httpSchema = option(listenAddress(), '127.0.0.1:9280', 'Address of /metrics, /healthz and /readyz. They ask for no password: keep them off public networks.');

/** The whole configuration. Relations between sections are checked beside it (relations.ts). */
export function configSchema({ folder, env }: Surroundings) {
  return section({
    data: option(text(4096).transform((path) => resolve(folder, path)), DATA_DEFAULT, 'Folder for journals, ledger and control socket. Relative to the configuration file.'),
    http: httpSchema,
    processes: option(
      z.union([z.literal('auto'), whole(1, PROCESSES_MAX)], { error: `must be auto or a whole number from 1 to ${PROCESSES_MAX}` }),
      1,
      'Proxy processes that share the listeners; `auto`: one for each core. One judges 20,000 shares a second, more than most farms find, and each further one is one more link to every pool.',
    ),
    sites: named(siteSchema, 'site').describe('Places with machines, by name. The name is printed in ledgers and metrics.'),
    pools: named(poolSchema(env), 'pool').describe('Pools, by name.'),
    routes: list(routeSchema, 'routes').describe('Which pools a session works for. The first match wins.'),
    failover: failoverSchema.describe('When a pool that still answers is left for the next one of the route, and what is made good afterwards. A dead or silent one is left at once.'),
    difficulty: difficultySchema.describe('Difficulty given to machines, always a power of two: firmware filters by leading zeros.'),
    reply: option(
      oneOf(['proxy', 'pool']),
      'proxy',
      "Whose verdict a machine is told for a share that was forwarded. `proxy` answers at once; `pool` waits for the pool, so that the machine's own display agrees with the pool's.",
    ),
    durability: option(
      oneOf(['fsync', 'os']),
      'fsync',
      'When a share counts as written. `fsync`: on the disk, it survives a power cut. `os`: with the operating system, it survives a crash of the process only.',
    ),
    journal: journalSchema.describe('Journals, the source of every figure.'),
    redis: redisSchema(env).optional().describe('The ledger that hosts share. Left out: this host keeps its own, and the product is complete.'),
    parties: partiesSchema.optional().describe('Who has a part in leases, by a short name.'),
    inventory: text(4096)
      .transform((path) => resolve(folder, path))
      .optional()
      .describe('CSV file of the machines, by serial number: what is installed, and since when. Relative to the configuration file. A running instance looks at it once a minute and puts each version on record.'),
    leases: leasesSchema.optional().describe('Contracts over machines, by name. The name is printed on statements.'),
    prices: pricesSchema(folder).optional().describe('Where prices of bitcoin come from. Needed only to show what a payment in bitcoin was worth.'),
    metrics: metricsSchema.describe('What /metrics shows beyond what it always does.'),
    limits: limitsSchema.describe('Bounds against faulty and hostile peers.'),
    timeouts: timeoutsSchema.describe('How long things may take.'),
  });
}

export type Config = z.output<ReturnType<typeof configSchema>>;
export type SiteConfig = Config['sites'][string];
export type PoolConfig = Config['pools'][string];
export type RedisConfig = NonNullable<Config['redis']>;
export type RouteConfig = Config['routes'][number];
