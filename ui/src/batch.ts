// Batches: small files travel together, so that a thousand slices do not wait a thousand times for an answer.
import type { BatchFile } from "./contract.js";
import type { Upload } from "./upload.js";

/** Files of one batch at most; the server takes 256. */
export const BATCH_FILES = 200;
/** Bytes a batch aims at: enough to fill the line between two answers, little enough for several at once. */
export const BATCH_BYTES = 4 << 20;
/** And at most, on a line that takes one quickly; the server takes 32 MiB. */
const BATCH_BYTES_LAST = 16 << 20;
/** Milliseconds within which a batch that was answered was quick, and after which it was slow. */
const QUICK = 1000;
const SLOW = 4000;
/** A file of this size or more gains nothing by company. */
export const ALONE_FROM = 4 << 20;
/** Bytes below which a batch is not made smaller to give every transfer some. */
const LEAST = 256 << 10;

/** The bytes batches aim at: each request costs the page, the line and the server's disk something (decision 047). */
export class Pace {
  #bytes: number;

  constructor(
    private readonly first = BATCH_BYTES,
    private readonly last = Math.max(first, BATCH_BYTES_LAST),
  ) {
    this.#bytes = first;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Tells of a batch that was answered after so many milliseconds. */
  took(bytes: number, ms: number): void {
    if (ms > SLOW) this.#bytes = Math.max(this.first, this.#bytes / 2);
    else if (ms < QUICK && 2 * bytes >= this.#bytes) this.#bytes = Math.min(this.last, this.#bytes * 2);
  }

  /** Tells of one that did not get through: what is sent again is not to be much. */
  failed(): void {
    this.#bytes = this.first;
  }
}

/** Bytes of the next batch: what waits is spread over the transfers there are. */
export function batchBytes(waiting: number, transfers: number, most: number): number {
  return Math.min(most, Math.max(Math.min(LEAST, most), Math.ceil(waiting / Math.max(1, transfers))));
}

/** Whether a file joins others. One that failed keeps less and less company, until it is alone. */
export function joins(file: Upload, batch: Upload[], bytes: number, target: number): boolean {
  const failed = Math.max(file.trial(1).attempts, batch[0]!.trial(1).attempts);
  const most = target / 2 ** failed;
  return bytes + file.source.size <= most && file.source.size < ALONE_FROM && failed < 4;
}

/** Bytes of each file that have left, of those of the whole body in order; what parts them is small. */
export function shares(sizes: number[], sent: number): number[] {
  let before = 0;
  return sizes.map((size) => {
    const share = Math.max(0, Math.min(size, sent - before));
    before += size;
    return share;
  });
}

/** The body of a batch: multipart/mixed (RFC 2046, section 5.1.3). Blobs are named in it, not read. */
export function multipart(files: BatchFile[], boundary: string): Blob {
  const pieces: (string | Blob)[] = [];
  for (const { id, crc, body } of files) {
    pieces.push(
      `--${boundary}\r\nContent-ID: <${id}>\r\nContent-Length: ${body.size}\r\nX-Amz-Checksum-Crc64nvme: ${crc}\r\n\r\n`,
      body,
      "\r\n",
    );
  }
  return new Blob([...pieces, `--${boundary}--\r\n`]);
}
