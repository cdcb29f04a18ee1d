/** Ways to spoil a good submit, one for each verdict a pool or proxy must find. */

export const BAD_SHARES = ['low-difficulty', 'duplicate', 'unknown-job', 'bad-time', 'malformed', 'unauthorised', 'stale'] as const;
export type BadShare = (typeof BAD_SHARES)[number];

/**
 * `params` of a good submit made bad, with the header it now stands for: '' where it stands for none.
 * `previous`: the same fields under the job before the present one; where there was none, 'stale' comes out as 'unknown-job'.
 */
export function spoil(
  bad: BadShare,
  params: readonly string[],
  headerHex: string,
  previous: { readonly jobId: string; readonly headerHex: string } | undefined,
): { params: string[]; headerHex: string } {
  const [user = '', jobId = '', extranonce2 = '', ntime = '', nonce = '', ...bits] = params;
  switch (bad) {
    case 'low-difficulty': {
      // Another nonce: good only by a chance as small as the difficulty makes it.
      const other = (Number.parseInt(nonce, 16) ^ 0x80000000) >>> 0;
      const header = Buffer.from(headerHex, 'hex');
      header.writeUInt32LE(other, 76);
      return { params: [user, jobId, extranonce2, ntime, other.toString(16).padStart(8, '0'), ...bits], headerHex: header.toString('hex') };
    }
    case 'duplicate':
      return { params: [...params], headerHex };
    case 'unknown-job':
      return { params: [user, 'ffffff', extranonce2, ntime, nonce, ...bits], headerHex: '' };
    case 'bad-time': {
      const late = (Number.parseInt(ntime, 16) + 20_000) >>> 0;
      return { params: [user, jobId, extranonce2, late.toString(16).padStart(8, '0'), nonce, ...bits], headerHex: '' };
    }
    case 'malformed':
      return { params: [user, jobId, `${extranonce2}00`, ntime, nonce, ...bits], headerHex: '' };
    case 'unauthorised':
      return { params: [`${user}.nobody`, jobId, extranonce2, ntime, nonce, ...bits], headerHex: '' };
    case 'stale':
      return { params: [user, previous?.jobId ?? 'ffffff', extranonce2, ntime, nonce, ...bits], headerHex: previous?.headerHex ?? '' };
    default:
      return bad satisfies never;
  }
}
