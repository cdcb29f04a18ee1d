/**
 * A stand-in for the base image where no image registry can be reached: Debian by debootstrap, with the same release line of Node
 * from the npm packages that carry its binary. It has what the Dockerfile asks of a base: `node`, `npm` and `apt-get`.
 */
import { cpSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { run, tryRun } from './commands.ts';

/** The stand-in's name as an image. */
export const STAND_IN = 'localhost/weighbridge-test-base';

/** The base that the Dockerfile names. */
export function namedBase(dockerfile: string): string {
  const base = /^ARG BASE_IMAGE=(\S+)$/m.exec(readFileSync(dockerfile, 'utf8'))?.[1];
  if (base === undefined) throw new Error(`${dockerfile} names no BASE_IMAGE`);
  return base;
}

/** Whether the named base can be had. */
export function canPull(image: string): boolean {
  return tryRun('timeout', ['300', 'buildah', 'pull', '--quiet', image]) !== undefined;
}

/** Makes the stand-in below `folder` and returns its name as an image. Needs root, as debootstrap does. */
export function makeBase(folder: string, base: string): string {
  const [, release = '', suite = ''] = /node:(\d+)-([a-z]+)/.exec(base) ?? [];
  if (suite === '') throw new Error(`the base ${base} does not say which release of Node and of Debian it is`);
  const root = join(folder, 'root');
  const packages = join(folder, 'packages');
  run('debootstrap', ['--variant=minbase', '--include=ca-certificates', suite, root]);
  mkdirSync(packages);
  run('npm', ['install', '--prefix', packages, '--no-audit', '--no-fund', '--ignore-scripts', `node-linux-${process.arch}@${release}`, 'npm@11']);
  const modules = join(root, 'usr/local/lib/node_modules');
  cpSync(join(packages, 'node_modules', `node-linux-${process.arch}`, 'bin/node'), join(root, 'usr/local/bin/node'));
  cpSync(join(packages, 'node_modules/npm'), join(modules, 'npm'), { recursive: true });
  for (const name of ['npm', 'npx']) symlinkSync(`../lib/node_modules/npm/bin/${name}-cli.js`, join(root, 'usr/local/bin', name));
  return importRoot(root);
}

/** Where this computer trusts an authority of its own, what is installed during the build must trust it too. */
function importRoot(root: string): string {
  const certificates = '/etc/ssl/certs/ca-certificates.crt';
  cpSync(certificates, join(root, certificates.slice(1)));
  const container = run('buildah', ['from', 'scratch']).trim();
  run('buildah', ['add', '--quiet', container, root, '/']);
  run('buildah', ['config', '--env', `NODE_EXTRA_CA_CERTS=${certificates}`, '--env', 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', container]);
  run('buildah', ['commit', '--quiet', '--rm', container, STAND_IN]);
  return STAND_IN;
}
