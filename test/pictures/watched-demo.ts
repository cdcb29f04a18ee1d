/** The demo with a shared ledger, and a Prometheus that scrapes it, for some minutes. Needs Debian's redis-server and prometheus. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { freePort, pause, RedisRig } from '../rig/redis.ts';

/** Runs `then` with the address of Prometheus after `minutes`, and ends everything it started, whatever happens. */
export async function watchedDemo(folder: string, minutes: number, then: (address: string) => Promise<void>): Promise<void> {
  const redis = await RedisRig.single();
  const started: ChildProcess[] = [];
  try {
    const demo = spawn(process.execPath, ['bin/weighbridge', 'demo', '--data', join(folder, 'demo'), '--http', '127.0.0.1:0', '--redis', redis.url], { stdio: ['ignore', 'pipe', 'inherit'] });
    started.push(demo);
    const target = await said(demo, /http:\/\/(127\.0\.0\.1:\d+)\/metrics/);
    const config = join(folder, 'prometheus.yml');
    writeFileSync(config, `global: { scrape_interval: 5s, evaluation_interval: 5s }\nrule_files: [ ${JSON.stringify(resolve('docker/prometheus/rules/*.yml'))} ]\nscrape_configs: [ { job_name: weighbridge, static_configs: [ { targets: [ "${target}" ] } ] } ]\n`);
    mkdirSync(join(folder, 'tsdb'));
    const address = `127.0.0.1:${await freePort()}`;
    const prometheus = spawn('prometheus', [`--config.file=${config}`, `--storage.tsdb.path=${join(folder, 'tsdb')}`, `--web.listen-address=${address}`], { stdio: ['ignore', 'ignore', 'pipe'] });
    started.push(prometheus);
    await said(prometheus, /(ready to receive web requests)/);
    process.stdout.write(`The demo is scraped for ${minutes} minutes …\n`);
    await pause(minutes * 60_000);
    await then(`http://${address}`);
  } finally {
    for (const child of started.toReversed()) {
      if (child.exitCode !== null) continue;
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    await redis.dispose();
  }
}

/** Waits until a process says what `pattern` looks for, on either stream, and goes on reading so that it is never blocked. */
function said(child: ChildProcess, pattern: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const listen = (chunk: Buffer): void => {
      if (text.length > 1e6) return;
      text += chunk.toString();
      const found = pattern.exec(text)?.[1];
      if (found !== undefined) resolve(found);
    };
    child.stdout?.on('data', listen);
    child.stderr?.on('data', listen);
    child.once('exit', () => reject(new Error(`a process ended before it was ready: ${text.slice(-2000)}`)));
    child.once('error', reject);
  });
}
