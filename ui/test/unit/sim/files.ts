// Files of the simulated computer: large, made of pieces of a MiB whose checksums are known, so that no byte is read.
import type { Source } from "../../../src/contract.js";
import { combine, crc64, fromBase64, toBase64 } from "../../../src/crc64.js";

export const MIB = 1 << 20;

/** Kinds of pieces; a file is a row of them. */
const KINDS = 5;

const known = new Map<string, bigint>();

/** The checksum of the beginning of a piece. */
function piece(kind: number, length: number): bigint {
  const name = `${kind} ${length}`;
  let crc = known.get(name);
  if (crc === undefined) known.set(name, (crc = crc64(new Uint8Array(length).fill(kind + 1))));
  return crc;
}

export type Fate = "there" | "vanished" | "changed";

export class SimFile implements Source {
  type = "";
  modified = 1;
  again = false;
  onSlice: (slice: SimSlice) => void = () => {};
  #fate: { is: Fate } = { is: "there" };

  constructor(
    readonly name: string,
    readonly path: string,
    readonly size: number,
    readonly content: number,
  ) {}

  slice(start: number, end: number): Blob {
    const slice = new SimSlice(this, start, end);
    this.onSlice(slice);
    return slice as unknown as Blob;
  }

  get fate(): Fate {
    return this.#fate.is;
  }

  set fate(fate: Fate) {
    this.#fate.is = fate;
  }

  /** The same file as another page has it. */
  opened(): SimFile {
    const other = new SimFile(this.name, this.path, this.size, this.content);
    other.#fate = this.#fate;
    return other;
  }

  /** Its checksum, base64. */
  get whole(): string {
    return new SimSlice(this, 0, this.size).crc;
  }
}

export class SimSlice {
  constructor(
    readonly file: SimFile,
    readonly start: number,
    readonly end: number,
  ) {}

  get size(): number {
    return this.end - this.start;
  }

  /** Base64. Slices begin where a piece does. */
  get crc(): string {
    const name = `${this.file.content} ${this.start} ${this.end}`;
    let crc = known.get(name);
    if (crc === undefined) {
      crc = 0n;
      for (let at = this.start; at < this.end; at += MIB) {
        const length = Math.min(MIB, this.end - at);
        const next = piece((this.file.content * 7 + (at / MIB) * (this.file.content + 1)) % KINDS, length);
        crc = at === this.start ? next : combine(crc, next, length);
      }
      known.set(name, crc);
    }
    return toBase64(crc);
  }
}

/** Checksums of pieces one after the other, as the store joins those of parts. */
export function joined(parts: { crc64nvme: string; size: number }[]): string {
  const [first, ...others] = parts;
  if (!first) return "";
  const begin = fromBase64(first.crc64nvme);
  return toBase64(others.reduce((crc, part) => combine(crc, fromBase64(part.crc64nvme), part.size), begin));
}
