/** The schema as a tree of options: what may stand where, for suggestions and for the documentation. */
import type { z } from 'zod';

export interface Option {
  readonly description: string;
  /** What stands in when it is left out, as it would be written; undefined when there is nothing. */
  readonly written: unknown;
  readonly required: boolean;
  /** "must be …": the bound and the unit in words. */
  readonly must: string;
  /** Options of a section; empty for values. */
  readonly children: Readonly<Record<string, Option>>;
  /** What each entry of a list or of a section with free names is. */
  readonly each: Option | undefined;
}

/** Describes a schema and all below it. */
export function optionTree(schema: z.core.$ZodType): Option {
  let inner = schema as z.core.$ZodTypes;
  let written: unknown;
  let required = true;
  // The outermost description wins; wrappers inside repeat or refine it.
  let description: string | undefined;
  for (;;) {
    description ??= (inner as { description?: string }).description;
    const def = inner._zod.def;
    if (def.type === 'prefault') {
      written ??= def.defaultValue;
      required = false;
      inner = def.innerType as z.core.$ZodTypes;
    } else if (def.type === 'optional') {
      required = false;
      inner = def.innerType as z.core.$ZodTypes;
    } else if (def.type === 'pipe') inner = def.in as z.core.$ZodTypes;
    else break;
  }
  const def = inner._zod.def;
  const shape = def.type === 'object' ? Object.entries(def.shape) : [];
  const each = def.type === 'record' ? def.valueType : def.type === 'array' ? def.element : undefined;
  return {
    description: description ?? '',
    written,
    required,
    must: phrase(inner),
    children: Object.fromEntries(shape.map(([key, child]) => [key, optionTree(child)])),
    each: each && optionTree(each),
  };
}

/** Every field answers a value that can never be right with its "must be …". */
function phrase(schema: z.core.$ZodType): string {
  const result = (schema as z.ZodType).safeParse(Symbol.iterator);
  return result.error?.issues[0]?.message ?? '';
}

/** The option at a path of the file, if there is one. */
export function optionAt(tree: Option, path: readonly PropertyKey[]): Option | undefined {
  const step = (option: Option | undefined, part: PropertyKey): Option | undefined =>
    option && Object.hasOwn(option.children, part) ? option.children[String(part)] : option?.each;
  return path.reduce<Option | undefined>(step, tree);
}

/** Least number of letters to insert, delete, change or swap with their neighbour to make one word the other. */
function distance(a: string, b: string): number {
  const cells = new Map<string, number>();
  const cell = (i: number, j: number): number => (i < 0 || j < 0 ? Infinity : (cells.get(`${i},${j}`) ?? 0));
  for (let i = 0; i <= a.length; i += 1) {
    for (let j = 0; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1];
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const ways = [cell(i - 1, j) + 1, cell(i, j - 1) + 1, cell(i - 1, j - 1) + (same ? 0 : 1), swapped ? cell(i - 2, j - 2) + 1 : Infinity];
      cells.set(`${i},${j}`, i === 0 && j === 0 ? 0 : Math.min(...ways));
    }
  }
  return cell(a.length, b.length);
}

/** The known word that was probably meant: at most a third of its letters differ. */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  if (word.length > 63) return undefined;
  const ranked = [...known]
    .map((candidate) => ({ candidate, far: distance(word.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ candidate, far }) => far <= Math.max(1, Math.floor(candidate.length / 3)))
    .toSorted((a, b) => a.far - b.far);
  return ranked[0]?.candidate;
}

/** Paths, with `*` for free names, of all options that are called `key`. */
export function placesOf(tree: Option, key: string, prefix = ''): string[] {
  const below = Object.entries(tree.children).flatMap(([child, option]) => [
    ...(child === key ? [`${prefix}${child}`] : []),
    ...placesOf(option, key, `${prefix}${child}.`),
  ]);
  return tree.each ? [...below, ...placesOf(tree.each, key, `${prefix}*.`)] : below;
}
