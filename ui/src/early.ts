// The beginning of a large file, summed while its plan is asked for. How large its parts will be only the plan tells: so it is
// read in pieces of which parts of all usual sizes are made up (docs/decisions/107-the-beginning-is-summed-while-it-is-planned.md).
import type { Checksum, Source } from "./contract.js";
import { combine, fromBase64, toBase64 } from "./crc64.js";
import type { Span } from "./upload.js";

/** Bytes from which a file is surely sent in parts, of a piece, and pieces at most: three of the largest usual parts. */
export const EARLY_FROM = 64 << 20;
const PIECE = 8 << 20;
const PIECES = 12;
/** Pieces asked for at once: whatever else is to be read comes in between. */
const AT_ONCE = 2;

/** What is known of a file's first bytes. */
export interface Head {
  size: number;
  crc: string; // base64
}

export class Early {
  readonly #pieces: Promise<bigint>[] = [];

  /** Begins to read what follows the head; goes on while it is wanted. */
  constructor(
    readonly source: Source,
    head: Head,
    checksum: Checksum,
    wanted: () => boolean,
    private readonly piece = PIECE,
    most = PIECES,
  ) {
    const read = async (start: number, end: number, after: Promise<unknown> | undefined) => {
      await after;
      if (!wanted()) throw new Error("not wanted any more");
      return fromBase64(await checksum(source.slice(start, end)));
    };
    for (let i = 0; i < Math.min(most, Math.floor(source.size / piece)); i++) {
      const start = i * piece;
      const rest = read(i === 0 ? head.size : start, start + piece, this.#pieces[i - AT_ONCE]);
      const sum = i === 0 ? rest.then((crc) => combine(fromBase64(head.crc), crc, piece - head.size)) : rest;
      sum.catch(() => {}); // whoever sends reads it again, and tells what is wrong
      this.#pieces.push(sum);
    }
  }

  /** The checksum of a part, base64; undefined when it is not made up of what is read. Rejects when that could not be read. */
  of({ start, end }: Span): Promise<string> | undefined {
    const [from, to] = [start / this.piece, end / this.piece];
    if (!Number.isInteger(from) || !Number.isInteger(to) || to > this.#pieces.length) return undefined;
    return Promise.all(this.#pieces.slice(from, to)).then((sums) =>
      toBase64(sums.reduce((sum, next) => combine(sum, next, this.piece))),
    );
  }
}
