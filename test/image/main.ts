/** `npm run test:image`: builds the image from docker/Dockerfile with buildah, runs it as an engine would, and judges what it does. */
import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { canPull, makeBase, namedBase, STAND_IN } from './base.ts';
import { isInstalled, run, tryRun } from './commands.ts';
import { Container, type ImageSettings } from './container.ts';

const DOCKERFILE = 'docker/Dockerfile';
const IMAGE = 'localhost/weighbridge-test';
const STOP_LIMIT_MS = 10_000;
/** Unpacked; the base alone is about 220 MB. */
const IMAGE_BYTES_MAX = 500e6;

function say(sentence: string): void {
  process.stdout.write(`${sentence}\n`);
}

/** BASE_IMAGE in the environment overrides the base. */
function build(folder: string): void {
  const named = namedBase(DOCKERFILE);
  let base = process.env['BASE_IMAGE'] ?? named;
  if (process.env['BASE_IMAGE'] === undefined && !canPull(named)) {
    say(`${named} cannot be pulled; a base of the same releases is made from Debian's packages and the npm package of Node.`);
    base = makeBase(folder, named);
  }
  say(`Building on ${base} …`);
  run('buildah', ['build', '--format', 'docker', '--layers=false', '--file', DOCKERFILE, '--build-arg', `BASE_IMAGE=${base}`, '--tag', IMAGE, '.']);
}

function settingsOf(image: string): ImageSettings {
  const found = JSON.parse(run('buildah', ['inspect', '--type', 'image', image])) as { readonly Docker: { readonly config: ImageSettings } };
  return found.Docker.config;
}

function judgeSettings(settings: ImageSettings): void {
  assert.equal(settings.User, '1000:1000', 'the image runs as a user by number, not as root');
  assert.equal(settings.Entrypoint[0], 'tini', 'the first process is an init');
  assert.equal(settings.StopSignal, 'SIGTERM');
  assert.equal(settings.Healthcheck.Test[0], 'CMD');
}

function dataFolder(folder: string, name: string): string {
  const data = join(folder, name);
  mkdirSync(data);
  chmodSync(data, 0o750);
  chownSync(data, 1000, 1000);
  return data;
}

/** The user of each process of the container: the first and all below it. */
function usersBelow(pid: number): Set<string> {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter((text) => text !== '');
  return new Set([/^Uid:\s+(\d+)/m.exec(status)?.[1] ?? '', ...children.flatMap((child) => [...usersBelow(Number(child))])]);
}

/** The demo in the image: it becomes ready, is healthy by its own check, stops on the signal, and its ledger agrees with its journals. */
async function judgeDemo(root: string, folder: string, settings: ImageSettings): Promise<void> {
  const data = dataFolder(folder, 'demo');
  const demo = new Container(root, data, settings, [...settings.Entrypoint, 'demo', '--data', '/data/demo', '--http', '127.0.0.1:0']);
  try {
    const metrics = await demo.until((output) => /http:\/\/[\d.:]+\/metrics/.exec(output)?.[0]);
    await demo.until((output) => /sessions 40  accepted \d+/.exec(output)?.[0]);
    const health = new Container(root, data, settings, ['env', `HEALTH_URL=${metrics.replace('/metrics', '/healthz')}`, ...settings.Healthcheck.Test.slice(1)]);
    assert.equal(await health.end(), 0, `the health check fails: ${health.output}`);
    const body = await (await fetch(metrics)).text();
    say(/^weighbridge_build_info.*$/m.exec(body)?.[0] ?? 'no build info');
    assert.deepEqual(usersBelow(demo.first), new Set(['1000']), 'every process runs as user 1000');
    const { code, tookMs } = await demo.stop(settings.StopSignal);
    assert.equal(code, 0, `SIGTERM ends the demo cleanly: ${demo.output.slice(-2000)}`);
    assert.ok(tookMs < STOP_LIMIT_MS, `SIGTERM ends the demo within ${STOP_LIMIT_MS} ms, not ${tookMs}`);
    say(`The demo was ready and healthy, and ended ${Math.round(tookMs)} ms after SIGTERM.`);
  } finally {
    demo.kill();
  }
  const audit = new Container(root, data, settings, [...settings.Entrypoint, 'audit', '--data', '/data/demo']);
  assert.equal(await audit.end(), 0, `the audit finds differences: ${audit.output}`);
  say(`Audit inside the image: ${audit.output.trim().split('\n').at(-1) ?? ''}`);
}

/** The image's own command with the stack's own configuration: it starts although no pool can be reached, and stops at once. */
async function judgeStart(root: string, folder: string, settings: ImageSettings): Promise<void> {
  const configuration = [resolve('docker/weighbridge.yaml'), '/etc/weighbridge/weighbridge.yaml'] as const;
  const product = new Container(root, dataFolder(folder, 'product'), settings, [...settings.Entrypoint, ...settings.Cmd], [configuration]);
  try {
    await product.until((output) => /Metrics are at [^"]*/.exec(output)?.[0]);
    const { code, tookMs } = await product.stop(settings.StopSignal);
    assert.equal(code, 0, `SIGTERM ends the product cleanly: ${product.output.slice(-2000)}`);
    say(`The product started without its pools and ended ${Math.round(tookMs)} ms after SIGTERM.`);
  } finally {
    product.kill();
  }
  const write = new Container(root, dataFolder(folder, 'writer'), settings, ['sh', '-c', 'touch /app/x /etc/x /usr/x']);
  assert.notEqual(await write.end(), 0, 'the root file system cannot be written');
}

/** Checks that need a program of their own; each is said to have been left out where that is missing. */
function judgeFiles(folder: string): void {
  const unit = join(folder, 'weighbridge.service');
  const checks: readonly (readonly [string, readonly string[]])[] = [
    ['docker-compose', ['--file', 'docker/compose.yaml', '--profile', 'demo', '--profile', 'alerts', 'config', '--quiet']],
    ['promtool', ['check', 'config', 'docker/prometheus/prometheus.yml']],
    ['systemd-analyze', ['verify', '--man=no', unit]],
  ];
  // Where the product is not installed, the paths of a unit would be all that its check finds.
  run('sh', ['-c', `sed 's#/opt/weighbridge/bin/weighbridge#/bin/true#' docker/systemd/weighbridge.service > "${unit}"`]);
  for (const [program, args] of checks) {
    if (isInstalled(program)) {
      run(program, args);
      say(`${program}: nothing found.`);
    } else say(`${program} is not installed: left out.`);
  }
}

async function main(): Promise<void> {
  const missing = ['buildah', 'debootstrap', 'unshare'].filter((program) => !isInstalled(program));
  if (missing.length > 0) throw new Error(`${missing.join(', ')} must be installed, as root: apt-get install buildah debootstrap`);
  const folder = mkdtempSync(join(tmpdir(), 'weighbridge-image-'));
  let container = '';
  try {
    judgeFiles(folder);
    build(folder);
    const settings = settingsOf(IMAGE);
    judgeSettings(settings);
    container = run('buildah', ['from', IMAGE]).trim();
    const root = run('buildah', ['mount', container]).trim();
    const bytes = Number(run('du', ['-sb', root]).split('\t')[0]);
    say(`The image has ${Math.round(bytes / 1e6)} MB unpacked, of which /app ${Math.round(Number(run('du', ['-sb', join(root, 'app')]).split('\t')[0]) / 1e6)} MB.`);
    assert.ok(bytes < IMAGE_BYTES_MAX, `the image is larger than ${IMAGE_BYTES_MAX} bytes`);
    assert.deepEqual(readdirSync(join(root, 'app/dist/test')), ['rig'], 'no tests are in the image');
    await judgeDemo(root, folder, settings);
    await judgeStart(root, folder, settings);
    say('The image is good.');
  } finally {
    if (container !== '') run('buildah', ['rm', container]);
    for (const image of [IMAGE, STAND_IN]) tryRun('buildah', ['rmi', image]);
    rmSync(folder, { recursive: true, force: true });
  }
}

await main();
