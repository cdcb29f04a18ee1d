/** The type bytes of facts and the flags within records. The order of the list is wire format: append only. */
import type { Fact } from '../../proxy/session/facts.ts';

/** Type bytes of facts begin here; smaller ones belong to the segment itself. */
export const FIRST_FACT_TYPE = 16;
/** Set in the type byte of a fact that is repeated at the head of a segment. */
export const LIVE_FLAG = 0x80;

export const FACT_TYPES = [
  'link',
  'link-end',
  'job',
  'refresh',
  'session',
  'bind',
  'difficulty',
  'session-end',
  'share',
  'rejects',
  'pool-verdict',
  'unjournaled',
  'pulse',
  'block',
  'document',
  'lease-terms',
  'lease-event',
] as const satisfies readonly Fact['type'][];

export type FactType = Fact['type'];

/** In a share's forwarding byte: it meets the network target. */
export const BLOCK_FLAG = 0x80;
/** In a job's flag byte. */
export const CLEAN_FLAG = 1;
