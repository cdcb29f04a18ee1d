/** Reads a configuration file and reports everything that is wrong with it at once. */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { type InventoryReader, readInventory } from './inventory.ts';
import { type Option, nearest, optionAt, optionTree, placesOf } from './options.ts';
import { relationFindings } from './relations.ts';
import { type Config, type Surroundings, configSchema, DATA_DEFAULT } from './schema.ts';
import { type Path, type Problem, type Source, pathText, readSource } from './source.ts';

export type { Problem } from './source.ts';

export type Loaded = { readonly config: Config; readonly problems?: undefined } | { readonly config?: undefined; readonly problems: readonly Problem[] };

/** Lease → when it was terminated, by the records in a data directory. */
export type TerminationReader = (dataDir: string) => ReadonlyMap<string, number>;

const START_FROM = 'start from examples/minimal.yaml';
/** Longest offending value that is printed in full. */
const SHOWN_MAX = 60;

/** A value as it may be printed; undefined when it must not be, for it is or may hold a password. */
function shown(value: unknown, path: Path): string | undefined {
  if (path.includes('password')) return undefined;
  if (value === null) return 'empty';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a section';
  const text = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? '');
  // scheme://user:password@host, wherever below pools or redis it was written.
  if ((path[0] === 'pools' || path[0] === 'redis') && text.includes('@')) return undefined;
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text;
}

function valueAt(root: unknown, path: Path): unknown {
  return path.reduce<unknown>((value, part) => (typeof value === 'object' && value !== null && Object.hasOwn(value, part) ? (value as Record<PropertyKey, unknown>)[part] : undefined), root);
}

function unknownKey(key: string, path: Path, tree: Option): string {
  const known = Object.keys(optionAt(tree, path)?.children ?? {});
  const meant = nearest(key, known);
  if (meant) return `is not an option: did you mean "${meant}"?`;
  const places = placesOf(tree, key);
  if (places.length > 0) return `is not an option here: it belongs at ${places.join(' or ')}`;
  return `is not an option: there is ${known.join(', ')}`;
}

/** Findings of the schema in words; one for each unknown key, and one where several checks of a field fail. */
function issueProblems(issue: z.core.$ZodIssue, source: Source, tree: Option): Problem[] {
  const at = (path: Path, message: string): Problem => ({ path: pathText(path), line: source.lineOf(path), message });
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => at([...issue.path, key], unknownKey(key, issue.path, tree)));
  if (issue.code === 'invalid_key') return [at(issue.path, issue.issues[0]?.message ?? issue.message)];
  const value = valueAt(source.value, issue.path);
  if (value === undefined) return [at(issue.path, `is missing: it ${issue.message}`)];
  const text = shown(value, issue.path);
  return [at(issue.path, text === undefined ? issue.message : `${issue.message}; it is ${text}`)];
}

function inOrder(problems: readonly Problem[]): Problem[] {
  const once = new Map(problems.map((problem) => [JSON.stringify(problem), problem]));
  return [...once.values()].toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0));
}

/** The data directory of a file's plain value, however much else is wrong with it. */
function dataOf(value: unknown, folder: string): string {
  const data = valueAt(value, ['data']);
  return resolve(folder, typeof data === 'string' && data !== '' ? data : DATA_DEFAULT);
}

/**
 * Judges a configuration. `file` is its path, where relative paths start; `env` holds the variables that passwords may
 * come from; `inventoryOf` reads the inventory, which is left alone without it; `endsOf` tells which leases were terminated, by the
 * records in a data directory. Returns the configuration, or all problems
 * in the order of their lines. A password is never in a message.
 */
export function parseConfig(yamlText: string, file: string, env: Surroundings['env'] = process.env, inventoryOf?: InventoryReader, endsOf?: TerminationReader): Loaded {
  const source = readSource(yamlText);
  if (source.value === null) return { problems: [{ path: '', line: undefined, message: `is empty: ${START_FROM}` }] };
  if (source.value === undefined) return { problems: inOrder(source.problems) };
  const folder = dirname(resolve(file));
  const schema = configSchema({ folder, env });
  const judged = schema.safeParse(source.value);
  const tree = optionTree(schema);
  const issues = judged.error?.issues.flatMap((issue) => issueProblems(issue, source, tree)) ?? [];
  const relations = relationFindings(source.value, (path) => inventoryOf?.(resolve(folder, path)), () => endsOf?.(dataOf(source.value, folder)) ?? new Map()).map(({ path, message }) => ({ path: pathText(path), line: source.lineOf(path), message }));
  const problems = inOrder([...source.problems, ...issues, ...relations]);
  return judged.success && problems.length === 0 ? { config: judged.data } : { problems };
}

/** Reads and judges a file as `parseConfig` does. That it cannot be read is a problem too. */
export function loadConfig(file: string, endsOf?: TerminationReader): Loaded {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    const why = code === 'ENOENT' ? `does not exist: name another file or ${START_FROM}` : code === 'EISDIR' ? 'is a folder: name the file in it' : `cannot be read (${code}): let this user read it`;
    return { problems: [{ path: '', line: undefined, message: `${file} ${why}` }] };
  }
  return parseConfig(text, file, process.env, readInventory, endsOf);
}

/** JSON schema (draft 2020-12) of the file as written, for editors. */
export function jsonSchema(): object {
  return z.toJSONSchema(configSchema({ folder: '/', env: {} }), { io: 'input' });
}
