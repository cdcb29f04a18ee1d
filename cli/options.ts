/** Parses a command's options with node:util and says what was meant when one is unknown. */
import { parseArgs } from 'node:util';
import { usageError } from './io.ts';
import { nearest } from './suggest.ts';

export interface OptionSpec {
  readonly type: 'string' | 'boolean';
  /** How the value is shown in the help; '' for a boolean. */
  readonly value: string;
  readonly help: string;
}

export interface CommandSpec {
  readonly name: string;
  /** One sentence for the overview. */
  readonly summary: string;
  readonly options: Readonly<Record<string, OptionSpec>>;
  /** Names of the positional arguments, one or two, '' when there is none. */
  readonly argument: string;
  readonly examples: readonly string[];
  /** What else a person should know; '' when nothing. */
  readonly notes: string;
}

export interface ParsedOptions {
  /** Present only when given. */
  readonly text: Readonly<Partial<Record<string, string>>>;
  readonly flags: ReadonlySet<string>;
  readonly argument: string | undefined;
  /** The one after it. */
  readonly second: string | undefined;
}

/** Reads `args` by the command's own list; throws a usage error with the nearest suggestion. */
export function parseOptions(spec: CommandSpec, args: readonly string[]): ParsedOptions {
  const known = [...Object.keys(spec.options), 'help'];
  const options = Object.fromEntries(known.map((name) => [name, { type: spec.options[name]?.type ?? ('boolean' as const) }]));
  const { tokens } = parseArgs({ args: joinValues(spec, args), options, allowPositionals: true, strict: false, tokens: true });
  const text: Record<string, string> = {};
  const flags = new Set<string>();
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value);
    else if (token.kind === 'option') takeOption(spec, token, text, flags);
  }
  if (positionals.length > (spec.argument === '' ? 0 : spec.argument.split(' ').length)) {
    throw usageError(`\`weighbridge ${spec.name}\` does not take ${JSON.stringify(positionals.at(-1))}; see \`weighbridge ${spec.name} --help\`.`);
  }
  return { text, flags, argument: positionals[0], second: positionals[1] };
}

interface OptionToken {
  readonly name: string;
  readonly rawName: string;
  readonly value?: string | undefined;
}

function takeOption(spec: CommandSpec, token: OptionToken, text: Record<string, string>, flags: Set<string>): void {
  const { name, rawName, value } = token;
  if (name === 'help' || name === 'h') {
    flags.add('help');
    return;
  }
  const option = spec.options[name];
  if (option === undefined) throw unknownOption(spec, rawName, name);
  if (option.type === 'boolean') {
    if (value !== undefined) throw usageError(`${rawName} takes no value.`);
    flags.add(name);
    return;
  }
  if (value === undefined || value === '') throw usageError(`${rawName} needs a value: ${rawName} ${option.value}.`);
  if (text[name] !== undefined && text[name] !== value) throw usageError(`${rawName} is given twice, with ${JSON.stringify(text[name])} and ${JSON.stringify(value)}.`);
  text[name] = value;
}

function unknownOption(spec: CommandSpec, rawName: string, name: string): Error {
  const near = nearest(name, [...Object.keys(spec.options), 'help']);
  const hint = near === undefined ? `see \`weighbridge ${spec.name} --help\`` : `did you mean --${near}?`;
  return usageError(`\`weighbridge ${spec.name}\` has no option ${rawName}; ${hint}${near === undefined ? '.' : ''}`);
}

/** Joins `--from -1h` to `--from=-1h`: a value may begin with a dash here, which parseArgs takes for an option of its own. */
function joinValues(spec: CommandSpec, args: readonly string[]): string[] {
  const joined: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? '';
    if (arg === '--') return [...joined, ...args.slice(i)];
    const next = args[i + 1];
    const takesValue = arg.startsWith('--') && spec.options[arg.slice(2)]?.type === 'string';
    // Followed by another option it has no value, which is said when it is taken.
    const value = next === undefined || next.startsWith('--') ? undefined : next;
    joined.push(takesValue ? `${arg}=${value ?? ''}` : arg);
    if (takesValue && value !== undefined) i += 1;
  }
  return joined;
}

/** A whole number from 1 on, as the value of `--name`. */
export function wholeNumber(name: string, text: string, max: number): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : 0;
  if (value < 1 || value > max) throw usageError(`--${name} ${JSON.stringify(text)} is not a whole number from 1 to ${max}.`);
  return value;
}

/** Longest reason, in characters: it stands on statements. */
const REASON_MAX = 500;

/** The value of --reason: printed on statements, so one line of a length that can be read. */
export function reasonText(text: string): string {
  if (/[\p{Cc}\p{Zl}\p{Zp}]/u.test(text)) throw usageError('--reason must be one line: without line breaks and control characters.');
  if (text.length > REASON_MAX) throw usageError(`--reason has ${text.length} characters; at most ${REASON_MAX} are printed on statements. Put the rest into a document.`);
  return text;
}
