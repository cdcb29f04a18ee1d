/** `rebuild` as people and programs see it. What it makes is tested in its own room. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { Store } from '../../accounting/store.ts';
import { realWorld } from '../../config/world.ts';
import { acquireLock } from '../../proxy/net/instance.ts';
import { run } from './cli-fixture.ts';

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

function dataDirectory(): string {
  const data = mkdtempSync(join(tmpdir(), 'wb-rebuild-'));
  directories.push(data);
  mkdirSync(join(data, 'journal'));
  Store.open(data).close();
  return data;
}

describe('rebuild', () => {
  it('keeps the ledger from before beside the new one', async () => {
    const data = dataDirectory();
    const { code, out } = await run(['rebuild', '--data', data]);
    expect(code).toBe(0);
    expect(out).toMatch(/^The ledger is rebuilt from 0 records in 0 segments\.\nThe one from before is .*ledger\.sqlite\.before-/);
    const json: unknown = JSON.parse((await run(['rebuild', '--data', data, '--json'])).out);
    expect(json).toMatchObject({ segments: 0, records: 0, publishedRows: 0, keptPublications: 0 });
  });

  it('is refused while an instance runs', async () => {
    const data = dataDirectory();
    const lock = acquireLock(data, realWorld.random);
    const { code, err } = await run(['rebuild', '--data', data]);
    lock.release();
    expect(code).toBe(1);
    expect(err).toContain(String(process.pid));
  });
});
