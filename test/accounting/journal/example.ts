/** The small segment that docs/journal.md prints in full. */
import { ByteWriter } from '../../../accounting/journal/bytes.ts';
import { encodeFact } from '../../../accounting/journal/encode.ts';
import { beginRecord, endRecord, MAGIC, segmentSalt, stampRecords, writeDurable, writeHeader } from '../../../accounting/journal/format.ts';
import type { ShareFact } from '../../../proxy/session/facts.ts';

export const EXAMPLE_NAME = '1700000000000-0f0f0f0f-000001';

export const EXAMPLE_SHARE: ShareFact = {
  type: 'share',
  share: 300,
  bind: 3,
  job: 2,
  exponent: -1,
  verdict: 'stale',
  forwarding: 'forwarded',
  block: true,
  extranonce2: Uint8Array.of(0xde, 0xad, 0xbe, 0xef),
  ntime: 0x65000001,
  nonce: 0x01020304,
  version: 0x20000000,
  atMs: 1_700_000_000_123,
};

/** Header, one share, a marker that covers both. */
export function exampleSegment(): Buffer {
  const file = new ByteWriter();
  file.reserve(MAGIC.length);
  MAGIC.copy(file.bytes);
  file.length = MAGIC.length;
  const process = '0f0f0f0f-0000-4000-8000-000000000000';
  writeHeader({ segment: EXAMPLE_NAME, process, host: 'h', sequence: 1, pid: 7, pidStart: '', createdMs: 1_700_000_000_000 }, file);
  const start = beginRecord(file);
  encodeFact(EXAMPLE_SHARE, file);
  endRecord(file, start);
  writeDurable(file.length, file);
  stampRecords(file.bytes, MAGIC.length, file.length, MAGIC.length, segmentSalt(EXAMPLE_NAME));
  return Buffer.from(file.bytes.subarray(0, file.length));
}
