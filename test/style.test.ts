/** Style as a test: import direction, forbidden names with what to use instead, dead exports, header sentences, lengths, cycles. */
import { readFileSync, readdirSync } from 'node:fs';
import { posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../config/load.ts';

/** Rooms from the top down: each imports only itself and rooms above it. */
const ROOMS = ['config', 'proxy/protocol', 'proxy/mining', 'proxy/session', 'accounting/journal', 'accounting', 'metrics', 'proxy/net', 'cli', 'test'] as const;
type Room = (typeof ROOMS)[number];

/** The only way down: `weighbridge demo` starts the simulated farm. */
const DOWNWARD_ALLOWED = new Set(['cli → test/rig/demo.ts']);

/** Rooms that take bytes, time and randomness as arguments may import these modules of Node and no others. */
const PURE_ROOMS: readonly Room[] = ['proxy/protocol', 'proxy/mining', 'proxy/session'];
const PURE_MODULES = new Set(['node:assert', 'node:buffer', 'node:crypto', 'node:util']);

/** Packages that have a place, and where it is. Tests may use all. */
const PACKAGE_ROOMS: Readonly<Record<string, readonly Room[]>> = {
  libsql: ['accounting'],
  'net-ipc': ['proxy/net'],
  'prom-client': ['metrics'],
  yaml: ['config'],
  zod: ['config', 'proxy/net', 'cli'],
};
/** Off the hot path, in a room that is otherwise on it: what `explain` is given comes from an operator's file. */
const PACKAGE_ALLOWED = new Set(['proxy/mining/explain.ts → zod']);
const NETWORK_MODULES = /^node:(net|tls|http|https|http2|dgram|dns|cluster)$/;

interface Rule {
  readonly pattern: RegExp;
  readonly instead: string;
  /** Files in which it may stand. */
  readonly allowed: RegExp;
}

const ONLY_WORLD = /^config\/world\.ts$/;
const WORLD_AND_TESTS = /^config\/world\.ts$|^test\/(?!rig\/)/;
const ENTRY_POINTS = /(^|[/-])main\.ts$|^proxy\/net\/supervisor\.ts$|^test\/(rig|bench)\//;

const FORBIDDEN: readonly Rule[] = [
  { pattern: /\bDate\.now\b|\bnew Date\(\s*\)/, instead: 'world.wallMs()', allowed: WORLD_AND_TESTS },
  { pattern: /\bperformance\.now\b|\bprocess\.hrtime\b/, instead: 'world.monoMs()', allowed: WORLD_AND_TESTS },
  { pattern: /\b(setTimeout|setInterval)\s*\(|['"](node:)?timers(\/promises)?['"]/, instead: 'world.after or world.every', allowed: WORLD_AND_TESTS },
  { pattern: /\b(randomBytes|randomUUID|randomInt|randomFillSync|getRandomValues)\b/, instead: 'world.random', allowed: WORLD_AND_TESTS },
  { pattern: /\bMath\.random\b/, instead: 'world.random, in tests seededRandom', allowed: ONLY_WORLD },
  { pattern: /\bprocess\.exit\s*\(/, instead: 'process.exitCode, and let what is open end', allowed: ENTRY_POINTS },
  { pattern: /\bconsole\.\w+\s*\(/, instead: 'a logger that is passed in, or printing in cli', allowed: /^(cli|test)\// },
  { pattern: /@ts-ignore|@ts-nocheck|@ts-expect-error/, instead: 'a type that says what is meant', allowed: /^$/ },
  { pattern: /\b(TODO|FIXME|XXX)\b/, instead: 'the work, or an issue', allowed: /^$/ },
  { pattern: /\b(describe|it|test)\.(only|skip|todo)\b/, instead: 'the test, or nothing', allowed: /^$/ },
];

/** Longest file in lines, and those that may be longer for a reason. */
const LINES_MAX = 350;
const LONG_ALLOWED = new Set<string>([]);

/** `file name`: exports that nothing here imports, for a reason. */
const UNUSED_ALLOWED = new Set<string>(['cli/main.ts processIo']);

interface SourceFile {
  readonly path: string;
  readonly text: string;
}

interface Import {
  /** Package, `node:` module, or path in the project. */
  readonly from: string;
  /** Imported names; `*` when all may be used. */
  readonly names: readonly string[];
  readonly typeOnly: boolean;
}

const SELF = 'test/style.test.ts';

function projectFiles(): SourceFile[] {
  return ['config', 'proxy', 'accounting', 'metrics', 'cli', 'test']
    .flatMap((folder) => readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => posix.join(folder, name.replaceAll('\\', '/'))))
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.d.ts'))
    .toSorted()
    .map((path) => ({ path, text: readFileSync(path, 'utf8') }));
}

function roomOf(path: string): Room | undefined {
  return ROOMS.filter((room) => path.startsWith(`${room}/`)).toSorted((a, b) => b.length - a.length)[0];
}

/** Code without comments; a `//` inside an address stays. */
function codeOf({ text }: SourceFile): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|[\s;,{}()])\/\/.*$/gm, '$1');
}

function clauseNames(clause: string): string[] {
  const braces = /\{([^}]*)\}/.exec(clause);
  const named = (braces?.[1] ?? '').split(',').map((part) => part.trim().replace(/^type\s+/, '').split(/\s+as\s+/)[0] ?? '');
  const rest = clause.replace(/\{[^}]*\}/, '').replace(/^type\b/, '');
  return [...named.filter((name) => name !== ''), ...(rest.includes('*') ? ['*'] : []), ...(/\w/.test(rest.replace(/\*\s*as\s+\w+/, '')) ? ['default'] : [])];
}

function importsOf(file: SourceFile): Import[] {
  const code = codeOf(file);
  const place = (from: string): string => (from.startsWith('.') ? posix.join(posix.dirname(file.path), from) : from);
  const standing = [...code.matchAll(/^(?:import|export)\s+((?:type\s+)?(?:[\w$]+\s*,?\s*)?(?:\*(?:\s*as\s+\w+)?|\{[^}]*\})?)\s*from\s*['"]([^'"]+)['"]/gm)].map(
    ([, clause = '', from = '']): Import => {
      const parts = (/\{([^}]*)\}/.exec(clause)?.[1] ?? '').split(',').map((part) => part.trim()).filter((part) => part !== '');
      const typeOnly = /^type\b/.test(clause) || (parts.length > 0 && parts.every((part) => part.startsWith('type ')));
      return { from: place(from), names: clauseNames(clause), typeOnly };
    },
  );
  const bare = [...code.matchAll(/^import\s*['"]([^'"]+)['"]/gm)].map(([, from = '']): Import => ({ from: place(from), names: [], typeOnly: false }));
  const dynamic = [...code.matchAll(/\bimport\(\s*['"]([^'"]+)['"]\s*\)/g)].map(([, from = '']): Import => ({ from: place(from), names: ['*'], typeOnly: true }));
  return [...standing, ...bare, ...dynamic];
}

function packageOf(from: string): string {
  return from.split('/').slice(0, from.startsWith('@') ? 2 : 1).join('/');
}

function importFault(path: string, room: Room, from: string): string | undefined {
  const target = roomOf(from);
  if (target !== undefined) {
    const down = ROOMS.indexOf(target) > ROOMS.indexOf(room) && !DOWNWARD_ALLOWED.has(`${room} → ${from}`);
    return down ? `${path} imports ${from}, which is in a room below ${room}` : undefined;
  }
  if (PURE_ROOMS.includes(room) && from.startsWith('node:') && !PURE_MODULES.has(from)) {
    return `${path} imports ${from}: ${room} takes bytes, time and randomness as arguments`;
  }
  if (room === 'accounting/journal' && NETWORK_MODULES.test(from)) return `${path} imports ${from}: the journal only knows files`;
  const rooms = PACKAGE_ROOMS[packageOf(from)];
  return rooms && room !== 'test' && !rooms.includes(room) && !PACKAGE_ALLOWED.has(`${path} → ${from}`) ? `${path} imports ${from}, whose place is ${rooms.join(' and ')}` : undefined;
}

function importFaults(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) => {
    const room = roomOf(file.path);
    if (!room) return [`${file.path} is in no room`];
    return importsOf(file).flatMap(({ from }) => importFault(file.path, room, from) ?? []);
  });
}

function forbiddenFaults(files: readonly SourceFile[]): string[] {
  return files
    .filter(({ path }) => path !== SELF)
    .flatMap((file) => {
      const code = codeOf(file);
      return FORBIDDEN.filter(({ pattern, allowed }) => !allowed.test(file.path) && pattern.test(/@ts|TODO/.test(pattern.source) ? file.text : code)).map(
        ({ pattern, instead }) => `${file.path} has ${pattern.source}: use ${instead}`,
      );
    });
}

function headerFaults(files: readonly SourceFile[]): string[] {
  return files.flatMap(({ path, text }) => {
    const [, block, line] = /^(?:#!.*\n)?(?:\/\*\*?([\s\S]*?)\*\/|((?:\/\/.*\n)+))/.exec(text) ?? [];
    const sentence = block ?? line ?? '';
    return /\w.{15,}\./s.test(sentence) ? [] : [`${path} does not begin with a comment that says in a sentence what it is`];
  });
}

function lengthFaults(files: readonly SourceFile[]): string[] {
  return files.flatMap(({ path, text }) => {
    const lines = text.trimEnd().split('\n').length;
    return lines > LINES_MAX && !LONG_ALLOWED.has(path) ? [`${path} has ${lines} lines: find the two things it does`] : [];
  });
}

function exportsOf(file: SourceFile): { name: string; isType: boolean }[] {
  const code = codeOf(file);
  const declared = [...code.matchAll(/^export\s+(?:declare\s+|abstract\s+|async\s+)*(function\*?|const|let|class|enum|interface|type)\s+([\w$]+)/gm)];
  const listed = [...code.matchAll(/^export\s+(type\s+)?\{([^}]*)\}/gm)].flatMap(([, type, names = '']) =>
    names.split(',').map((part) => ({ name: part.trim().replace(/^type\s+/, '').split(/\s+as\s+/).at(-1) ?? '', isType: type !== undefined || part.trim().startsWith('type ') })),
  );
  return [...declared.map(([, kind = '', name = '']) => ({ name, isType: kind === 'interface' || kind === 'type' })), ...listed.filter(({ name }) => name !== '')];
}

/** A type is also used when its own file needs it elsewhere, for instance in the signature of an exported function. */
function deadExports(files: readonly SourceFile[]): string[] {
  const used = new Set(files.flatMap((file) => importsOf(file).flatMap(({ from, names }) => names.map((name) => `${from} ${name}`))));
  return files.flatMap((file) => {
    const code = codeOf(file);
    return exportsOf(file)
      .filter(({ name, isType }) => {
        if (used.has(`${file.path} ${name}`) || used.has(`${file.path} *`) || UNUSED_ALLOWED.has(`${file.path} ${name}`)) return false;
        return !(isType && [...code.matchAll(new RegExp(`\\b${name}\\b`, 'g'))].length > 1);
      })
      .map(({ name }) => `${file.path} exports ${name}, which nothing imports: delete it or its export`);
  });
}

/** Files that import one another at run time in a circle; each circle once. */
function cycles(files: readonly SourceFile[]): string[] {
  const edges = new Map(files.map((file) => [file.path, importsOf(file).filter(({ typeOnly }) => !typeOnly).map(({ from }) => from)]));
  const done = new Set<string>();
  const found: string[] = [];
  const walk = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) found.push([...trail.slice(trail.indexOf(path)), path].join(' → '));
    if (done.has(path) || trail.includes(path)) return;
    for (const next of edges.get(path) ?? []) walk(next, [...trail, path]);
    done.add(path);
  };
  for (const path of edges.keys()) walk(path, []);
  return found;
}

/** Names of the options of a configuration, without the names that its owner chose. */
function optionNames(value: unknown, path = ''): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [path.split('.').at(-1) ?? ''];
  const chosen = path === 'sites' || path === 'pools';
  return Object.entries(value).flatMap(([key, child]) => optionNames(child, chosen ? path + 'Entry' : `${path}.${key}`.replace(/^\./, '')));
}

/** Options that no code outside config reads. */
function unreadOptions(files: readonly SourceFile[]): string[] {
  const { config } = parseConfig(readFileSync('examples/complete.yaml', 'utf8'), 'complete.yaml');
  const names = new Set([...optionNames(config), 'extranonce', 'match', 'lessee']);
  const readers = files.filter(({ path }) => !/^(config|test)\//.test(path)).map(codeOf).join('\n');
  return [...names].filter((name) => !new RegExp(`\\b${name}\\b`).test(readers));
}

describe('the project', () => {
  const files = projectFiles();

  it('imports only upwards, and each room only what it may', () => expect(importFaults(files)).toEqual([]));
  it('names clocks, timers and randomness in one file only', () => expect(forbiddenFaults(files)).toEqual([]));
  it('says at the head of each file what it is', () => expect(headerFaults(files)).toEqual([]));
  it(`has no file over ${LINES_MAX} lines`, () => expect(lengthFaults(files)).toEqual([]));
  it('exports nothing that is not imported', () => expect(deadExports(files)).toEqual([]));
  it('imports nothing in circles', () => expect(cycles(files)).toEqual([]));

  it('reads every option that can be configured', () => expect(unreadOptions(files)).toEqual([]));

  it('has no exception that is not needed', () => {
    const exists = new Set(files.flatMap((file) => [file.path, ...exportsOf(file).map(({ name }) => `${file.path} ${name}`)]));
    expect([...LONG_ALLOWED, ...UNUSED_ALLOWED].filter((entry) => !exists.has(entry))).toEqual([]);
  });
});

describe('the checks themselves', () => {
  const file = (path: string, text: string): SourceFile => ({ path, text });

  it.each([
    ['proxy/mining/a.ts', `import { x } from '../session/b.ts';`],
    ['proxy/session/a.ts', `import type { X } from '../net/b.ts';`],
    ['accounting/a.ts', `import {\n  x,\n} from '../proxy/net/b.ts';`],
    ['config/a.ts', `export { x } from '../cli/b.ts';`],
    ['metrics/a.ts', `const { x } = await import('../proxy/net/b.ts');`],
    ['proxy/mining/a.ts', `import { connect } from 'node:net';`],
    ['proxy/session/a.ts', `import fs from 'node:fs';`],
    ['accounting/journal/a.ts', `import Database from 'libsql';`],
    ['proxy/net/a.ts', `import * as yaml from 'yaml';`],
    ['proxy/a.ts', ''],
  ])('find the import in %s: %s', (path, text) => {
    expect(importFaults([file(path, text)])).toHaveLength(1);
  });

  it.each([
    ['accounting/a.ts', `import { x } from './journal/b.ts';\nimport { y } from '../proxy/session/c.ts';`],
    ['cli/a.ts', `const { demo } = await import('../test/rig/demo.ts');`],
    ['test/a.test.ts', `import { x } from '../proxy/net/b.ts';\nimport 'libsql';`],
    ['proxy/mining/a.ts', `import { createHash } from 'node:crypto';\n// import { connect } from 'node:net';`],
  ])('allow the imports in %s: %s', (path, text) => {
    expect(importFaults([file(path, text)])).toEqual([]);
  });

  it.each(['Date.now()', 'new Date()', 'setTimeout(f, 1)', 'randomBytes(4)', 'Math.random()', 'process.exit(1)', 'performance.now()', `import 'node:timers/promises'`, 'console.log(1)'])('find %s', (code) => {
    expect(forbiddenFaults([file('proxy/session/a.ts', code)])).toHaveLength(1);
    expect(forbiddenFaults([file('proxy/session/a.ts', `/* ${code} */\n// ${code}`)])).toEqual([]);
  });

  it('allow a date made from a number', () => expect(forbiddenFaults([file('cli/a.ts', 'new Date(ms).toISOString()')])).toEqual([]));

  it('find files without a sentence at their head, and long ones', () => {
    expect(headerFaults([file('a.ts', 'const x = 1;'), file('b.ts', '/** Short */\n'), file('c.ts', '/** Says what it is for. */'), file('d.ts', '// Says what it is for.\n')])).toHaveLength(2);
    expect(lengthFaults([file('a.ts', 'x\n'.repeat(LINES_MAX)), file('b.ts', 'x\n'.repeat(LINES_MAX + 1))])).toHaveLength(1);
  });

  it('find exports that nothing imports', () => {
    const text = 'export const used = 1;\nexport async function dead() {}\nexport interface Shape {}\nexport type Gone = 1;\nfunction f(s: Shape) {}\nexport { f as listed };';
    const user = file('config/b.ts', `import { used as mine } from './a.ts';`);
    expect(deadExports([file('config/a.ts', text), user]).map((fault) => fault.split(/[ ,]/)[2])).toEqual(['dead', 'Gone', 'listed']);
    expect(deadExports([file('config/a.ts', text), file('config/b.ts', `import * as all from './a.ts';`)])).toEqual([]);
  });

  it('find circles, but not of types', () => {
    const [a, b] = [file('config/a.ts', `import { b } from './b.ts';`), file('config/b.ts', `import { a } from './a.ts';`)];
    expect(cycles([a, b])).toEqual(['config/a.ts → config/b.ts → config/a.ts']);
    expect(cycles([a, file('config/b.ts', `import { type A } from './a.ts';`)])).toEqual([]);
  });
});
