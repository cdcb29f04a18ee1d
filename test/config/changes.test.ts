/** A diff of two configurations in words. */
import { describe, expect, it } from 'vitest';
import { changesBetween, concernsAccountant } from '../../config/changes.ts';
import { parseConfig } from '../../config/load.ts';
import type { Config } from '../../config/schema.ts';

const BASE = `
sites: { north: { listen: [ "0.0.0.0:3333" ] } }
pools:
  main: { url: stratum+tcp://a.example:3333, user: farm, password: secret-1 }
  backup: { url: stratum+tcp://b.example:3333, user: farm }
routes:
  - { match: { worker: "acme.*" }, lessee: acme, pools: [ main, backup ] }
  - { pools: [ backup ] }
`;

function read(yaml: string): Config {
  const { config, problems } = parseConfig(yaml, '/etc/weighbridge.yaml');
  if (config === undefined) throw new Error(JSON.stringify(problems));
  return config;
}

function after(from: string, to: string): string[] {
  const text = BASE.replace(from, to);
  if (text === BASE && from !== '') throw new Error(`${from} is not in it`);
  return changesBetween(read(BASE), read(text)).map(({ sentence, when }) => `${when}: ${sentence}`);
}

describe('changes', () => {
  it.each([
    ['', '', []],
    ['"0.0.0.0:3333"', '"0.0.0.0:3333", "[::1]:444"', ['now: sites.north.listen is now [0.0.0.0:3333, [::1]:444], before [0.0.0.0:3333].']],
    ['a.example:3333', 'c.example:4444', ['now: pools.main.url is now "stratum+tcp://c.example:4444", before "stratum+tcp://a.example:3333".']],
    ['secret-1', 'secret-2', ['now: pools.main.password has changed.']],
    ['lessee: acme', 'lessee: cobalt', ['now: routes[0].lessee is now "cobalt", before "acme".']],
    // Where it stands in the file at hand, not a difference of all that comes after it.
    ['- { match', '- { match: { site: north, userAgent: "x*" }, pools: [ backup ] }\n  - { match', ['now: routes[0] is new: { match: { site: "north", userAgent: "x*" }, lessee: "", pools: ["backup"] }.']],
    ['  - { match: { worker: "acme.*" }, lessee: acme, pools: [ main, backup ] }\n  - { pools: [ backup ] }', '  - { pools: [ main, backup ] }', ['now: routes[0].match.worker is gone; it was "acme.*".', 'now: routes[0].lessee is now "", before "acme".', 'now: routes[1] is gone; it was { match: {}, lessee: "", pools: ["backup"] }.']],
    ['routes:', 'limits: { jobsPerLinkMax: 32 }\nroutes:', ['now: limits.jobsPerLinkMax is now 32, before 64.']],
    ['routes:', 'difficulty: { start: 131072 }\nroutes:', ['now: difficulty.start is now 2^17, before 2^16.']],
    ['routes:', 'timeouts: { idle: 90s, refresh: 500ms }\nroutes:', ['now: timeouts.idle is now 90s, before 10m.', 'now: timeouts.refresh is now 500ms, before 25s.']],
    ['routes:', 'timeouts: { prefixQuarantine: 1h }\nroutes:', ['with a new process: timeouts.prefixQuarantine is now 1h, before 10m.']],
    ['routes:', 'limits: { duplicatesMax: 1000 }\nroutes:', ['with a new process: limits.duplicatesMax is now 1000, before 5000000.']],
    ['routes:', 'data: /elsewhere\nroutes:', ['with a new instance: data is now "/elsewhere", before "/etc/data".']],
    ['routes:', 'http: 127.0.0.1:1\nroutes:', ['with a new instance: http is now 127.0.0.1:1, before 127.0.0.1:9280.']],
    ['routes:', 'processes: auto\nroutes:', ['with a new instance: processes is now "auto", before 1.']],
  ])('from %j to %j', (from, to, sentences) => {
    expect(after(from, to)).toEqual(sentences);
  });

  it('name what is new and what is gone, without a password', () => {
    const before = read(BASE);
    const next = read(BASE.replace('  backup:', '  third: { url: stratum+ssl://c.example:1, user: x, password: secret-3 }\n  backup:').replace('[ backup ]', '[ backup, third ]'));
    const [pool, route] = changesBetween(before, next).map(({ sentence }) => sentence);
    expect(pool).toMatch(/^pools\.third is new: \{ host: "c\.example", port: 1, tls: true/);
    expect(pool).not.toContain('secret');
    expect(route).toContain('routes[1].pools is now ["backup", "third"], before ["backup"]');
    expect(changesBetween(next, before)[0]?.sentence).toMatch(/^pools\.third is gone; it was/);
  });

  it('know which of them the accountant has to hear of', () => {
    const change = (yaml: string): boolean => concernsAccountant(changesBetween(read(BASE), read(yaml)));
    expect(change(BASE.replace('lessee: acme', 'lessee: x'))).toBe(false);
    expect(change(BASE.replace('3333', '4444'))).toBe(false);
    expect(change(`${BASE}\njournal: { retain: 1d }`)).toBe(true);
    expect(change(`${BASE}\nredis: { url: redis://a:1 }`)).toBe(true);
  });

  it('tell the end of a lease that was terminated as a moment', () => {
    const lease = 'kind: purchase, lessor: a, lessee: b, machines: { workers: ["acme.*"] }, term: { from: 2026-11-01, to: 2027-11-01 }, timezone: UTC, contracted: 1 PH/s, rent: [ { fixed: 0.04 USD/TH/day, payer: b, payee: a } ]';
    const before = read(`${BASE.replace('lessee: acme, ', '')}parties: { a: { name: A }, b: { name: B } }\nleases: { l: { ${lease} } }\n`);
    const { l } = before.leases ?? {};
    if (l === undefined) throw new Error('no lease');
    const ended = { ...before, leases: { l: { ...l, term: { ...l.term, toMs: Date.parse('2026-12-24T18:00Z') } } } };
    expect(changesBetween(before, ended).map(({ sentence }) => sentence)).toEqual(['leases.l.term.to is now 2026-12-24T18:00:00.000Z, before 2027-11-01T00:00:00.000Z.']);
  });
});
