/** The leaseback of the examples in a folder of its own, whose configuration a test rewrites. */
import { copyFileSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../../config/load.ts';
import type { Config } from '../../../config/schema.ts';

export interface FarmFile {
  readonly folder: string;
  readonly file: string;
  /** The configuration as the example has it. */
  readonly text: string;
}

export function leasebackFile(name: string): FarmFile {
  const folder = mkdtempSync(join(tmpdir(), `wb-${name}-`));
  const file = join(folder, 'farm.yaml');
  copyFileSync('examples/inventory.csv', join(folder, 'inventory.csv'));
  const text = readFileSync('examples/leaseback.yaml', 'utf8');
  writeFileSync(file, text);
  return { folder, file, text };
}

/** Puts another text in the file, which must be right. */
export function rewrite(file: string, yaml: string): Config {
  writeFileSync(file, yaml);
  const { config, problems } = loadConfig(file);
  if (config === undefined) throw new Error(JSON.stringify(problems));
  return config;
}
