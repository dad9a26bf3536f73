// The checksum worker: reads a slice of a file as a stream, never whole, and answers its CRC-64/NVME. hash-wasm does it
// at several hundred MB/s; where WebAssembly is refused, the plain implementation does the same more slowly.
import { createCRC64 } from "hash-wasm";
import { Crc64, POLYNOMIAL, toBase64 } from "./crc64.js";

export interface Question {
  id: number;
  blob: Blob;
}

/** error is the name of what was thrown: it tells whether the file has changed or is gone. */
export type Answer = { id: number; crc: string } | { id: number; error: string };

interface Hasher {
  init(): unknown;
  update(bytes: Uint8Array): unknown;
  base64(): string;
}

function plain(): Hasher {
  let crc = new Crc64();
  return {
    init: () => (crc = new Crc64()),
    update: (bytes) => crc.update(bytes),
    base64: () => toBase64(crc.value()),
  };
}

async function fastest(): Promise<Hasher> {
  try {
    const wasm = await createCRC64(POLYNOMIAL);
    return {
      init: () => wasm.init(),
      update: (bytes) => wasm.update(bytes),
      base64: () => toBase64(BigInt("0x" + wasm.digest("hex"))),
    };
  } catch {
    return plain();
  }
}

const hasher = fastest();
let turn: Promise<unknown> = Promise.resolve();

async function checksum(blob: Blob): Promise<string> {
  const crc = await hasher;
  crc.init();
  const reader = blob.stream().getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return crc.base64();
    crc.update(value);
  }
}

self.onmessage = (event: MessageEvent<Question>) => {
  const { id, blob } = event.data;
  turn = turn.then(async () => {
    try {
      self.postMessage({ id, crc: await checksum(blob) } satisfies Answer);
    } catch (error) {
      self.postMessage({
        id,
        error: error instanceof Error || error instanceof DOMException ? error.name : "Error",
      } satisfies Answer);
    }
  });
};
