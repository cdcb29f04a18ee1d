/** Little-endian reading and writing of the journal's primitive types, on buffers that grow and are reused. */

const FIRST_BYTES = 64 * 1024;

/** An append-only byte buffer. `bytes.subarray(0, length)` is what was written; `bytes` is replaced when it grows. */
export class ByteWriter {
  bytes: Buffer;
  length = 0;

  constructor(capacityBytes: number = FIRST_BYTES) {
    this.bytes = Buffer.allocUnsafe(capacityBytes);
  }

  /** Makes room for `count` more bytes. */
  reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, this.bytes.length * 2));
    this.bytes.copy(larger, 0, 0, this.length);
    this.bytes = larger;
  }

  u8(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  u32(value: number): void {
    this.reserve(4);
    const { bytes, length } = this;
    bytes[length] = value;
    bytes[length + 1] = value >>> 8;
    bytes[length + 2] = value >>> 16;
    bytes[length + 3] = value >>> 24;
    this.length = length + 4;
  }

  /** 6 bytes: enough for milliseconds until the year 10889 and for any file offset. */
  u48(value: number): void {
    if (!(Number.isInteger(value) && value >= 0 && value < 2 ** 48)) {
      throw new RangeError(`${value} is not an integer of 48 bits: the journal keeps times and offsets as whole numbers`);
    }
    this.u32(value % 2 ** 32);
    this.reserve(2);
    const high = Math.floor(value / 2 ** 32);
    this.bytes[this.length] = high;
    this.bytes[this.length + 1] = high >>> 8;
    this.length += 2;
  }

  /** Unsigned LEB128, up to 2^53 - 1. */
  varuint(value: number): void {
    if (!(Number.isSafeInteger(value) && value >= 0)) {
      throw new RangeError(`${value} is not a whole number from 0 to 2^53 - 1: the journal keeps counts and numbers as such`);
    }
    this.reserve(8);
    let rest = value;
    while (rest >= 0x80) {
      this.bytes[this.length++] = (rest % 0x80) | 0x80;
      rest = rest < 2 ** 31 ? rest >>> 7 : Math.floor(rest / 0x80);
    }
    this.bytes[this.length++] = rest;
  }

  /** Unsigned LEB128 of any size. */
  varuintBig(value: bigint): void {
    if (value < 0n) throw new RangeError(`${value} is negative: the journal keeps amounts as unsigned integers`);
    let rest = value;
    while (rest >= 0x80n) {
      this.u8(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    this.u8(Number(rest));
  }

  /** Byte length as varuint, then the bytes. */
  block(value: Uint8Array): void {
    this.varuint(value.length);
    this.reserve(value.length);
    const { bytes, length } = this;
    if (value.length <= 16) for (let i = 0; i < value.length; i++) bytes[length + i] = value[i] ?? 0;
    else bytes.set(value, length);
    this.length = length + value.length;
  }

  /** UTF-8, as a block. A lone surrogate has no UTF-8 form and becomes U+FFFD. */
  text(value: string): void {
    const size = Buffer.byteLength(value, 'utf8');
    this.varuint(size);
    this.reserve(size);
    this.length += this.bytes.write(value, this.length, 'utf8');
  }
}

/** Reads what `ByteWriter` wrote; throws RangeError when the bytes end too early or a value is out of bounds. */
export class ByteReader {
  private readonly bytes: Uint8Array;
  position: number;

  constructor(bytes: Uint8Array, position = 0) {
    this.bytes = bytes;
    this.position = position;
  }

  get left(): number {
    return this.bytes.length - this.position;
  }

  u8(): number {
    const value = this.bytes[this.position];
    if (value === undefined) throw new RangeError(`the record ends at byte ${this.position}, where one more was expected`);
    this.position += 1;
    return value;
  }

  u32(): number {
    return (this.u8() | (this.u8() << 8) | (this.u8() << 16) | (this.u8() << 24)) >>> 0;
  }

  u48(): number {
    const low = this.u32();
    return low + (this.u8() | (this.u8() << 8)) * 2 ** 32;
  }

  varuint(): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < 8; count++) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (!Number.isSafeInteger(value)) break;
        return value;
      }
      scale *= 0x80;
    }
    throw new RangeError(`the number that ends at byte ${this.position} exceeds 2^53 - 1`);
  }

  varuintBig(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 1024n; shift += 7n) {
      const byte = this.u8();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError(`the number that ends at byte ${this.position} exceeds 1024 bits`);
  }

  /** A copy, so that a fact that is kept does not hold the file's buffer. */
  block(): Uint8Array {
    const view = this.view();
    const copy = new Uint8Array(view.length);
    copy.set(view);
    return copy;
  }

  text(): string {
    const view = this.view();
    return Buffer.from(view.buffer, view.byteOffset, view.length).toString('utf8');
  }

  private view(): Uint8Array {
    const size = this.varuint();
    if (size > this.left) throw new RangeError(`a block of ${size} bytes at byte ${this.position} exceeds its record`);
    this.position += size;
    return this.bytes.subarray(this.position - size, this.position);
  }
}
