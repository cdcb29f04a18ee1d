/** Cuts a byte stream into lines before anything is decoded, so that a chunk border inside a UTF-8 character does no harm. */

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const BLANK = 0x20;
const FIRST_PENDING_BYTES = 256;

/** White space, and the zero that ends a string in C: some clients send it along with the line. */
function isFiller(byte: number): boolean {
  return byte === BLANK || byte === 0 || (byte >= 0x09 && byte <= CARRIAGE_RETURN);
}

/**
 * Splits one connection's bytes at `\n`, accepting `\r\n`, skipping empty and blank lines and byte order marks. Lines are decoded as UTF-8.
 * Holds memory only while a partial line is pending, because thousands of idle connections each have one of these.
 */
export class LineSplitter {
  readonly #lineBytesMax: number;
  #pending: Buffer | undefined;
  #pendingBytes = 0;

  /** `lineBytesMax` is the longest line taken, its line ending not counted. */
  constructor(lineBytesMax: number) {
    this.#lineBytesMax = lineBytesMax;
  }

  /** Bytes of the unfinished line. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /**
   * Takes the next chunk and calls `onLine` for each line it completes, in order.
   * Returns false when a line is longer than the limit; the caller then closes the connection and pushes no more.
   */
  push(chunk: Uint8Array, onLine: (line: string) => void): boolean {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    let from = 0;
    for (;;) {
      const end = bytes.indexOf(LINE_FEED, from);
      if (end < 0) break;
      if (!this.#emit(bytes, from, end, onLine)) return false;
      from = end + 1;
    }
    return from === bytes.length || this.#keep(bytes, from);
  }

  #emit(bytes: Buffer, from: number, end: number, onLine: (line: string) => void): boolean {
    let line = bytes;
    let lineFrom = from;
    let lineEnd = end;
    if (this.#pending !== undefined) {
      if (this.#pendingBytes + (end - from) > this.#lineBytesMax + 1) return false;
      line = Buffer.concat([this.#pending.subarray(0, this.#pendingBytes), bytes.subarray(from, end)]);
      lineFrom = 0;
      lineEnd = line.length;
      this.#pending = undefined;
      this.#pendingBytes = 0;
    }
    if (lineEnd > lineFrom && line[lineEnd - 1] === CARRIAGE_RETURN) lineEnd--;
    if (lineEnd - lineFrom > this.#lineBytesMax) return false;
    // A byte order mark: some libraries write one before the first text of a stream.
    if (line[lineFrom] === 0xef && line[lineFrom + 1] === 0xbb && line[lineFrom + 2] === 0xbf) lineFrom += 3;
    while (lineFrom < lineEnd && isFiller(line[lineFrom]!)) lineFrom++;
    while (lineEnd > lineFrom && isFiller(line[lineEnd - 1]!)) lineEnd--;
    if (lineEnd > lineFrom) onLine(line.toString('utf8', lineFrom, lineEnd));
    return true;
  }

  /** Copies the partial line: the chunk belongs to the socket's far larger read buffer, which must not be kept alive. */
  #keep(bytes: Buffer, from: number): boolean {
    const needed = this.#pendingBytes + (bytes.length - from);
    // One more than the limit may still end in the carriage return of a line ending.
    if (needed > this.#lineBytesMax + 1) return false;
    if (this.#pending === undefined || this.#pending.length < needed) {
      const grown = Buffer.allocUnsafeSlow(Math.max(FIRST_PENDING_BYTES, needed * 2));
      this.#pending?.copy(grown, 0, 0, this.#pendingBytes);
      this.#pending = grown;
    }
    bytes.copy(this.#pending, this.#pendingBytes, from);
    this.#pendingBytes = needed;
    return true;
  }
}
