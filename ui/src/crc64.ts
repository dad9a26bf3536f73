// CRC-64/NVME in plain TypeScript: the fallback where WebAssembly is not to be had, the known answers of the tests, and
// the joining of checksums by length. Parameters: NVM Express base specification, "64-bit CRC"; reflected polynomial
// 0x9a6c9329ac4bc9b5, initial value and final xor all ones. Check value of "123456789": 0xae8b14860a799888.

/** The reflected polynomial, in the 16 hex digits hash-wasm asks for. */
export const POLYNOMIAL = "9a6c9329ac4bc9b5";

const HIGH = 0x9a6c9329 | 0;
const LOW = 0xac4bc9b5 | 0;

/** Eight tables of 256 entries, high and low halves apart: 32-bit arithmetic is what engines are fast at. */
const highs = new Int32Array(8 * 256);
const lows = new Int32Array(8 * 256);
for (let byte = 0; byte < 256; byte++) {
  let high = 0;
  let low = byte;
  for (let bit = 0; bit < 8; bit++) {
    const odd = low & 1;
    low = (low >>> 1) | (high << 31);
    high = high >>> 1;
    if (odd) {
      high ^= HIGH;
      low ^= LOW;
    }
  }
  highs[byte] = high;
  lows[byte] = low;
}
for (let slice = 1; slice < 8; slice++) {
  for (let byte = 0; byte < 256; byte++) {
    const before = (slice - 1) * 256 + byte;
    const high = highs[before]!;
    const low = lows[before]!;
    const index = low & 0xff;
    lows[slice * 256 + byte] = ((low >>> 8) | (high << 24)) ^ lows[index]!;
    highs[slice * 256 + byte] = (high >>> 8) ^ highs[index]!;
  }
}

/** A checksum that grows with each update. */
export class Crc64 {
  #high = -1;
  #low = -1;

  update(bytes: Uint8Array): this {
    let high = this.#high;
    let low = this.#low;
    let at = 0;
    for (const last = bytes.length - 8; at <= last; at += 8) {
      const a = low ^ (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24));
      const b = high ^ (bytes[at + 4]! | (bytes[at + 5]! << 8) | (bytes[at + 6]! << 16) | (bytes[at + 7]! << 24));
      const i0 = 1792 + (a & 0xff);
      const i1 = 1536 + ((a >>> 8) & 0xff);
      const i2 = 1280 + ((a >>> 16) & 0xff);
      const i3 = 1024 + (a >>> 24);
      const i4 = 768 + (b & 0xff);
      const i5 = 512 + ((b >>> 8) & 0xff);
      const i6 = 256 + ((b >>> 16) & 0xff);
      const i7 = b >>> 24;
      low = lows[i0]! ^ lows[i1]! ^ lows[i2]! ^ lows[i3]! ^ lows[i4]! ^ lows[i5]! ^ lows[i6]! ^ lows[i7]!;
      high = highs[i0]! ^ highs[i1]! ^ highs[i2]! ^ highs[i3]! ^ highs[i4]! ^ highs[i5]! ^ highs[i6]! ^ highs[i7]!;
    }
    for (; at < bytes.length; at++) {
      const index = (low ^ bytes[at]!) & 0xff;
      low = ((low >>> 8) | (high << 24)) ^ lows[index]!;
      high = (high >>> 8) ^ highs[index]!;
    }
    this.#high = high;
    this.#low = low;
    return this;
  }

  /** The checksum so far. */
  value(): bigint {
    return (BigInt(~this.#high >>> 0) << 32n) | BigInt(~this.#low >>> 0);
  }
}

/** The checksum of the bytes. */
export function crc64(bytes: Uint8Array): bigint {
  return new Crc64().update(bytes).value();
}

/** Base64 of the eight bytes, big endian: the form of the header x-amz-checksum-crc64nvme. */
export function toBase64(crc: bigint): string {
  let bytes = "";
  for (let shift = 56n; shift >= 0n; shift -= 8n) bytes += String.fromCharCode(Number((crc >> shift) & 0xffn));
  return btoa(bytes);
}

/** What toBase64 made into text. */
export function fromBase64(text: string): bigint {
  return [...atob(text)].reduce((crc, byte) => (crc << 8n) | BigInt(byte.charCodeAt(0)), 0n);
}

/**
 * The checksum of two pieces together, from the checksum of each and the length of the second in bytes (the method of
 * zlib's crc32_combine: advance the first by as many zero bytes as the second is long, in log time).
 */
export function combine(first: bigint, second: bigint, secondLength: number): bigint {
  return times(zeros(secondLength), first) ^ second;
}

/** Matrices by length, of the last few: the parts of a file are equally long, and making one takes milliseconds. */
const remembered = new Map<number, bigint[]>();
const REMEMBERED_AT_MOST = 16;

/** The matrix that advances a checksum by so many zero bytes. */
function zeros(length: number): bigint[] {
  const known = remembered.get(length);
  if (known) return known;
  let step: bigint[] = [BigInt("0x" + POLYNOMIAL)];
  for (let bit = 1; bit < 64; bit++) step.push(1n << BigInt(bit - 1));
  step = square(square(square(step))); // one bit → eight: one byte of zeros
  let matrix = Array.from({ length: 64 }, (_, bit) => 1n << BigInt(bit));
  for (let rest = BigInt(length); rest > 0n; rest >>= 1n) {
    if (rest & 1n) matrix = matrix.map((column) => times(step, column));
    step = square(step);
  }
  if (remembered.size >= REMEMBERED_AT_MOST) remembered.clear();
  remembered.set(length, matrix);
  return matrix;
}

function times(matrix: bigint[], vector: bigint): bigint {
  let sum = 0n;
  for (let i = 0; vector > 0n; i++, vector >>= 1n) if (vector & 1n) sum ^= matrix[i]!;
  return sum;
}

function square(matrix: bigint[]): bigint[] {
  return matrix.map((column) => times(matrix, column));
}
