/**
 * JSON-RPC envelopes as Stratum uses them: `{"id":…,"result":…,"error":null|[code,text,null]}`, one line each.
 * The id of a request is echoed unchanged; notifications carry `"id":null`, which some firmware insists on.
 */

/** A request's id as the peer chose it. Not unique: some clients send the same id with every submit. */
export type Id = number | bigint | string | null;

/** The id of a message parsed from `line`; anything that is neither a finite number nor a string counts as null. */
export function readId(value: unknown, line: string): Id {
  if (typeof value === 'string') return value;
  if (typeof value !== 'number' || !Number.isFinite(value)) return null;
  return Number.isInteger(value) && !Number.isSafeInteger(value) ? wholeId(value, line) : value;
}

/** An integer beyond 2^53 with all its digits, which the parser has rounded. */
function wholeId(value: number, line: string): number | bigint {
  const written = /"id"\s*:\s*(-?\d+)\s*[,}]/.exec(line)?.[1];
  return written !== undefined && Number(written) === value ? BigInt(written) : value;
}

/** JSON text of what a peer sent. The parser takes a nest of any depth; the serialiser recurses, and would end the process at some thousands. */
export function jsonText(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch {
    return '(nested too deep to be shown)';
  }
}

/** The id as JSON text. */
export function idText(id: Id): string {
  return typeof id === 'number' || typeof id === 'bigint' ? String(id) : JSON.stringify(id);
}

/** A positive answer with any JSON-able result, as a full line. */
export function formatResult(id: Id, result: unknown): string {
  return `{"id":${idText(id)},"result":${JSON.stringify(result)},"error":null}\n`;
}

/** `result: true`, the most frequent line of all, without a serialiser. */
export function formatTrue(id: Id): string {
  return `{"id":${idText(id)},"result":true,"error":null}\n`;
}

/** A negative answer `[code, text, null]`, as a full line. */
export function formatError(id: Id, code: number, text: string): string {
  return `{"id":${idText(id)},"result":null,"error":[${code},${JSON.stringify(text)},null]}\n`;
}

/** A request of our own, as a full line. Some clients find methods by prefix, so names are exact and lower case. */
export function formatRequest(id: number, method: string, params: readonly unknown[]): string {
  return `{"id":${id},"method":${JSON.stringify(method)},"params":${JSON.stringify(params)}}\n`;
}
