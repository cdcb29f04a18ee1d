/** A job as a pool sent it on a link, with what the link had in force for it. */

/** All integers are unsigned 32 bit. */
export interface Job {
  /** 32 bytes in header order (the wire form with the bytes of each 4-byte word reversed). */
  readonly prevhash: Uint8Array;
  /** Everything of the coinbase before the session's prefix: pool's coinb1 ‖ link's extranonce1 ‖ zero padding. */
  readonly coinb1: Uint8Array;
  /** Everything of the coinbase after extranonce2. */
  readonly coinb2: Uint8Array;
  /** n × 32 bytes, internal order, not swapped. */
  readonly branches: Uint8Array;
  readonly version: number;
  readonly nBits: number;
  /** The earliest ntime a share may carry: the pool's, or the advanced one of a refreshed job. */
  readonly ntime: number;
  /** Version bits the link grants for this job; 0 when it grants none. */
  readonly versionMask: number;
}
