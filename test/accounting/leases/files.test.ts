/** Files of statements and keys are written once, whole, and never replaced. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { writeOnce } from '../../../accounting/leases/files.ts';

it('a file is written once; what a crash left beside it does not matter', () => {
  const folder = mkdtempSync(join(tmpdir(), 'wb-once-'));
  try {
    const file = join(folder, '000001.json');
    writeFileSync(`${file}.part`, 'half of');
    writeOnce(file, 'Grüße', 0o600);
    expect(readFileSync(file, 'utf8')).toBe('Grüße');
    expect(() => writeOnce(file, 'other', 0o600)).toThrow('EEXIST');
    expect(readFileSync(file, 'utf8')).toBe('Grüße');
    expect(readdirSync(folder)).toEqual(['000001.json']);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
