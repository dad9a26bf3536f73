// The checksum worker: reads a slice of a file as a stream, never whole, and answers its CRC-64/NVME.
import { fastest } from "./hasher.js";
import { Pieces } from "./pieces.js";

export interface Question {
  id: number;
  blob: Blob;
}

/** error is the name of what was thrown: it tells whether the file has changed or is gone. alive: it is being read. */
export type Answer = { id: number; crc: string } | { id: number; error: string } | { id: number; alive: true };

/** Milliseconds between two signs of life. */
const SIGN = 2_000;

const hasher = fastest();
const pieces = new Pieces();
let turn: Promise<unknown> = Promise.resolve();

async function checksum({ id, blob }: Question): Promise<string> {
  const crc = await hasher;
  crc.init();
  let told = performance.now();
  await pieces.each(blob, (bytes) => {
    crc.update(bytes);
    if (performance.now() - told < SIGN) return;
    told = performance.now();
    self.postMessage({ id, alive: true } satisfies Answer);
  });
  return crc.base64();
}

/** The streams of Chromium do not say why a blob cannot be read; another way of reading it does. */
async function nameOf(error: unknown, blob: Blob): Promise<string> {
  const name = (error as Error | undefined)?.name ?? "Error";
  if (name === "NotReadableError" || name === "NotFoundError") return name;
  return await blob
    .slice(0, 1)
    .arrayBuffer()
    .then(
      () => name,
      (told: Error) => told.name,
    );
}

self.onmessage = (event: MessageEvent<Question>) => {
  const { id } = event.data;
  turn = turn.then(async () => {
    try {
      self.postMessage({ id, crc: await checksum(event.data) } satisfies Answer);
    } catch (error) {
      self.postMessage({ id, error: await nameOf(error, event.data.blob) } satisfies Answer);
    }
  });
};
