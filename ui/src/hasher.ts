// The fastest CRC-64/NVME a worker has: hash-wasm does it at several hundred MB/s; where WebAssembly is refused, the plain
// implementation does the same more slowly.
import { createCRC64 } from "hash-wasm";
import { Crc64, POLYNOMIAL, toBase64 } from "./crc64.js";

export interface Hasher {
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

export async function fastest(): Promise<Hasher> {
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
