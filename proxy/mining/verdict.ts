/** The closed sets of words for what became of a share. Order is wire format in the journal: append only. */

export const OWN_VERDICTS = [
  'accepted',
  'courtesy',
  'stale',
  'duplicate',
  'low-difficulty',
  'bad-time',
  'bad-version',
  'malformed',
  'unauthorised',
  'unknown-job',
  'other',
] as const;
/** What we found. `accepted` earns the share's credit; `courtesy` is answered true and credited 0; all others are rejects. */
export type OwnVerdict = (typeof OWN_VERDICTS)[number];
/** They come first in the list above. */
export const GOOD_VERDICTS = ['accepted', 'courtesy'] as const satisfies readonly OwnVerdict[];
export type GoodVerdict = (typeof GOOD_VERDICTS)[number];
export type RejectVerdict = Exclude<OwnVerdict, GoodVerdict>;

/** What the pool said of a share. */
export const POOL_VERDICTS = ['not-forwarded', 'accepted', 'rejected', 'unanswered'] as const;

export const POOL_REASONS = [
  'none',
  'stale',
  'duplicate',
  'low-difficulty',
  'bad-time',
  'bad-version',
  'unauthorised',
  'other',
] as const;
/** A pool's reject mapped to a closed set; the pool's own code and text are kept beside it verbatim. */
export type PoolReason = (typeof POOL_REASONS)[number];

export const FORWARDING = ['below-target', 'forwarded', 'no-link', 'capped'] as const;
/**
 * Whether a share went upstream: its hash did not meet the pool's target; it was sent; it met the target but no live
 * link could take it; or the link's cap on submits was reached.
 */
export type Forwarding = (typeof FORWARDING)[number];

export const REPLY_SOURCES = ['proxy', 'pool', 'deadline'] as const;
/** Whose verdict the machine was told: ours, the pool's, or ours because the pool did not answer in time. */
export type ReplySource = (typeof REPLY_SOURCES)[number];
