// Resuming: the truth about an upload is the server's. What it holds is compared with the file on this computer, part by
// part; only parts of the same size and checksum are kept, so that a changed file is never spliced.
import { stopped, type Checksum, type HeldPart } from "./contract.js";
import { combine, fromBase64, toBase64 } from "./crc64.js";
import type { Upload } from "./upload.js";

/** Bytes read at once when a whole file is: others get their turn between. */
const PIECE = 16 << 20;

/** The held parts that are those of the file, with their checksums. Rejects when the upload is stopped. */
export async function same(upload: Upload, held: HeldPart[], checksum: Checksum): Promise<Map<number, string>> {
  const { signal } = upload;
  const found = new Map<number, string>();
  for (const { number, size, crc64nvme } of held) {
    if (number < 1 || number > upload.parts || size !== upload.length(number)) continue;
    const { start, end } = upload.span(number);
    const crc = await checksum(upload.source.slice(start, end));
    if (signal.aborted) throw stopped();
    if (crc === crc64nvme) found.set(number, crc);
  }
  return found;
}

/** The checksum of the whole file. Rejects when the upload is stopped. */
export async function whole({ source, signal }: Upload, checksum: Checksum): Promise<string> {
  let crc = 0n;
  for (let at = 0; at < source.size; at += PIECE) {
    if (signal.aborted) throw stopped();
    const end = Math.min(source.size, at + PIECE);
    crc = combine(crc, fromBase64(await checksum(source.slice(at, end))), end - at);
  }
  if (signal.aborted) throw stopped();
  return toBase64(crc);
}
