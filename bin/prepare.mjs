// Brings a checkout into a state that runs: installs packages when they are missing or older than the lock file,
// compiles when a source is newer than the last build. Says one line for each thing it does, nothing when there is none.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const LOCK_FILE = join(ROOT, 'package-lock.json');
const INSTALLED = join(ROOT, 'node_modules', '.weighbridge-installed');
const BUILT = join(ROOT, 'dist', '.built');
const NODE_MINIMUM = [20, 19];

/** Returns the exit code: 0 when everything is in place. */
export function prepare() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < NODE_MINIMUM[0] || (major === NODE_MINIMUM[0] && minor < NODE_MINIMUM[1])) {
    console.error(`Node ${NODE_MINIMUM.join('.')} or later is needed; this is ${process.versions.node}. See https://nodejs.org/`);
    return 1;
  }
  return install() || build();
}

function install() {
  const wanted = createHash('sha256').update(readFileSync(LOCK_FILE)).digest('hex');
  if (isInstalled(wanted)) return 0;
  console.error('Installing packages (npm ci) …');
  const cache = temporaryCache();
  const env = { ...process.env, npm_config_update_notifier: 'false', ...(cache === undefined ? {} : { npm_config_cache: cache }) };
  const args = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  // Inside `npm start` the npm in use is known; else the one on the path.
  const npm = process.env.npm_execpath;
  const result =
    npm !== undefined && /\.[cm]?js$/.test(npm)
      ? spawnSync(process.execPath, [npm, ...args], { cwd: ROOT, env, stdio: ['ignore', 2, 2] })
      : spawnSync('npm', args, { cwd: ROOT, env, stdio: ['ignore', 2, 2], shell: process.platform === 'win32' });
  if (cache !== undefined) rmSync(cache, { recursive: true, force: true });
  if (result.error !== undefined) {
    console.error(`npm cannot be run (${result.error.message}). It comes with Node: https://nodejs.org/`);
    return 1;
  }
  if (result.status !== 0) {
    console.error(`npm ci failed (${result.signal ?? `exit code ${result.status}`}); its lines above say why.`);
    return 1;
  }
  writeFileSync(INSTALLED, wanted);
  return 0;
}

/** Whether node_modules is what the lock file says: by our own stamp, or by npm's when someone else ran `npm ci`. */
function isInstalled(wanted) {
  if (existsSync(INSTALLED)) return readFileSync(INSTALLED, 'utf8') === wanted;
  const npmStamp = join(ROOT, 'node_modules', '.package-lock.json');
  if (!existsSync(npmStamp) || !existsSync(join(ROOT, 'node_modules', 'typescript'))) return false;
  if (statSync(npmStamp).mtimeMs < statSync(LOCK_FILE).mtimeMs) return false;
  writeFileSync(INSTALLED, wanted);
  return true;
}

/** npm keeps its cache in the home directory; where there is none to write to, a temporary one does. */
function temporaryCache() {
  if (process.env.npm_config_cache !== undefined && isWritable(process.env.npm_config_cache)) return undefined;
  if (isWritable(join(homedir(), '.npm')) || (!existsSync(join(homedir(), '.npm')) && isWritable(homedir()))) return undefined;
  return mkdtempSync(join(tmpdir(), 'weighbridge-npm-'));
}

function isWritable(path) {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function build() {
  if (isBuilt()) return 0;
  console.error('Compiling …');
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  const result = spawnSync(process.execPath, [tsc, '-p', join(ROOT, 'tsconfig.json')], { cwd: ROOT, stdio: ['ignore', 2, 2] });
  if (result.status !== 0) {
    console.error('The sources do not compile; the lines above say where.');
    return 1;
  }
  writeFileSync(BUILT, '');
  return 0;
}

/** The compiler leaves unchanged outputs alone, so their times say nothing: a stamp is compared with every source. */
function isBuilt() {
  if (!existsSync(BUILT)) return false;
  const builtMs = statSync(BUILT).mtimeMs;
  const rooms = JSON.parse(readFileSync(join(ROOT, 'tsconfig.json'), 'utf8')).include;
  return [join(ROOT, 'tsconfig.json'), INSTALLED, ...rooms.flatMap((room) => sources(join(ROOT, room)))].every((path) => statSync(path).mtimeMs <= builtMs);
}

/** TypeScript files below `directory`, and the directories themselves: a removed file changes its directory's time. */
function sources(directory) {
  if (!existsSync(directory)) return [];
  const found = [directory];
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) found.push(...sources(path));
    else if (entry.name.endsWith('.ts')) found.push(path);
  }
  return found;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) process.exitCode = prepare();
