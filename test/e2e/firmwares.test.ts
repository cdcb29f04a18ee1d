/** One machine of every make, and one that sends bad shares, at the whole product: what they were told is what the ledger holds. */
import { afterEach, describe, expect, it } from 'vitest';
import { realWorld } from '../../config/world.ts';
import { Fleet } from '../rig/fleet.ts';
import { FIRMWARES, type FirmwareName } from '../rig/firmware.ts';
import type { Convention, RejectFormat } from '../rig/pool-options.ts';
import { SimulatedPool } from '../rig/pool.ts';
import { powerOfTwoText } from '../rig/work.ts';
import { readJournal } from './journal-shares.ts';
import { discard, startProduct, until } from './product.ts';
import { compareFleet, comparePools } from './truth.ts';

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

const NAMES = Object.keys(FIRMWARES) as FirmwareName[];
/** 0x32ef0000 has bits inside the mask, where the three conventions differ (reference §11). */
const POOLS: readonly { readonly rejectFormat: RejectFormat; readonly convention: Convention; readonly version: number }[] = [
  { rejectFormat: 'array', convention: 'replace', version: 0x20000000 },
  { rejectFormat: 'reject-reason', convention: 'xor', version: 0x20000000 },
  { rejectFormat: 'string', convention: 'replace', version: 0x32ef0000 },
  { rejectFormat: 'object', convention: 'xor', version: 0x32ef0000 },
  { rejectFormat: 'array', convention: 'or', version: 0x32ef0000 },
];
/** Refusals by code as the reference gives them, for each kind of bad share. */
const CODES: Readonly<Record<string, number>> = { 'low-difficulty': 23, duplicate: 22, 'unknown-job': 21, 'bad-time': 20, malformed: 20, unauthorised: 24 };

describe('every make of machine', () => {
  it.each(POOLS)(
    'is told the truth at a pool that rejects by $rejectFormat and combines versions by $convention, job version $version',
    async ({ rejectFormat, convention, version }) => {
      const pool = await SimulatedPool.listen({
        world: realWorld,
        seed: 5,
        difficulty: powerOfTwoText(-22),
        rejectEvery: 10,
        rejectFormat,
        convention,
        version,
        jobIntervalMs: 700,
        blockIntervalMs: 2500,
      });
      stops.push(() => pool.stop());
      const { supervisor, port, dataDir } = await startProduct({
        yaml: `
sites: { north: { listen: [ "127.0.0.1:0" ] } }
pools: { main: { url: "${pool.url}", user: farm, convention: ${convention} } }
routes: [ { match: { worker: "acme.*" }, lessee: acme, pools: [ main ] }, { pools: [ main ] } ]
difficulty: { start: "2^-24", min: "2^-28", max: "2^-10", sharesPerMinute: 600 }
`,
      });
      stops.push(() => discard(dataDir));
      stops.push(() => supervisor.stop());
      const honest = NAMES.map((firmware) => ({ port: port('north'), user: `acme.${firmware}`, firmware, hashesPerSecond: 5000 }));
      const spoiler = { port: port('north'), user: 'other.bad', hashesPerSecond: 5000, badEvery: 1 };
      const fleet = new Fleet(realWorld, { seed: 9, members: [...honest, spoiler] });
      stops.push(() => fleet.stop());
      fleet.start();
      await until(() => fleet.machines.every((machine) => machine.replies.length >= 60));
      fleet.rest();
      await until(() => fleet.machines.every((machine) => machine.waiting === 0));
      expect(fleet.machines.map(({ disconnects }) => disconnects)).toEqual(fleet.machines.map(() => 0));
      await supervisor.stop();

      const journal = readJournal(dataDir);
      expect(compareFleet(fleet.records(), journal)).toEqual({ missing: [], unfounded: [], twice: [], otherExponent: [] });
      expect(comparePools([pool], journal)).toEqual([]);
      expect(journal.corruptRanges).toBe(0);
      expect(journal.unjournaled).toEqual([]);
      const wrongs = fleet.records().flatMap(({ replies }) => replies);
      // An honest share is refused only as stale, when a block came while it was under way. At a pool that combines by
      // "or", the one that rolls without having asked rolls bits that no header of this job can have.
      const refused = fleet
        .records()
        .filter(({ user }) => convention !== 'or' || user !== 'acme.marketplace')
        .map(({ user, replies }) => ({ user, codes: replies.filter(({ bad, code }) => bad === undefined && code !== 0 && code !== 21).map(({ code }) => code) }))
        .filter(({ codes }) => codes.length > 0);
      expect(refused).toEqual([]);
      // A spoilt share, too, may come after a block; then it is stale before it is anything else.
      for (const [kind, code] of Object.entries(CODES)) {
        const codes = wrongs.filter((reply) => reply.bad === kind && !reply.value).map((reply) => reply.code);
        expect(codes).toContain(code);
        expect(codes.filter((other) => other !== code && other !== 21)).toEqual([]);
      }
      const rejectedUpstream = journal.shares.filter(({ poolVerdict }) => poolVerdict?.verdict === 'rejected');
      expect(rejectedUpstream.length).toBeGreaterThan(0);
      expect(new Set(rejectedUpstream.map(({ poolVerdict }) => poolVerdict?.text))).toEqual(new Set(['Stale']));
    },
    60_000,
  );
});
