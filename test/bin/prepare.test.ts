/** bin/prepare.mjs on a small checkout of its own, with an npm and a compiler that only say that they were called. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';

const PREPARE = fileURLToPath(new URL('../../bin/prepare.mjs', import.meta.url));
/** Puts a compiler in place, as `npm ci` does. Either may be told to fail. */
const NPM = `
const { appendFileSync, mkdirSync, writeFileSync } = require('node:fs');
appendFileSync('calls', 'npm ' + process.argv.slice(2, 4).join(' ') + ' cache=' + (process.env.npm_config_cache ?? '') + '\\n');
process.exitCode = Number(process.env.STUB_NPM_EXIT ?? 0);
if (process.exitCode > 0) console.error('npm error: no network');
mkdirSync('node_modules/typescript/bin', { recursive: true });
writeFileSync('node_modules/typescript/bin/tsc', ${JSON.stringify(`
require('node:fs').appendFileSync('calls', 'tsc\\n');
process.exitCode = Number(process.env.STUB_TSC_EXIT ?? 0);
require('node:fs').mkdirSync('dist', { recursive: true });
`)});
`;
const INSTALLS = 'Installing packages (npm ci) …\n';
const COMPILES = 'Compiling …\n';

const checkouts: string[] = [];
afterEach(() => {
  for (const root of checkouts.splice(0)) rmSync(root, { recursive: true, force: true });
});

class Checkout {
  readonly root = mkdtempSync(join(tmpdir(), 'weighbridge-prepare-'));

  constructor() {
    checkouts.push(this.root);
    for (const directory of ['bin', 'src/deep', 'home']) mkdirSync(join(this.root, directory), { recursive: true });
    copyFileSync(PREPARE, join(this.root, 'bin/prepare.mjs'));
    this.write('package-lock.json', '{"lockfileVersion":3}');
    this.write('tsconfig.json', '{"include":["src"]}');
    this.write('src/a.ts', 'export const a = 1;');
    this.write('src/deep/b.ts', 'export const b = 1;');
    this.write('npm.cjs', NPM);
  }

  /** Files are a minute old, so that whatever is made by a run is newer; `ahead` makes them newer than that. */
  write(path: string, content: string, ahead = false): void {
    const file = join(this.root, path);
    writeFileSync(file, content);
    this.touch(path, ahead);
    this.touch(dirname(path), ahead);
  }

  touch(path: string, ahead: boolean): void {
    const seconds = Math.floor(Date.now() / 1000) + (ahead ? 60 : -60);
    utimesSync(join(this.root, path), seconds, seconds);
  }

  run(env: Record<string, string> = {}, nodeOptions: readonly string[] = []): { code: number | null; said: string; calls: string[]; caches: string[] } {
    rmSync(join(this.root, 'calls'), { force: true });
    const base = { PATH: process.env['PATH'] ?? '', HOME: join(this.root, 'home'), npm_execpath: join(this.root, 'npm.cjs') };
    const result = spawnSync(process.execPath, [...nodeOptions, join(this.root, 'bin/prepare.mjs')], { env: { ...base, ...env }, encoding: 'utf8', cwd: tmpdir() });
    const calls = existsSync(join(this.root, 'calls')) ? readFileSync(join(this.root, 'calls'), 'utf8').split('\n').slice(0, -1) : [];
    const caches = calls.flatMap((call) => / cache=(.*)/.exec(call)?.[1] ?? []);
    return { code: result.status, said: result.stderr, calls: calls.map((call) => call.replace(/ cache=.*/, '')), caches };
  }
}

/** What a checkout in order needs after a change to it. */
const CHANGES: readonly { readonly what: string; readonly change: (checkout: Checkout) => void; readonly said: string }[] = [
  { what: 'nothing has changed', change: () => undefined, said: '' },
  { what: 'the lock file is another', change: (checkout) => checkout.write('package-lock.json', '{"lockfileVersion":3,"name":"x"}'), said: INSTALLS + COMPILES },
  { what: 'the packages are gone', change: ({ root }) => rmSync(join(root, 'node_modules'), { recursive: true }), said: INSTALLS + COMPILES },
  { what: 'a source is newer than the build', change: (checkout) => checkout.touch('src/deep/b.ts', true), said: COMPILES },
  { what: 'a source was added', change: (checkout) => checkout.write('src/deep/c.ts', '', true), said: COMPILES },
  {
    what: 'a source was removed',
    change: (checkout) => {
      rmSync(join(checkout.root, 'src/deep/b.ts'));
      checkout.touch('src/deep', true);
    },
    said: COMPILES,
  },
  { what: 'the build is gone', change: ({ root }) => rmSync(join(root, 'dist'), { recursive: true }), said: COMPILES },
  { what: 'the configuration of the compiler is newer', change: (checkout) => checkout.touch('tsconfig.json', true), said: COMPILES },
];

describe('a checkout', () => {
  it.each(CHANGES)('in order does what it must when $what', ({ change, said }) => {
    const checkout = new Checkout();
    expect(checkout.run()).toMatchObject({ code: 0, said: INSTALLS + COMPILES, calls: ['npm ci --include=dev', 'tsc'] });
    change(checkout);
    expect(checkout.run()).toMatchObject({ code: 0, said });
  });

  it('installed by hand is taken as it is', () => {
    const checkout = new Checkout();
    checkout.run();
    rmSync(join(checkout.root, 'node_modules/.weighbridge-installed'));
    writeFileSync(join(checkout.root, 'node_modules/.package-lock.json'), '{}');
    expect(checkout.run().calls).not.toContain('npm ci --include=dev');
    // Older than the lock file: it may be something else.
    rmSync(join(checkout.root, 'node_modules/.weighbridge-installed'));
    checkout.touch('package-lock.json', true);
    expect(checkout.run().calls).toContain('npm ci --include=dev');
  });

  it('gives npm a cache of its own where there is no home to keep one', () => {
    const checkout = new Checkout();
    const { code, caches } = checkout.run({ HOME: join(checkout.root, 'nowhere') });
    expect([code, caches.length, existsSync(caches[0] ?? '')]).toEqual([0, 1, false]);
    expect(caches[0]).toContain('weighbridge-npm-');
    rmSync(join(checkout.root, 'node_modules'), { recursive: true });
    expect(checkout.run().caches).toEqual(['']);
  });
});

describe('what fails is said in a sentence and tried again by the next run', () => {
  it.each([
    ['npm', { STUB_NPM_EXIT: '7' }, `${INSTALLS}npm error: no network\nnpm ci failed (exit code 7); its lines above say why.\n`],
    ['a missing npm', { npm_execpath: '', PATH: '/nowhere' }, `${INSTALLS}npm cannot be run (spawnSync npm ENOENT). It comes with Node: https://nodejs.org/\n`],
    ['the compiler', { STUB_TSC_EXIT: '2' }, `${INSTALLS}${COMPILES}The sources do not compile; the lines above say where.\n`],
  ])('%s', (_what, env, said) => {
    const checkout = new Checkout();
    expect(checkout.run(env)).toMatchObject({ code: 1, said });
    expect(checkout.run()).toMatchObject({ code: 0, calls: expect.arrayContaining(['tsc']) });
    expect(checkout.run()).toMatchObject({ code: 0, said: '' });
  });

  it('a Node that is too old', () => {
    const older = "data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'20.18.3'}})";
    const { code, said, calls } = new Checkout().run({}, ['--import', older]);
    expect([code, calls]).toEqual([1, []]);
    expect(said).toBe('Node 20.19 or later is needed; this is 20.18.3. See https://nodejs.org/\n');
  });
});
