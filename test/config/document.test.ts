/** docs/configuration.md is what the schema says; `npx vitest run test/config -u` writes it anew. The complete example names every option. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { configurationDocument } from '../../config/document.ts';
import { type Option, optionTree } from '../../config/options.ts';
import { configSchema } from '../../config/schema.ts';

const tree = optionTree(configSchema({ folder: '/', env: {} }));

/** Paths of all options below one, with `*` for free names and list entries. */
function pathsOf(option: Option, path: string): string[] {
  const below = Object.entries(option.children).flatMap(([key, child]) => pathsOf(child, `${path}.${key}`));
  return [path, ...below, ...(option.each ? pathsOf(option.each, `${path}.*`) : [])];
}

/** Whether a value is written at a path anywhere in a file. */
function isWritten(value: unknown, path: readonly string[]): boolean {
  const [part, ...rest] = path;
  if (part === undefined) return true;
  if (typeof value !== 'object' || value === null) return false;
  if (part === '*') return Object.values(value).some((child) => isWritten(child, rest));
  return Object.hasOwn(value, part) && isWritten((value as Record<string, unknown>)[part], rest);
}

describe('the documentation of the configuration', () => {
  it('is current', async () => {
    await expect(configurationDocument()).toMatchFileSnapshot('../../docs/configuration.md');
  });

  it('says something of each option, and its bound', () => {
    const silent = pathsOf(tree, '').filter((path) => {
      const option = path.split('.').slice(1).reduce<Option | undefined>((at, part) => (part === '*' ? at?.each : at?.children[part]), tree);
      const described = path === '' || path.endsWith('.*') || option?.description.endsWith('.') === true;
      return !described || option?.must.startsWith('must be ') !== true;
    });
    expect(silent).toEqual([]);
  });

  it('has every option in the complete example', () => {
    const complete: unknown = parse(readFileSync('examples/complete.yaml', 'utf8'));
    expect(pathsOf(tree, '').filter((path) => !isWritten(complete, path.split('.').slice(1)))).toEqual([]);
  });
});
