/**
 * The real Prometheus against the running demo: it takes what /metrics gives, in the format it prefers; every recording rule and
 * every panel of every dashboard gives figures; and whatever an alert looks at is there to be looked at.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ALERT_RULES } from '../../metrics/rules/alerts.ts';
import { RECORDING_RULES } from '../../metrics/rules/recording.ts';
import { Prometheus, promtool } from '../rig/prometheus.ts';
import { freePort, pause, RedisRig, until } from '../rig/redis.ts';
import { selectorsIn, syntaxErrors } from './promql.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const BOARDS = join(ROOT, 'docker/grafana/dashboards');
/** A busy machine starts everything slowly; what is waited for comes within seconds on an idle one. */
const LIMIT_MS = 240_000;

let directory = '';
let http = '';
let redis: RedisRig;
let demo: ChildProcess | undefined;
let prometheus: Prometheus;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'wb-live-'));
  redis = await RedisRig.single();
  http = `127.0.0.1:${await freePort()}`;
  demo = spawn(process.execPath, ['bin/weighbridge', 'demo', '--data', directory, '--http', http, '--redis', redis.url], { cwd: ROOT, stdio: 'ignore' });
  prometheus = await Prometheus.start(`
global: { scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }
rule_files: [ "${ROOT}docker/prometheus/rules/*.yml" ]
scrape_configs:
  - job_name: weighbridge
    static_configs: [ { targets: [ "${http}" ] } ]
`);
  // The pool that refuses a few shares has done so, after which two scrapes have seen it.
  await until(async () => (await prometheus.query('sum(weighbridge_pool_shares_total{verdict="rejected"}) > 0')).length > 0, 'a pool has refused a share', LIMIT_MS);
  await pause(3000);
}, LIMIT_MS + 60_000);

afterAll(async () => {
  await prometheus?.stop();
  if (demo !== undefined && demo.exitCode === null) {
    const gone = new Promise<void>((resolve) => demo?.once('exit', () => resolve()));
    demo.kill('SIGTERM');
    await gone;
  }
  await redis?.dispose();
  rmSync(directory, { recursive: true, force: true });
}, 60_000);

/** What errors or stays empty; asked again for a while, because counters of rare events have to be seen twice. */
async function lacking(expressions: readonly (readonly [where: string, expr: string])[]): Promise<string[]> {
  let missing = [...expressions];
  await until(async () => {
    const answers = await Promise.all(missing.map(async (entry) => ((await prometheus.query(entry[1])).length === 0 ? [entry] : [])));
    missing = answers.flat();
    return missing.length === 0;
  }, '', 30_000).catch((error: unknown) => {
    if (!(error instanceof Error && error.message.startsWith('waited'))) throw error;
  });
  return missing.map(([where, expr]) => `${where}: ${expr}`);
}

interface Board {
  readonly panels: readonly { readonly title: string; readonly targets?: readonly { readonly expr: string }[] }[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly query: string; readonly type: string }[] };
}

/** Every expression of a dashboard with its variables at "all", or at their first value. */
function expressionsOf(file: string): (readonly [string, string])[] {
  const board = JSON.parse(readFileSync(join(BOARDS, file), 'utf8')) as Board;
  const substituted = (expr: string): string =>
    board.templating.list.reduce((text, { name, query, type }) => text.replaceAll(`$${name}`, type === 'custom' ? (query.split(',')[0] ?? '') : '.*'), expr);
  return board.panels.flatMap(({ title, targets }) => (targets ?? []).map(({ expr }) => [`${file} ${title}`, substituted(expr)] as const));
}

describe('against the running demo, the real Prometheus', () => {
  it('scrapes without a fault', async () => {
    expect((await prometheus.query('min_over_time(up[5s])')).map(({ value }) => value)).toEqual([1]);
    const targets = (await (await fetch(`${prometheus.url}/api/v1/targets`)).json()) as { data: { activeTargets: { lastError: string }[] } };
    expect(targets.data.activeTargets.map(({ lastError }) => lastError)).toEqual(['']);
  });

  it('finds no fault with the text, in which no label names a machine, an address or a session', async () => {
    const text = await (await fetch(`http://${http}/metrics`)).text();
    expect(promtool(['check', 'metrics'], text)).toBe('');
    const values = [...text.matchAll(/[a-z]+="([^"]*)"/g)].map(([, value = '']) => value);
    expect(values.length).toBeGreaterThan(100);
    expect(values.filter((value) => /\d+\.\d+\.\d+\.\d+|\.(north|south)-\d|[0-9a-f]{8}/.test(value))).toEqual([]);
  });

  it('has a figure for every recording rule', async () => {
    expect(await lacking(RECORDING_RULES.map(({ record, expr }) => [record, expr] as const))).toEqual([]);
    expect(await lacking(RECORDING_RULES.map(({ record }) => [record, record] as const))).toEqual([]);
    const rules = (await (await fetch(`${prometheus.url}/api/v1/rules`)).json()) as { data: { groups: { rules: { name: string; health: string; lastError?: string }[] }[] } };
    expect(rules.data.groups.flatMap((group) => group.rules).filter(({ health }) => health !== 'ok')).toEqual([]);
  });

  it('finds all that an alert looks at', async () => {
    const selectors = ALERT_RULES.flatMap(({ alert, expr }) => selectorsIn(expr).map((selector) => [alert, selector] as const));
    expect(await lacking(selectors)).toEqual([]);
  });

  it.each(readdirSync(BOARDS))('fills every panel of %s', async (file) => {
    const expressions = expressionsOf(file);
    expect(expressions.length).toBeGreaterThan(0);
    for (const [where, expr] of expressions) expect([where, syntaxErrors(expr)]).toEqual([where, []]);
    expect(await lacking(expressions)).toEqual([]);
  });

  it('makes the same hash rate of the counters as the rule that everything is built on', async () => {
    const [recorded] = await prometheus.query('sum(weighbridge:site_hashrate:rate5m)');
    const [fleet] = await prometheus.query('weighbridge:fleet_hashrate:rate5m');
    expect(recorded?.value).toBeGreaterThan(0);
    expect(Math.abs((fleet?.value ?? 0) / (recorded?.value ?? 1) - 1)).toBeLessThan(0.05);
  });
});
