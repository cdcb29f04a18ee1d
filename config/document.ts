/** Writes docs/configuration.md from the schema, so that it cannot say anything else than the program does. */
import { type Option, optionTree } from './options.ts';
import { configSchema } from './schema.ts';

const HEAD = `# Configuration

One YAML file. Unknown keys are errors. \`weighbridge check --config FILE\` shows all problems at once, each with its path and line;
\`weighbridge schema\` prints a JSON schema for editors. Complete files are in [examples](../examples).

Durations are whole numbers with \`ms\`, \`s\`, \`m\`, \`h\` or \`d\`; sizes with \`B\`, \`KiB\`, \`MiB\`, \`GiB\` or \`TiB\`. Powers of two are numbers or text
such as \`"2^-20"\`. Text that looks like a number needs quotes. *required* stands where there is no default.
`;

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('*', '\\*').replaceAll('\n', ' ');
}

function defaultText({ required, written }: Option): string {
  if (required) return '*required*';
  return written === undefined ? 'none' : `\`${JSON.stringify(written)}\``;
}

function row(key: string, option: Option): string {
  return `| \`${key}\` | ${defaultText(option)} | ${cell(option.must.replace(/^must be /, '').replace(/, a whole number with .*$/, ''))} | ${cell(option.description)} |`;
}

/** A section of options: its table, then a heading of its own for each section in it. */
function sectionLines(path: string, option: Option): string[] {
  const entries = Object.entries(option.children);
  const isSection = (child: Option): boolean => Object.keys(child.each?.children ?? child.children).length > 0;
  const values = entries.filter(([, child]) => !isSection(child));
  const table = values.length > 0 ? ['| option | default | value | what and why |', '|---|---|---|---|', ...values.map(([key, child]) => row(key, child)), ''] : [];
  const below = entries
    .filter(([, child]) => isSection(child))
    .flatMap(([key, child]) => {
      const list = child.must.startsWith('must be a list');
      const place = `${path}${path === '' ? '' : '.'}${key}${child.each ? (list ? '[]' : '.*name*') : ''}`;
      const title = `## ${place.replace('*name*', '‹name›')}`;
      const need = child.required ? ' Required.' : '';
      return [title, '', `${child.description}${need}`, '', ...sectionLines(place, child.each ?? child)];
    });
  return [...table, ...below];
}

/** The page, Markdown. */
export function configurationDocument(): string {
  const tree = optionTree(configSchema({ folder: '/', env: {} }));
  return `${HEAD}\n${sectionLines('', tree).join('\n').trimEnd()}\n`;
}
