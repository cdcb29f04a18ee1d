/** The ledger is put back to a copy one minute old, ten times under load: it folds on and equals a fold from nothing. */
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { realWorld } from '../../config/world.ts';
import { expectTrueBooks, foldAnew, foldToEnd, tables, totals } from './books.ts';
import { freePort, Instance, makeDirectory } from './instance.ts';
import { copyLedger, takeLedgerCopy } from './ledger-copy.ts';
import { Load } from './load.ts';
import { Cleanup, until } from './waiting.ts';

const RESTORES = 10;
/** The product's wall clock: a minute passes in a second. */
const SPEED = 60;
const cleanup = new Cleanup();
afterEach(() => cleanup.run());

function accepted(dataDir: string): number {
  return totals(dataDir).get('accepted') ?? 0;
}

describe('a ledger restored from a copy one minute old', () => {
  it('folds on to the same sums, ten times under load', async () => {
    const load = await Load.begin(104, cleanup);
    const port = await freePort();
    const faults = { clock: { startMs: realWorld.wallMs(), speed: SPEED } };
    const instance = await Instance.start({ dataDir: makeDirectory(cleanup), port, poolUrl: load.pool.url, faults }, cleanup);
    const copies = makeDirectory(cleanup);
    await load.connect(port, 104);
    for (let restore = 0; restore < RESTORES; restore += 1) {
      const copy = join(copies, String(restore));
      await takeLedgerCopy(instance, copy);
      const takenMs = realWorld.monoMs();
      await load.answers(100);
      await until('the copy is a minute old', () => (realWorld.monoMs() - takenMs) * SPEED >= 60_000);
      instance.world.hold();
      await instance.kill('accountant');
      const before = accepted(instance.dataDir);
      copyLedger(copy, instance.dataDir);
      expect(accepted(instance.dataDir)).toBeLessThan(before);
      instance.world.release();
      await instance.foldedOnce();
      await until('the ledger holds again what it held', () => accepted(instance.dataDir) >= before);
    }
    await load.rest();
    expect(load.disconnects).toBe(0);
    await instance.stop();
    // As the next start would: what was written last is sealed and folded to its end.
    await foldToEnd(instance.dataDir);
    const { counted } = await expectTrueBooks(instance.dataDir, load.records());
    expect(counted).toBe(load.answeredTrue);
    const found = tables(instance.dataDir);
    expect(found).toEqual(await foldAnew(instance.dataDir, makeDirectory(cleanup)));
    const minutes = new Set((found['delivered_minute'] ?? []).map((row) => (row as { minute: number }).minute));
    expect(minutes.size).toBeGreaterThanOrEqual(RESTORES);
  }, 60_000);
});
