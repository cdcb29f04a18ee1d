/**
 * Server → machine or proxy: {"id":null,"method":"mining.set_difficulty","params":[65536]}
 * It applies from the next notify on. Downstream it is always an exact power of two, written without an exponent because
 * firmware parsers are simple. Upstream the digits are kept as received: credited work is counted per text.
 */

export interface SetDifficultyMessage {
  readonly kind: 'set-difficulty';
  /** Decimal text, its digits exactly as received. */
  readonly difficulty: string;
}

/** Digits, fraction, exponent. The bounds keep exact arithmetic on the text cheap; real difficulties are far inside. */
export const DIFFICULTY_TEXT = /^(\d{1,40})(?:\.(\d{1,60}))?(?:[eE]([+-]?\d{1,2}))?$/;
const RAW_PARAM = /"params"\s*:\s*(?:\[\s*)?(-?\d[\d.eE+-]*)/;

/** Whether a decimal text is a difficulty: positive and of sane length. */
function isDifficulty(text: string): boolean {
  return DIFFICULTY_TEXT.test(text) && /[1-9]/.test(text.replace(/[eE].*$/, ''));
}

/** 2^exponent in full decimal digits. */
function powerOfTwoText(exponent: number): string {
  if (exponent >= 0) return (1n << BigInt(exponent)).toString();
  // 2^-n = 5^n / 10^n, so the digits after the point are those of 5^n.
  return `0.${(5n ** BigInt(-exponent)).toString().padStart(-exponent, '0')}`;
}

/** The line sent to a machine for difficulty 2^exponent. */
export function formatSetDifficulty(exponent: number): string {
  return `{"id":null,"method":"mining.set_difficulty","params":[${powerOfTwoText(exponent)}]}\n`;
}

/** Reads a pool's params, given the raw line for its digits; a string is the reason why they cannot be read. */
export function parseSetDifficulty(params: readonly unknown[], line: string): SetDifficultyMessage | string {
  const value = params[0];
  let text: string | undefined;
  if (typeof value === 'string') text = value.trim();
  if (typeof value === 'number') {
    const raw = RAW_PARAM.exec(line)?.[1];
    text = raw !== undefined && Number(raw) === value ? raw : String(value);
  }
  if (text === undefined || !isDifficulty(text)) return 'mining.set_difficulty without a positive number';
  return { kind: 'set-difficulty', difficulty: text };
}
