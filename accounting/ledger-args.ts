/** Moments and ranges of time as people write them. */
import { LEDGER_KEYS, LEDGER_STEPS, STEP_MINUTES, type LedgerKey, type LedgerQuery, type LedgerStep } from './ledger.ts';
import { MINUTE_MS } from './rows.ts';

const ISO = /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:\d{2})?)?$/;

/**
 * ISO 8601 ("2026-03-01", "2026-03-01T12:00", "…T12:00:00+02:00"; UTC unless it says otherwise), or seconds (up to 11
 * digits) or milliseconds since 1970. Undefined when it is neither.
 */
export function parseMoment(text: string): number | undefined {
  if (/^\d{1,11}$/.test(text)) return Number(text) * 1000;
  if (/^\d{12,15}$/.test(text)) return Number(text);
  if (!ISO.test(text)) return undefined;
  const zoned = /[T ]/.test(text) && !/(?:Z|[+-]\d{2}:\d{2})$/.test(text) ? `${text}Z` : text;
  const ms = Date.parse(zoned.replace(' ', 'T'));
  return Number.isNaN(ms) ? undefined : ms;
}

export interface LedgerArguments {
  readonly by?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly step?: string | undefined;
}

/** The query that a command line asks for. Left out: by site, the last 24 hours, per hour. */
export function parseLedgerQuery(args: LedgerArguments, nowMs: number): LedgerQuery | { readonly refused: string } {
  const by = args.by ?? 'site';
  const step = args.step ?? '1h';
  if (!isKey(by)) return { refused: `--by ${by}: must be one of ${LEDGER_KEYS.join(', ')}` };
  if (!isStep(step)) return { refused: `--step ${step}: must be one of ${LEDGER_STEPS.join(', ')}` };
  const toMs = args.to === undefined ? nowMs : parseMoment(args.to);
  if (toMs === undefined) return { refused: unreadable('--to', args.to) };
  const defaultMs = toMs - 24 * 60 * MINUTE_MS;
  const fromMs = args.from === undefined ? Math.max(0, defaultMs - (defaultMs % (STEP_MINUTES[step] * MINUTE_MS))) : parseMoment(args.from);
  if (fromMs === undefined) return { refused: unreadable('--from', args.from) };
  return { by, step, fromMs, toMs };
}

function unreadable(option: string, text: string | undefined): string {
  return `${option} ${text ?? ''}: must be a time such as 2026-03-01, 2026-03-01T12:00Z or seconds since 1970`;
}

function isKey(text: string): text is LedgerKey {
  return LEDGER_KEYS.some((key) => key === text);
}

function isStep(text: string): text is LedgerStep {
  return LEDGER_STEPS.some((step) => step === text);
}
