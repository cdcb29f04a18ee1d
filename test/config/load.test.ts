/** Loading: every mistake is reported with path, line and remedy, all at once, and passwords stay out of sight. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Problem, loadConfig, parseConfig } from '../../config/load.ts';

const FILE = '/etc/weighbridge/config.yaml';
const BASE = {
  sites: 'sites: { north: { listen: ["0.0.0.0:3333"] } }',
  pools: 'pools: { main: { url: "stratum+tcp://pool.example:3333", user: acme.farm } }',
  routes: 'routes: [ { pools: [main] } ]',
};

/** The least configuration with some of its lines replaced or added. */
function yaml(lines: Record<string, string> = {}): string {
  return Object.values({ ...BASE, ...lines }).join('\n');
}

function config(text: string, env: Record<string, string> = {}) {
  const loaded = parseConfig(text, FILE, env);
  if (!loaded.config) throw new Error(JSON.stringify(loaded.problems));
  return loaded.config;
}

function problems(text: string, env: Record<string, string> = {}): readonly Problem[] {
  return parseConfig(text, FILE, env).problems ?? [];
}

function sentences(text: string): string[] {
  return problems(text).map(({ path, message }) => `${path} ${message}`);
}

describe('a configuration that is right', () => {
  it('has the documented defaults', () => {
    expect(config(yaml())).toEqual({
      data: '/etc/weighbridge/data',
      http: { host: '127.0.0.1', port: 9280 },
      processes: 1,
      sites: { north: { listen: [{ host: '0.0.0.0', port: 3333 }], from: [] } },
      pools: {
        main: {
          host: 'pool.example', port: 3333, tls: false, url: 'stratum+tcp://pool.example:3333', user: 'acme.farm', password: 'x',
          passwordDifficulty: false, versionMask: 0x1fffe000, convention: 'auto', ntimeRollMs: 7_000_000, submitsPerSecondMax: 200,
          identity: 'aggregate', aggregation: 10_000,
        },
      },
      failover: { refusedPercentMax: 50, retryMs: 300_000, splitDebtMaxMs: 86_400_000, behindMs: 60_000 },
      routes: [{ match: {}, lessee: '', pools: ['main'] }],
      difficulty: { startExponent: 16, minExponent: 0, maxExponent: 32, sharesPerMinute: 6 },
      reply: 'proxy',
      durability: 'fsync',
      journal: { retainMs: 90 * 86_400_000, compress: true, segmentBytes: 64 * 2 ** 20, freeBytesMin: 2 ** 30 },
      metrics: { workersMax: 0 },
      limits: {
        lineBytesMax: 16_384, upstreamLineBytesMax: 1_048_576, paramsMax: 16, sessionsMax: 20_000, sessionsPerAddressMax: 5000,
        pendingRepliesMax: 256, slowReaderBytesMax: 262_144, journaledRejectsMax: 1000, workersPerSessionMax: 64, jobsPerLinkMax: 64,
        sharesPerSecondMax: 20_000, duplicatesMax: 5_000_000,
      },
      timeouts: {
        unauthenticatedMs: 60_000, idleMs: 600_000, refreshMs: 25_000, poolReplyMs: 5000, dialMs: 15_000, poolSilentMs: 180_000,
        backoffMinMs: 1000, backoffMaxMs: 60_000, prefixQuarantineMs: 600_000, resumeMs: 600_000, outageMs: 7_200_000, returnStableMs: 30_000, closesPerSecond: 20,
      },
    });
  });

  it('may be written as in the introduction, comments and all', () => {
    const introduction = `
data: ./data                 # journals, embedded ledger, control socket
http: 127.0.0.1:9280         # /metrics, /healthz, /readyz
sites:
  north: { listen: [ "0.0.0.0:3333" ] }
pools:
  main:   { url: stratum+tcp://pool.example:3333, user: acme.farm, password: x, difficulty: 262144 }
  backup: { url: stratum+tcp://other.example:3333, user: acme.farm }
routes:                      # first match wins; worker is a glob
  - { match: { site: north, worker: "acme.*" }, lessee: acme, pools: [ main, backup ] }
  - { pools: [ main, backup ] }
difficulty: { start: 65536, min: 1, max: 4294967296, sharesPerMinute: 6 }
reply: proxy                 # or pool
durability: fsync            # or os
journal: { retain: 90d, compress: true }
`;
    expect(config(introduction).routes).toEqual([
      { match: { site: 'north', worker: 'acme.*' }, lessee: 'acme', pools: ['main', 'backup'] },
      { match: {}, lessee: '', pools: ['main', 'backup'] },
    ]);
  });

  it('survives JSON, in which it travels to the processes', () => {
    const complete = config(readFileSync('examples/complete.yaml', 'utf8'));
    expect(JSON.parse(JSON.stringify(complete))).toEqual(complete);
  });

  it.each([
    ['"2^-20"', -20], ['1', 0], ['65536', 16], ['0.5', -1], ['"2^-32"', -32], ['2.3283064365386963e-10', -32],
  ])('reads the power of two %s', (written, exponent) => {
    expect(config(yaml({ difficulty: `difficulty: { min: ${written} }` })).difficulty.minExponent).toBe(exponent);
  });

  it('reads every power of two that a number can say, and 2^62', () => {
    for (let exponent = 32; exponent <= 62; exponent += 1) {
      expect(config(yaml({ difficulty: `difficulty: { max: ${2n ** BigInt(exponent)} }` })).difficulty.maxExponent).toBe(exponent);
    }
  });

  it.each([
    ['262144', '262144'], ['0.001', '0.001'], ['"2^18"', '262144'], ['"2^-3"', '0.125'], ['"2^-20"', '0.00000095367431640625'], ['16383.75', '16383.75'], ['1.5e-7', '0.00000015'], ['4611686018427387904', '4611686018427387904'], ['1e18', '1000000000000000000'],
  ])('keeps the pool difficulty %s as the decimal text %s', (written, text) => {
    const pools = `pools: { main: { url: "stratum+tcp://p.example:1", user: u, difficulty: ${written} } }`;
    expect(config(yaml({ pools })).pools['main']?.difficulty).toBe(text);
  });

  it.each([
    ['stratum+tcp://Pool.Example:3333', { host: 'pool.example', port: 3333, tls: false, url: 'stratum+tcp://pool.example:3333' }],
    ['stratum+ssl://1.2.3.4:1', { host: '1.2.3.4', port: 1, tls: true, url: 'stratum+ssl://1.2.3.4:1' }],
    ['stratum+tls://[2001:DB8::1]:65535', { host: '2001:db8::1', port: 65535, tls: true, url: 'stratum+tls://[2001:db8::1]:65535' }],
  ])('reads the pool address %s', (url, expected) => {
    expect(config(yaml({ pools: `pools: { main: { url: "${url}", user: u } }` })).pools['main']).toMatchObject(expected);
  });

  it('takes a password from the environment', () => {
    const pools = 'pools: { main: { url: "stratum+tcp://p.example:1", user: u, password: { env: POOL_PASSWORD } } }';
    expect(config(yaml({ pools }), { POOL_PASSWORD: 'hunter2' }).pools['main']?.password).toBe('hunter2');
  });

  it('lets sites share a listener when their ranges are disjoint', () => {
    const sites = 'sites: { a: { listen: ["0.0.0.0:1"], from: [10.1.0.0/16, 10.3.0.1] }, b: { listen: ["0.0.0.0:1"], from: [10.2.0.0/16, "2001:db8::/32"] } }';
    expect(config(yaml({ sites })).sites['a']?.from).toEqual(['10.1.0.0/16', '10.3.0.1/32']);
  });

  it('resolves anchors', () => {
    const pools = 'pools: { main: &p { url: "stratum+tcp://p.example:1", user: u }, spare: *p }';
    expect(config(yaml({ pools, routes: 'routes: [ { pools: [main, spare] } ]' })).pools['spare']?.user).toBe('u');
  });
});

describe('the bounds of each duration, size and number', () => {
  it.each([
    ['timeouts: { refresh: 30s }', true], ['timeouts: { refresh: 31s }', false], ['timeouts: { refresh: 30001ms }', false],
    ['timeouts: { refresh: 100ms }', true], ['timeouts: { refresh: 99ms }', false], ['timeouts: { refresh: 25 }', false],
    ['journal: { segment: 64KiB }', true], ['journal: { segment: 65535B }', false], ['journal: { segment: 2GiB }', true], ['journal: { segment: 3GiB }', false],
    ['limits: { paramsMax: 8 }', true], ['limits: { paramsMax: 7 }', false], ['limits: { paramsMax: 1024 }', true], ['limits: { paramsMax: 1025 }', false],
    ['limits: { paramsMax: 9.5 }', false], ['limits: { paramsMax: .inf }', false], ['limits: { paramsMax: "16" }', false],
    ['difficulty: { min: 3 }', false], ['difficulty: { min: "2^-33" }', false], ['difficulty: { max: "2^63" }', false], ['difficulty: { min: 0 }', false],
    ['difficulty: { min: -2 }', false], ['http: "127.0.0.1:0"', true], ['http: "127.0.0.1:65535"', true], ['http: "127.0.0.1:65536"', false],
    ['http: "1.2.3.400:80"', false], ['http: "[::1]:80"', true], ['http: "[::g]:80"', false], ['http: "::1:80"', false], ['http: 9280', false],
  ])('%s → %s', (line, right) => {
    expect(problems(yaml({ line })).length === 0).toBe(right);
  });
});

describe('what is wrong in the YAML itself', () => {
  it('has its line and column', () => {
    const text = 'sites:\n  north: { listen: [ }\n';
    expect(problems(text)[0]).toMatchObject({ path: '', line: 2 });
    expect(problems(text)[0]?.message).toMatch(/^is not valid YAML: .*\(line 2, column \d+\)$/);
  });

  it('names a key written twice', () => {
    const text = `${yaml()}\nreply: proxy\nreply: pool`;
    expect(problems(text)).toEqual([{ path: 'reply', line: 5, message: 'is written twice, first in line 4: delete one' }]);
  });

  it('is said of an empty file, several documents, a list and a bomb', () => {
    const bomb = ['a: &a [x, x, x, x, x, x, x, x, x, x]', 'b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]', 'c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]', 'd: [*c, *c]'].join('\n');
    expect(sentences('')).toEqual([' is empty: start from examples/minimal.yaml']);
    expect(sentences('# nothing\n')).toEqual([' is empty: start from examples/minimal.yaml']);
    expect(sentences(`${yaml()}\n---\na: 1`)[0]).toContain('multiple documents');
    expect(sentences('- a')[0]).toContain('must be a section with the keys data, http, processes, sites');
    expect(sentences(bomb)).toEqual([' cannot be expanded: too many aliases']);
  });

  it('never quotes a value, which might be a password', () => {
    for (const value of ['*hunter2', '!hunter2', '@hunter2', '"hunter2', "'hunter2", '[hunter2', '{hunter2', '{ env: hunter2-x }', '[ hunter2 ]', '&a hunter2 hunter2: hunter2', '`hunter2', '%hunter2', '"\\q hunter2"', '|hunter2', '>hunter2']) {
      const text = `pools:\n  main:\n    url: "stratum+tcp://u:hunter2@p.example:1"\n    password: ${value}\n    user: u\n${BASE.sites}\n${BASE.routes}`;
      const found = problems(text);
      expect(found).not.toEqual([]);
      expect(JSON.stringify(found)).not.toContain('hunter2');
    }
    expect(JSON.stringify(problems(yaml({ pools: 'pools: { main: "stratum+tcp://u:hunter2@p.example:1" }' })))).not.toContain('hunter2');
  });
});

describe('what is wrong with a value', () => {
  it('is all reported at once, in the order of the lines', () => {
    const text = [
      'sites:',
      '  north:',
      '    listen: ["0.0.0.0:99999"]',
      '    form: [10.0.0.0/8]',
      'pools:',
      '  main:',
      '    url: http://pool.example',
      '    difficulty: -1',
      'routes:',
      '  - { match: { site: nroth }, pools: [mian] }',
      'replay: pool',
      'timeouts: { refresh: 60s, dail: 3s }',
    ].join('\n');
    expect(problems(text)).toEqual([
      { path: 'sites.north', line: 2, message: 'has no route, so none of its machines could work: add one, or a last route without match' },
      { path: 'sites.north.listen[0]', line: 3, message: 'must be an address to listen on, such as 0.0.0.0:3333 or "[::]:3333"; it is "0.0.0.0:99999"' },
      { path: 'sites.north.form', line: 4, message: 'is not an option: did you mean "from"?' },
      { path: 'pools.main.user', line: 6, message: 'is missing: it must be text of 1 to 255 characters without line breaks; a number needs quotes' },
      { path: 'pools.main', line: 6, message: 'is not used by any route: name it in one or delete it' },
      { path: 'pools.main.url', line: 7, message: 'must be stratum+tcp://host:port, or stratum+ssl:// or stratum+tls:// for TLS; it is "http://pool.example"' },
      { path: 'pools.main.difficulty', line: 8, message: 'must be a difficulty above 0 and up to 2^62, such as 262144, "0.001" or "2^-20"; it is -1' },
      { path: 'routes[0].match.site', line: 10, message: 'names the site "nroth", which is not in sites: did you mean "north"?' },
      { path: 'routes[0].pools[0]', line: 10, message: 'names the pool "mian", which is not in pools: did you mean "main"?' },
      { path: 'replay', line: 11, message: 'is not an option: did you mean "reply"?' },
      { path: 'timeouts.refresh', line: 12, message: 'must be a duration from 100ms to 30s, a whole number with ms, s, m, h or d; it is "60s"' },
      { path: 'timeouts.dail', line: 12, message: 'is not an option: did you mean "dial"?' },
    ]);
  });

  it.each([
    ['retain: 9d', 'retain is not an option here: it belongs at journal.retain'],
    ['versionMask: "1fffe000"', 'versionMask is not an option here: it belongs at pools.*.versionMask'],
    ['colour: red', 'colour is not an option: there is data, http, processes, sites, pools, routes, failover, difficulty, reply, durability, journal, redis, parties, inventory, leases, prices, metrics, limits, timeouts'],
    ['timeouts:', 'timeouts must be a section with the keys unauthenticated, idle, refresh, poolReply, dial, poolSilent, backoffMin, backoffMax, prefixQuarantine, resume, outage, returnStable, closesPerSecond; it is empty'],
    ['reply: both', 'reply must be one of proxy, pool; it is "both"'],
    ['journal: { compress: yes }', 'journal.compress must be true or false; it is "yes"'],
    ['difficulty: { min: 16, start: 8 }', 'difficulty.start must not be below min: 2^3 is below 2^4'],
    ['difficulty: { max: 16, start: 32 }', 'difficulty.start must not be above max: 2^5 is above 2^4'],
    ['difficulty: { min: 32, max: 16 }', 'difficulty.min must not be above max: 2^5 is above 2^4'],
    ['processes: all', 'processes must be auto or a whole number from 1 to 64; it is "all"'],
    ['timeouts: { backoffMin: 2m }', 'timeouts.backoffMin must not be above backoffMax: 120000 ms is above 60000 ms'],
  ])('%s', (line, sentence) => {
    expect(sentences(yaml({ line }))).toEqual([sentence]);
  });

  it.each([
    ['pools: { main: { url: "stratum+tcp://u:secret@p.example:1", user: u } }', 'pools.main.url must not hold credentials: move them to user and password'],
    ['pools: { main: { url: "stratum+tcp://p.example", user: u } }', 'pools.main.url must be stratum+tcp://host:port, or stratum+ssl:// or stratum+tls:// for TLS; it is "stratum+tcp://p.example"'],
    ['pools: { main: { url: "stratum+tcp://p.example:1", user: u, password: 123 } }', 'pools.main.password must be text (a number needs quotes) or { env: NAME }'],
    ['pools: { main: { url: "stratum+tcp://p.example:1", user: u, password: { env: NOT_SET } } }', 'pools.main.password must name an environment variable that is set: NOT_SET is not'],
    ['pools: { main: { url: "stratum+tcp://p.example:1", user: u, versionMask: 20000000 } }', 'pools.main.versionMask must be 8 hexadecimal digits in quotes, such as "1fffe000"; it is 20000000'],
    ['pools: { main: { url: "stratum+tcp://p.example:1", user: u, passwordDifficulty: true } }', 'pools.main.passwordDifficulty has nothing to append: set difficulty of this pool, or delete it'],
    ['pools: { main: { url: "stratum+tcp://p.example:1", user: u, convention: and } }', 'pools.main.convention must be one of auto, replace, xor, or; it is "and"'],
  ])('%s', (pools, sentence) => {
    expect(sentences(yaml({ pools }))).toEqual([sentence]);
  });

  it.each([
    ['routes: [ { pools: [main, main] } ]', 'routes[0].pools[1] names the pool "main" twice: delete one'],
    ['routes: [ { pools: [main] }, { match: { worker: "a*" }, pools: [main] } ]', 'routes[1] can never be taken: routes[0] comes first and matches all of it; put this one before it or delete it'],
    ['routes: [ { match: { site: north, worker: "*" }, pools: [main] }, { match: { site: north }, pools: [main] } ]', 'routes[1] can never be taken: routes[0] comes first and matches all of it; put this one before it or delete it'],
    ['routes: [ { pools: [ { pool: main, weight: 1 } ] } ]', 'routes[0].pools is a split of one part: write main without weight'],
    ['routes: [ { pools: [ { pool: main, weight: 1 }, { pool: mian, weight: 1 } ] } ]', 'routes[0].pools[1].pool names the pool "mian", which is not in pools: did you mean "main"?'],
    ['routes: [ { pools: [ { pool: [ main, mian ], weight: 1 }, main ] } ]', 'routes[0].pools mixes entries with and without a weight: give every entry one, or put the split into a list of its own, as in pools: [ [ { pool: a, weight: 65 }, { pool: b, weight: 35 } ], spare ]', 'routes[0].pools[0].pool[1] names the pool "mian", which is not in pools: did you mean "main"?'],
    ['routes: [ { pools: [ { pool: main, weight: 1 }, { pool: main, weight: 2 } ] } ]', 'routes[0].pools begins two parts of the split with the pool "main": add their weights up'],
    ['routes: [ { pools: [ { pool: [ main, main ], weight: 1 }, { pool: main, weight: 0 } ] } ]', 'routes[0].pools[1].weight must be a whole number from 1 to 10000; it is 0'],
    ['routes: [ { match: { listener: "0.0.0.0:9" }, pools: [ main ] }, { pools: [ main ] } ]', 'routes[0].match.listener is no address that a site listens on: write it as in sites.*.listen'],
    ['routes: [ { match: { listener: "0.0.0.0:0" }, pools: [ main ] }, { pools: [ main ] } ]', 'routes[0].match.listener must have a port: with port 0 listeners cannot be told apart'],
    ['routes: []', 'routes must be a list of routes with at least one entry; it is a list'],
    ['', 'routes is missing: it must be a list of routes'],
  ])('%s', (routes, ...expected) => {
    expect(sentences(yaml({ routes })).toSorted()).toEqual(expected.toSorted());
  });

  it.each([
    ['sites: { a: { listen: ["0.0.0.0:1"] }, b: { listen: ["0.0.0.0:1"], from: [10.0.0.0/8] } }', 'sites.b.listen shares 0.0.0.0:1 with site "a": give site "a" its address ranges in from, or another port'],
    ['sites: { a: { listen: ["0.0.0.0:1"], from: [10.0.0.0/8] }, b: { listen: ["0.0.0.0:1"], from: [10.1.0.0/16] } }', 'sites.b.from shares 0.0.0.0:1 with site "a", and 10.1.0.0/16 and 10.0.0.0/8 overlap: make the ranges disjoint'],
    ['sites: { a: { listen: ["0.0.0.0:1", "0.0.0.0:1"] } }', 'sites.a.listen[1] listens on 0.0.0.0:1 twice: delete one'],
    ['sites: { a: { listen: ["0.0.0.0:1"] }, b: { listen: ["10.0.0.1:1"] } }', 'sites.b.listen[0] cannot listen on 10.0.0.1:1: site "a" has port 1 of all addresses'],
    ['sites: { a: { listen: ["0.0.0.0:9280"] } }', 'http cannot listen on 127.0.0.1:9280: site "a" has port 9280 of all addresses'],
    ['sites: { a: { listen: ["127.0.0.1:9280"] } }', 'http cannot listen on 127.0.0.1:9280: site "a" does'],
    ['sites: { a: { listen: ["0.0.0.0:1"], from: [10.0.0.1/8] } }', 'sites.a.from[0] must be an address range such as 10.1.0.0/16, without bits set beyond the prefix length; it is "10.0.0.1/8"'],
    ['sites: { "a b": { listen: ["0.0.0.0:1"] } }', 'sites.a b must be a name of 1 to 63 letters, digits, dots, dashes or underscores, beginning with a letter or digit'],
    ['sites: { a: { listen: ["0.0.0.0:1"], power: { watts: 1000000, price: 0.045 USD/kWh } } }', 'sites.a.power.price is in USD, which needs a price of bitcoin: add prices: { file: … } with rows of BTC/USD'],
    ['sites: {}', 'sites must be a section with one key for each site, at least one; it is a section'],
    ['sites: { __proto__: { listen: ["0.0.0.0:1"] }, a: { listen: ["0.0.0.0:2"] } }', 'sites.__proto__ is not a name that can be used: choose another'],
  ])('%s', (sites, sentence) => {
    expect(sentences(yaml({ sites }))).toEqual([sentence]);
  });

  it('knows the units of a price of power', () => {
    const sites = 'sites: { a: { listen: ["0.0.0.0:1"], power: { watts: 3000000, price: 0.045 USD/MWh } } }';
    expect(sentences(yaml({ sites }))[0]).toMatch(/^sites\.a\.power\.price must be a price such as 0\.045 USD\/kWh; /);
  });

  it('takes a price of power in bitcoin without prices', () => {
    const sites = 'sites: { a: { listen: ["0.0.0.0:1"], power: { watts: 3000000, price: 0.0000005 BTC/kWh } } }';
    expect(config(yaml({ sites })).sites['a']?.power).toEqual({ watts: 3_000_000, price: { amount: '0.0000005', currency: 'BTC' } });
  });

  it('lets a site take port 0 as often as it likes', () => {
    expect(problems(yaml({ sites: 'sites: { a: { listen: ["0.0.0.0:0", "0.0.0.0:0"] }, b: { listen: ["0.0.0.0:0"] } }' }))).toEqual([]);
  });
});

describe('any text at all', () => {
  it('gives a configuration or problems, never an exception', () => {
    const word = fc.constantFrom('sites', 'pools', 'routes', 'main', 'url', ':', ': ', '\n', '\n  ', '- ', '{', '}', '[', ']', ',', '"', "'", '&a ', '*a', '!t ', '|', '#', '__proto__', 'null', '1', 'listen', '? ');
    fc.assert(
      fc.property(fc.oneof(fc.array(word, { maxLength: 30 }).map((words) => words.join('')), fc.string()), (text) => {
        const loaded = parseConfig(text, FILE, {});
        expect(loaded.config !== undefined || (loaded.problems ?? []).length > 0).toBe(true);
      }),
      { numRuns: 1000, seed: 2 },
    );
  });

  it('gives the same for any value in any place', () => {
    const base = { sites: { a: { listen: ['0.0.0.0:1'] } }, pools: { main: { url: 'stratum+tcp://p.example:1', user: 'u' } }, routes: [{ pools: ['main'] }] };
    const key = fc.constantFrom('sites', 'pools', 'routes', 'difficulty', 'limits', 'timeouts', 'journal', 'http', 'data');
    fc.assert(
      fc.property(key, fc.jsonValue({ maxDepth: 4 }), (place, value) => {
        const loaded = parseConfig(JSON.stringify({ ...base, [place]: value }), FILE, {});
        expect(loaded.config !== undefined || (loaded.problems ?? []).length > 0).toBe(true);
      }),
      { numRuns: 500, seed: 3 },
    );
  });
});

describe('a file', () => {
  it('that is not there, or a folder, is a problem with a remedy', () => {
    expect(loadConfig('no-such.yaml').problems?.[0]?.message).toBe('no-such.yaml does not exist: name another file or start from examples/minimal.yaml');
    expect(loadConfig('examples').problems?.[0]?.message).toBe('examples is a folder: name the file in it');
  });

  it('is read from the disk', () => {
    expect(loadConfig('examples/minimal.yaml').config?.sites['farm']?.listen).toEqual([{ host: '0.0.0.0', port: 3333 }]);
  });
});
