/** The examples are right, the complete one is refused wherever it is made wrong, and the JSON schema for editors agrees with both. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse, parseDocument } from 'yaml';
import { z } from 'zod';
import { jsonSchema, parseConfig } from '../../config/load.ts';

const EXAMPLES = ['minimal', 'typical', 'complete', 'leaseback', 'hosting', 'purchase'];

describe('the examples', () => {
  it.each(EXAMPLES)('examples/%s.yaml is right', (name) => {
    const loaded = parseConfig(readFileSync(`examples/${name}.yaml`, 'utf8'), `examples/${name}.yaml`, {});
    expect(loaded.problems).toBeUndefined();
    expect(loaded.config?.data).toBe(resolve('examples/data'));
  });
});

describe('every option of the complete example', () => {
  const complete = parse(readFileSync('examples/complete.yaml', 'utf8')) as Record<string, unknown>;

  /** All paths of values and lists in it. */
  function paths(value: unknown, path: (string | number)[] = []): (string | number)[][] {
    if (typeof value !== 'object' || value === null) return [path];
    return [path, ...Object.entries(value).flatMap(([key, child]) => paths(child, [...path, Array.isArray(value) ? Number(key) : key]))];
  }

  it.each(paths(complete).filter((path) => path.length > 0).map((path) => [path.join('.'), path] as const))('%s is refused with words of ours when it is wrong', (_, path) => {
    const found = [{ nonsense: [] }, [{}], -1.5, 'nonsense \n', null].map((wrong) => {
      const document = parseDocument(readFileSync('examples/complete.yaml', 'utf8'));
      document.setIn(path, wrong);
      return parseConfig(String(document), 'complete.yaml', {}).problems ?? [];
    });
    expect(found[0]).not.toEqual([]);
    for (const { message } of found.flat()) expect(message).toMatch(/^(must|is|names|shares|has|cannot|can never|listens) /);
  });
});

describe('the JSON schema', () => {
  it('describes every option', () => {
    const bare: string[] = [];
    const visit = (node: Record<string, unknown>, path: string): void => {
      for (const [key, child] of Object.entries((node['properties'] ?? {}) as Record<string, Record<string, unknown>>)) {
        const place = `${path}.${key}`;
        if (!child['description'] && !place.endsWith('password.env')) bare.push(place);
        visit(child, place);
      }
      for (const inner of ['additionalProperties', 'items']) if (typeof node[inner] === 'object') visit(node[inner] as Record<string, unknown>, `${path}.*`);
    };
    visit(jsonSchema() as Record<string, unknown>, '');
    expect(bare).toEqual([]);
  });

  it.each(EXAMPLES)('accepts examples/%s.yaml, read back from its JSON', (name) => {
    const published = JSON.parse(JSON.stringify(jsonSchema())) as Parameters<typeof z.fromJSONSchema>[0];
    const judge = z.fromJSONSchema(published);
    const example = parse(readFileSync(`examples/${name}.yaml`, 'utf8')) as Record<string, unknown>;
    expect(judge.safeParse(example).error).toBeUndefined();
    expect(judge.safeParse({ ...example, nonsense: 1 }).success).toBe(false);
    expect(judge.safeParse({ ...example, timeouts: { refresh: 25 } }).success).toBe(false);
  });
});
