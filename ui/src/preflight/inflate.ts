// The beginning of a Deflate stream (RFC 1951), or of a Deflate64 one (PKWARE's method 9). The browser's own
// DecompressionStream gives nothing reliably of a stream that is cut off, and cut off is what a bounded look has. It
// inflates into one array of at most `most` bytes, so it needs no window, and what a damaged stream gave before the
// damage is kept.

const LENGTHS = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
];
const LENGTH_BITS = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const LONGEST = 15; // bits of a code

/** Codes by length: how many there are of each, and the symbols in order (the way of zlib's puff.c). */
interface Code {
  counts: Uint16Array;
  symbols: Uint16Array;
}

function codeOf(lengths: Uint8Array): Code {
  const counts = new Uint16Array(LONGEST + 1);
  for (const length of lengths) counts[length]!++;
  counts[0] = 0;
  const next = new Uint16Array(LONGEST + 2);
  for (let bits = 1; bits <= LONGEST; bits++) next[bits + 1] = next[bits]! + counts[bits]!;
  const symbols = new Uint16Array(lengths.length);
  lengths.forEach((length, symbol) => {
    if (length > 0) symbols[next[length]!++] = symbol;
  });
  return { counts, symbols };
}

const fixedLengths = codeOf(Uint8Array.from({ length: 288 }, (_, i) => (i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8)));
const fixedDistances = codeOf(new Uint8Array(32).fill(5));

export interface Inflated {
  bytes: Uint8Array;
  starved: boolean; // the input ended first: more of it may give more
  damaged: boolean;
}

class Starved extends Error {}
class Damaged extends Error {}

class Inflater {
  readonly out: Uint8Array;
  length = 0;
  #at = 0;
  #bits = 0;
  #have = 0;

  constructor(
    private readonly input: Uint8Array,
    most: number,
    private readonly wide: boolean,
  ) {
    this.out = new Uint8Array(most);
  }

  get full(): boolean {
    return this.length >= this.out.length;
  }

  #take(count: number): number {
    while (this.#have < count) {
      if (this.#at >= this.input.length) throw new Starved();
      this.#bits |= this.input[this.#at++]! << this.#have;
      this.#have += 8;
    }
    const value = this.#bits & ((1 << count) - 1);
    this.#bits >>>= count;
    this.#have -= count;
    return value;
  }

  #symbol({ counts, symbols }: Code): number {
    let [code, first, index] = [0, 0, 0];
    for (let bits = 1; bits <= LONGEST; bits++) {
      code |= this.#take(1);
      const count = counts[bits]!;
      if (code - count < first) return symbols[index + code - first]!;
      index += count;
      first = (first + count) << 1;
      code <<= 1;
    }
    throw new Damaged();
  }

  run(): void {
    for (let last = 0; last === 0 && !this.full;) {
      last = this.#take(1);
      const kind = this.#take(2);
      if (kind === 0) this.#stored();
      else if (kind === 1) this.#block(fixedLengths, fixedDistances);
      else if (kind === 2) this.#block(...this.#codes());
      else throw new Damaged();
    }
  }

  #stored(): void {
    this.#bits = this.#have = 0;
    if (this.#at + 4 > this.input.length) throw new Starved();
    const [a, b, c, d] = this.input.subarray(this.#at, this.#at + 4) as unknown as [number, number, number, number];
    const length = a | (b << 8);
    if (length !== (~(c | (d << 8)) & 0xffff)) throw new Damaged();
    this.#at += 4;
    const some = this.input.subarray(this.#at, this.#at + Math.min(length, this.out.length - this.length));
    this.out.set(some, this.length);
    this.length += some.length;
    this.#at += some.length;
    if (some.length < length && !this.full) throw new Starved();
  }

  #codes(): [Code, Code] {
    const [literals, distances, count] = [this.#take(5) + 257, this.#take(5) + 1, this.#take(4) + 4];
    const lengths = new Uint8Array(19);
    for (let i = 0; i < count; i++) lengths[ORDER[i]!] = this.#take(3);
    const code = codeOf(lengths);
    const all = new Uint8Array(literals + distances);
    for (let i = 0; i < all.length;) {
      const symbol = this.#symbol(code);
      if (symbol < 16) {
        all[i++] = symbol;
        continue;
      }
      if (symbol === 16 && i === 0) throw new Damaged();
      const value = symbol === 16 ? all[i - 1]! : 0;
      const times = symbol === 16 ? 3 + this.#take(2) : symbol === 17 ? 3 + this.#take(3) : 11 + this.#take(7);
      if (i + times > all.length) throw new Damaged();
      all.fill(value, i, i + times);
      i += times;
    }
    return [codeOf(all.subarray(0, literals)), codeOf(all.subarray(literals))];
  }

  #block(lengths: Code, distances: Code): void {
    while (!this.full) {
      const symbol = this.#symbol(lengths);
      if (symbol < 256) {
        this.out[this.length++] = symbol;
        continue;
      }
      if (symbol === 256) return;
      let length: number;
      if (this.wide && symbol === 285) {
        length = 3 + this.#take(16);
      } else {
        const i = symbol - 257;
        if (i >= LENGTHS.length) throw new Damaged();
        length = LENGTHS[i]! + this.#take(LENGTH_BITS[i]!);
      }
      const distance = this.#distance(this.#symbol(distances));
      if (distance > this.length) throw new Damaged();
      const end = Math.min(this.length + length, this.out.length);
      for (let at = this.length; at < end; at++) this.out[at] = this.out[at - distance]!;
      this.length = end;
    }
  }

  #distance(symbol: number): number {
    if (symbol >= (this.wide ? 32 : 30)) throw new Damaged();
    if (symbol < 4) return symbol + 1;
    const bits = (symbol >> 1) - 1;
    return ((2 + (symbol & 1)) << bits) + 1 + this.#take(bits);
  }
}

/** Inflates up to `most` bytes of input; wide is Deflate64. Never throws. */
export function inflate(input: Uint8Array, most: number, wide = false): Inflated {
  const inflater = new Inflater(input, most, wide);
  const result = { starved: false, damaged: false };
  try {
    inflater.run();
  } catch (error) {
    if (error instanceof Starved) result.starved = true;
    else result.damaged = true;
  }
  return { bytes: inflater.out.subarray(0, inflater.length), ...result };
}
