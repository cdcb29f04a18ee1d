/** Energy by meters: imported once, divided over days exactly, and paid. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decimal, total } from '../../../accounting/leases/exact.ts';
import { parseImport } from '../../../accounting/leases/imports.ts';
import { energyOf, METERS_IMPORT } from '../../../accounting/leases/meters.ts';
import type { StatementDraft } from '../../../accounting/leases/statement.ts';
import { localDays, midnightMs } from '../../../config/calendar.ts';
import { loadConfig } from '../../../config/load.ts';
import { run } from '../../cli/cli-fixture.ts';
import { recordTerms, writeMonth } from './month.ts';

const HEAD = 'meter,from,to,kwh';
const LATER = { nowMs: Date.parse('2027-01-05T12:00:00Z') };
const CHICAGO = 'America/Chicago';
let folder = '';
let file = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'wb-meters-'));
  file = join(folder, 'farm.yaml');
  copyFileSync('examples/inventory.csv', join(folder, 'inventory.csv'));
  writeFileSync(file, readFileSync('examples/leaseback.yaml', 'utf8').replace('efficiency: 15.2 J/TH', 'metered: feeder'));
  const { config, problems } = loadConfig(file);
  if (config === undefined) throw new Error(JSON.stringify(problems));
  writeMonth(config.data, { fromMs: midnightMs('2026-11-01', CHICAGO), toMs: midnightMs('2026-12-01', CHICAGO), leases: 'acme-hosting', rate: () => 12.5e15 });
  recordTerms(config);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('meters', () => {
  it('are refused with line and column of each fault, and where readings overlap', async () => {
    const faults = (line: string): readonly string[] => {
      const parsed = parseImport(METERS_IMPORT, `${HEAD}\n${line}\n`);
      return 'problems' in parsed ? parsed.problems : [];
    };
    expect(faults('m,2026-11-01,2026-11-02,100.5')).toEqual([]);
    expect(faults(',noon,2026-11-02,-1').map((fault) => fault.split(', ')[1])).toEqual(['column meter', 'column from', 'column kwh']);
    expect(faults('m,2026-11-02,2026-11-02,1')[0]).toContain('column to, "2026-11-02", which is not after from');
    const path = join(folder, 'overlap.csv');
    writeFileSync(path, `${HEAD}\nx,2026-11-01,2026-11-03,1\nx,2026-11-02,2026-11-04,1\n`);
    expect(await run(['meters', 'import', path, '--config', file], LATER)).toMatchObject({ code: 1, err: expect.stringContaining('overlaps with line 2: the energy would be paid twice') });
  });

  it('are paid by the day, and named where they are missing; the statement is verified', async () => {
    const path = join(folder, 'readings.csv');
    writeFileSync(path, `${HEAD}\nfeeder,2026-11-01T05:00Z,2026-11-02T06:00Z,2500\nfeeder,2026-11-02T06:00Z,2026-11-04T06:00Z,4801\nother,2026-11-02,2026-11-03,9\n`);
    expect(await run(['meters', 'import', path, '--config', file], LATER)).toMatchObject({ code: 0, out: '3 rows imported, 0 known already.\n' });
    expect((await run(['meters', '--config', file])).out).toMatch(/feeder +2026-11-01T05:00 +2026-11-02T06:00 +2500/);
    const out = join(folder, 'november.json');
    expect((await run(['statement', 'issue', '--config', file, '--lease', 'acme-hosting', '--period', '2026-11', '--out', out], LATER)).err).toBe('');
    const { statement } = JSON.parse(readFileSync(out, 'utf8')) as { statement: StatementDraft };
    expect(statement.lines.slice(0, 4).map(({ quantity, unit, amount }) => [quantity, unit, amount])).toEqual([['2500.000000', 'kWh', '162.50'], ['2400.500000', 'kWh', '156.03'], ['2400.500000', 'kWh', '156.03'], ['0.000000', 'kWh', '0.00']]);
    expect(statement.readings).toHaveLength(2);
    expect(statement.completeness.join(' ')).toContain('No readings of meter feeder were imported for 648.00 hours of the period');
    expect(await run(['verify', out, '--data', join(folder, 'data')])).toMatchObject({ code: 0 });
  });

  it('lose no energy between days, whatever readings and zones', () => {
    const reading = fc.tuple(fc.nat(200), fc.integer({ min: 1, max: 90 }), fc.nat(99_999)).map(([after, minutes, kwh]) => ({ after, minutes, kwh: `${kwh}.125` }));
    fc.assert(fc.property(fc.array(reading, { minLength: 1, maxLength: 8 }), fc.constantFrom('UTC', CHICAGO, 'Australia/Lord_Howe'), (drawn, zone) => {
      const startMs = Date.parse('2026-10-31T00:00Z');
      const readings = drawn.map(({ after, minutes, kwh }) => ({ meter: 'm', fromMs: startMs + after * 600_000, toMs: startMs + after * 600_000 + minutes * 1_234_567, kwh }));
      const days = localDays(startMs, startMs + 10 * 86_400_000, zone);
      expect(total(days.flatMap((day) => [...energyOf(day, readings).values()]))).toEqual(total(drawn.map(({ kwh }) => decimal(kwh))));
    }));
  });
});
