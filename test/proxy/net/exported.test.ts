/** What /metrics has shown is remembered, and nothing below it is shown again. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Exported } from '../../../proxy/net/exported.ts';
import { version } from '../../../proxy/net/version.ts';

let data = '';
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'wb-exported-'));
});
afterEach(() => rmSync(data, { recursive: true, force: true }));

describe('what was exported', () => {
  it('is nothing at first, and survives a restart', async () => {
    const first = new Exported(data, 'os');
    expect(first.totals).toBeUndefined();
    expect(first.fallenBack(Buffer.from('a{b="c d"} 5'))).toBe('');
    expect(await first.remember({ n: 1 }, Buffer.from('a{b="c d"} 5\ne 2.5'))).toBe('');
    const second = new Exported(data, 'os');
    expect(second.totals).toEqual({ n: 1 });
    expect(second.fallenBack(Buffer.from('a{b="c d"} 5\ne 3'))).toBe('');
    expect(second.fallenBack(Buffer.from('a{b="c d"} 4\ne 3'))).toMatch(/^a\{b="c d"\} was 5 when it was last exported and is 4 now: .*remove .*exported and let/);
    expect(second.fallenBack(Buffer.from('a{b="c d"} 6'))).toContain('e was 2.5 when it was last exported and is missing now');
  });

  it('keeps the last of the ledger while the ledger is not shown', async () => {
    const exported = new Exported(data, 'os');
    await exported.remember({ n: 1 }, Buffer.from('a 5'));
    await exported.remember({ n: 2 }, undefined);
    expect(new Exported(data, 'os').totals).toEqual({ n: 2 });
    expect(new Exported(data, 'os').fallenBack(Buffer.from('a 4'))).not.toBe('');
  });

  it('is the later one of two scrapes at once', async () => {
    const exported = new Exported(data, 'os');
    await Promise.all([exported.remember({ n: 1 }, Buffer.from('a 5')), exported.remember({ n: 2 }, Buffer.from('a 6\n'))]);
    expect(readFileSync(join(data, 'exported'), 'utf8')).toBe(`{"version":"${version()}","totals":{"n":2}}\na 6\n`);
  });

  it('of another version is gone on from, and not compared: series may have other names', () => {
    writeFileSync(join(data, 'exported'), '{"version":"0.0.1","totals":{"n":3}}\na 5\n');
    const exported = new Exported(data, 'fsync');
    expect(exported.totals).toEqual({ n: 3 });
    expect(exported.fallenBack(Buffer.from('b 1'))).toBe('');
  });

  it('is nothing where the file is damaged, and says so where it cannot be written', async () => {
    writeFileSync(join(data, 'exported'), '{"n":');
    expect(new Exported(data, 'os').totals).toBeUndefined();
    const exported = new Exported(data, 'os');
    rmSync(data, { recursive: true });
    expect(await exported.remember({}, Buffer.from('a 1'))).toContain(`cannot be kept in ${join(data, 'exported')}: ENOENT`);
  });
});
