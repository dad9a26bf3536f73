// What the three workers do: fetch one frame from the server, decode it, draw it, and answer the picture. Each answers once and is
// ended then; a stream that makes a codec run wild takes nothing else along.
import { decode, type Decoder } from "./codec.js";
import { checkFrame, Undrawn, type Frame } from "./frame.js";
import { picture } from "./tone.js";

/** What a worker is asked. */
export interface Question {
  address: string; // of the frame's bytes
  frame: Frame;
}

/** picture is a PNG or JPEG of at most MOST_BYTES; else the reason. */
export type Answer = { picture: Blob } | { error: string };

/** What the server takes, in bytes. */
const MOST_BYTES = 256 << 10;

/** Answers with the decoder that make returns, once its WebAssembly is there. */
export function serve(make: () => Promise<Decoder>): void {
  self.onmessage = (event: MessageEvent<Question>) => {
    draw(make, event.data).then(
      (picture) => self.postMessage({ picture } satisfies Answer),
      (error: unknown) =>
        self.postMessage({ error: error instanceof Undrawn ? error.code : "unreached" } satisfies Answer),
    );
  };
}

async function draw(make: () => Promise<Decoder>, { address, frame }: Question): Promise<Blob> {
  checkFrame(frame);
  const [decoder, bytes] = await Promise.all([make(), content(address, frame.size)]);
  const { width, height, rgba } = picture(decode(decoder, bytes, frame), frame);
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d")!.putImageData(new ImageData(rgba, width, height), 0, 0);
  const png = await canvas.convertToBlob({ type: "image/png" });
  if (png.size <= MOST_BYTES) return png;
  for (const quality of [0.95, 0.85, 0.7]) {
    const jpeg = await canvas.convertToBlob({ type: "image/jpeg", quality });
    if (jpeg.size <= MOST_BYTES) return jpeg;
  }
  throw new Undrawn("large");
}

async function content(address: string, size: number): Promise<Uint8Array> {
  const response = await fetch(address, { credentials: "same-origin" });
  if (!response.ok) throw new Error(`answered ${response.status}`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (bytes.length !== size) throw new Error("another size");
  return bytes;
}

/** How a codec is made: its WebAssembly lies beside the worker's own script, and what it says to itself nobody reads. */
export async function options(
  wasm: string,
): Promise<{ wasmBinary: ArrayBuffer; print: () => void; printErr: () => void }> {
  const response = await fetch(new URL(wasm, import.meta.url));
  if (!response.ok) throw new Error(`answered ${response.status}`);
  return { wasmBinary: await response.arrayBuffer(), print: () => {}, printErr: () => {} };
}
