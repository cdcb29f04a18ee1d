/** Reject codes: what we tell a machine, and what the many dialects of pools mean by theirs. */

/** Classic codes with ckpool's texts, which the most touchy firmware families are known to work with. */
const REJECT_REPLIES = {
  stale: { code: 21, text: 'Stale' },
  'unknown-job': { code: 21, text: 'Invalid JobID' },
  duplicate: { code: 22, text: 'Duplicate' },
  'low-difficulty': { code: 23, text: 'Above target' },
  unauthorised: { code: 24, text: 'Unauthorized worker' },
  'bad-time': { code: 20, text: 'Ntime out of range' },
  'bad-version': { code: 20, text: 'Invalid version mask' },
  malformed: { code: 20, text: 'Invalid submit' },
  other: { code: 20, text: 'Other' },
} as const satisfies Record<string, { code: number; text: string }>;

/** The error of a rejected submit: code and text for `formatError`. */
export function rejectReply(verdict: keyof typeof REJECT_REPLIES): { readonly code: number; readonly text: string } {
  return REJECT_REPLIES[verdict];
}

export type PoolRejectWord =
  | 'stale'
  | 'duplicate'
  | 'low-difficulty'
  | 'bad-time'
  | 'bad-version'
  | 'unauthorised'
  | 'other';

/** Texts first, because dialects give one number different meanings (datum's 23 "bad-version", NOMP's 20 "ntime out of range"). */
const TEXT_PATTERNS: readonly (readonly [RegExp, PoolRejectWord])[] = [
  [/duplicate/i, 'duplicate'],
  [/method|no workbase|not subscribed/i, 'other'],
  [/low[ -_]?diff|above[ -_]?target|high-hash|h-not-zero|(difficulty|diff) (is )?too low/i, 'low-difficulty'],
  [/version/i, 'bad-version'],
  [/time[ -]?(is )?(out of range|too[ -](old|new)|invalid)|(invalid|bad|illegal) n?time/i, 'bad-time'],
  [/stale|\b(job|work)(_?id)?\b.*(not found|unknown|expired)|(invalid|unknown|no such|old)[ _-]?(job|work\b)/i, 'stale'],
  [/unauthori[sz]ed|not authori[sz]ed|worker mismatch|(invalid|unknown|no such)[ _-]?(user|worker)|(user|worker)(name)? (is )?(invalid|unknown|not found)/i, 'unauthorised'],
];

/** Numbers when the text does not tell: classic 20–25, btcpool's 26–37, ckpool's internal 1–7 and para's negative ones. */
const CODES: ReadonlyMap<string, PoolRejectWord> = new Map([
  ['21', 'stale'],
  ['36', 'stale'],
  ['37', 'stale'],
  ['1', 'stale'],
  ['2', 'stale'],
  ['22', 'duplicate'],
  ['4', 'duplicate'],
  ['23', 'low-difficulty'],
  ['5', 'low-difficulty'],
  ['31', 'bad-time'],
  ['32', 'bad-time'],
  ['3', 'bad-time'],
  ['33', 'bad-version'],
  ['6', 'bad-version'],
  ['24', 'unauthorised'],
  ['29', 'unauthorised'],
  ['-3', 'unauthorised'],
  ['-8', 'unauthorised'],
]);

/** A tuple printed into the text, as in `(-2, 'Stale share', None)`, or a text that is nothing but a number. */
const CODE_IN_TEXT = /^\s*\(?\s*(-?\d{1,3})\s*(?:[,)]|$)/;

/** Maps a pool's reject, code and text as received ('' when absent), to the closed set; `other` when nothing is known. */
export function poolReason(code: string, text: string): PoolRejectWord {
  for (const [pattern, word] of TEXT_PATTERNS) {
    if (pattern.test(text)) return word;
  }
  const number = code.trim() === '' ? (CODE_IN_TEXT.exec(text)?.[1] ?? '') : code.trim();
  return CODES.get(number) ?? 'other';
}
