/** The ways options are put together: sections with known keys, lists, entries under free names, defaults. Every refusal is in words. */
import { z } from 'zod';
import { name } from './fields.ts';

/** An option that may be left out: `written` stands in as if it had been in the file. */
export function option<S extends z.ZodType>(field: S, written: z.input<S> & z.core.util.NoUndefined<z.input<S>>, description: string) {
  return field.prefault(written).describe(description);
}

export function oneOf<const T extends readonly [string, ...string[]]>(values: T) {
  return z.enum(values, { error: `must be one of ${values.join(', ')}` });
}

export function yesOrNo() {
  return z.boolean({ error: 'must be true or false' });
}

export function list<S extends z.ZodType>(item: S, of: string) {
  const error = `must be a list of ${of}`;
  return z.array(item, { error }).min(1, { error: `${error} with at least one entry` });
}

export function section<S extends z.core.$ZodShape>(shape: S) {
  return z.strictObject(shape, { error: (issue) => (issue.code === 'invalid_type' ? `must be a section with the keys ${Object.keys(shape).join(', ')}` : undefined) });
}

export function named<S extends z.ZodType>(item: S, what: string) {
  const error = `must be a section with one key for each ${what}`;
  return z.record(name(), item, { error }).refine((entries) => Object.keys(entries).length > 0, { error: `${error}, at least one` });
}
