/** /metrics, /healthz and /readyz of a supervisor with stand-in children. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { version } from '../../../proxy/net/version.ts';
import { scene, type Scene, until } from './instance-fixture.ts';

const scenes: Scene[] = [];
function newScene(...args: Parameters<typeof scene>): Scene {
  const made = scene(...args);
  scenes.push(made);
  return made;
}

afterEach(async () => {
  await Promise.all(scenes.splice(0).map((each) => each.end()));
});

async function get(address: string, path: string, method = 'GET'): Promise<{ status: number; text: string }> {
  const response = await fetch(`http://${address}${path}`, { method });
  return { status: response.status, text: await response.text() };
}

describe('the HTTP side', () => {
  it('serves the delivered ledger as counters', async () => {
    const { http } = await newScene().start();
    const { status, text } = await get(http, '/metrics');
    expect(status).toBe(200);
    expect(text).toContain('weighbridge_shares_total{site="north",lessee="acme",verdict="accepted"} 30\n');
    expect(text).toContain('weighbridge_work_total{site="north",lessee="acme",verdict="accepted"} 480\n');
    expect(text).toContain('weighbridge_pool_work_total{pool="main",verdict="accepted",reason="none"} 33\n');
    expect(text).toContain('weighbridge_connects_total 7\n');
    expect(text).toContain('weighbridge_process_restarts_total{process="proxy"} 0\n');
  });

  it('waits after a restart until the ledger is past what was exported', async () => {
    const instance = newScene();
    const { http } = await instance.start();
    const exported = join(instance.data, 'exported');
    writeFileSync(exported, `{"version":"${version()}","totals":{"counters":{"connects":5}}}\nweighbridge_shares_total{site="north",lessee="acme",verdict="accepted"} 31\n`);
    const second = newScene('normal');
    mkdirSync(second.data, { recursive: true });
    copyFileSync(exported, join(second.data, 'exported'));
    const later = await second.start();
    const { status, text } = await get(later.http, '/metrics');
    expect(status).toBe(503);
    expect(text).toContain('verdict="accepted"} was 31 when it was last exported and is 30 now');
    // The other instance reads its file only at its start.
    expect(await get(http, '/metrics')).toMatchObject({ status: 200 });
    expect(readFileSync(exported, 'utf8')).toContain('verdict="accepted"} 30\n');
  });

  it('goes on with its own counters after a restart', async () => {
    const instance = newScene();
    mkdirSync(instance.data, { recursive: true });
    writeFileSync(join(instance.data, 'exported'), '{"totals":{"counters":{"connects":5}}}\n');
    const { http } = await instance.start();
    expect((await get(http, '/metrics')).text).toContain('weighbridge_connects_total 12\n');
  });

  it('gives OpenMetrics to who asks for it', async () => {
    const { http } = await newScene().start();
    const response = await fetch(`http://${http}/metrics`, { headers: { accept: 'application/openmetrics-text;version=1.0.0' } });
    expect(response.headers.get('content-type')).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8');
    expect(await response.text()).toMatch(/\n# EOF\n$/);
  });

  it('says well and ready', async () => {
    const { http } = await newScene().start();
    expect(await get(http, '/healthz')).toEqual({ status: 200, text: 'well\n' });
    expect(await get(http, '/readyz')).toEqual({ status: 200, text: 'ready\n' });
    expect((await get(http, '/')).text).toContain('/metrics');
    expect((await get(http, '/else')).status).toBe(404);
    expect((await get(http, '/metrics', 'POST')).status).toBe(405);
    expect(await get(http, '/healthz', 'HEAD')).toEqual({ status: 200, text: '' });
  });

  it('refuses metrics until the ledger has caught up', async () => {
    const { http } = await newScene('behind').start();
    expect(await get(http, '/metrics')).toMatchObject({ status: 503, text: expect.stringContaining('has not caught up') });
    expect(await get(http, '/readyz')).toMatchObject({ status: 503 });
    expect(await get(http, '/healthz')).toMatchObject({ status: 200, text: expect.stringContaining('still folds') });
  });

  it('refuses metrics when the accountant does not answer within two seconds', { timeout: 10_000 }, async () => {
    const { http } = await newScene('silent').start();
    const beganMs = performance.now();
    expect(await get(http, '/metrics')).toMatchObject({ status: 503, text: expect.stringContaining('does not answer') });
    expect(performance.now() - beganMs).toBeLessThan(3000);
  });

  it('says what is wrong while the proxy process is down', { timeout: 10_000 }, async () => {
    const supervisor = await newScene().start();
    process.kill((await supervisor.status()).proxy?.pid ?? 0, 'SIGKILL');
    const down = await until(async () => {
      const answer = await get(supervisor.http, '/healthz');
      return answer.status === 503 ? answer : undefined;
    });
    expect(down.text).toContain('The proxy process is down');
    await until(async () => ((await get(supervisor.http, '/healthz')).status === 200 ? true : undefined));
  });

  it('fails the start with a sentence when its port is taken', async () => {
    const first = await newScene().start();
    await expect(newScene('normal', 'data', first.http).start()).rejects.toThrow(`The address of http ${first.http} is in use by another program`);
  });
});
