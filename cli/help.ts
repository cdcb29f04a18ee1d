/** The text of --help. */
import type { CommandSpec } from './options.ts';

/** Overview of all commands. */
export function overview(commands: readonly CommandSpec[]): string {
  const width = Math.max(...commands.map(({ name }) => name.length));
  const lines = commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`);
  return [
    'Weighbridge weighs hash rate between machines and pools.',
    '',
    'Usage: weighbridge COMMAND [OPTIONS]',
    '',
    ...lines,
    '',
    'Without a command: `start` when --config is given, else `demo`.',
    '`weighbridge COMMAND --help` shows its options and an example.',
  ].join('\n');
}

/** Help of one command. */
export function commandHelp(spec: CommandSpec): string {
  const argument = spec.argument === '' ? '' : ` ${spec.argument}`;
  const options = Object.entries({ ...spec.options, help: { value: '', help: 'Show this text.' } });
  const left = options.map(([name, { value }]) => `--${name}${value === '' ? '' : ` ${value}`}`);
  const width = Math.max(...left.map((text) => text.length));
  return [
    spec.summary,
    '',
    `Usage: weighbridge ${spec.name}${argument}${Object.keys(spec.options).length === 0 ? '' : ' [OPTIONS]'}`,
    '',
    ...options.map(([, { help }], i) => `  ${(left[i] ?? '').padEnd(width)}  ${help}`),
    ...(spec.notes === '' ? [] : ['', spec.notes]),
    '',
    spec.examples.length === 1 ? 'Example:' : 'Examples:',
    ...spec.examples.map((example) => `  ${example}`),
  ].join('\n');
}
