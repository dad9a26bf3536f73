// What the three workers do: fetch one frame from the server, or the slices of a volume, decode, draw, and answer the pictures. Each answers once and is
// ended then; a stream that makes a codec run wild takes nothing else along.
import { decode, type Decoder } from "./codec.js";
import { checkFrame, Undrawn, type Frame, type Volume } from "./frame.js";
import { planes, slicesOf } from "./planes.js";
import { picture, type Painted } from "./tone.js";

/** What a worker is asked. */
export interface Question {
  address: string; // of the frame; its bytes and its slices lie under it
  frame: Frame;
}

/** pictures: each a PNG or JPEG of at most MOST_BYTES; else the reason. */
export type Answer = { pictures: { view: string; picture: Blob }[] } | { error: string };

/** What the server takes of one picture, in bytes. */
const MOST_BYTES = 256 << 10;
/** Milliseconds for the planes; what takes longer shows its middle image. */
const PLANES_WITHIN = 20_000;

/** Answers with the decoders that load's function makes, once their WebAssembly is there. */
export function serve(load: () => Promise<() => Decoder>): void {
  self.onmessage = (event: MessageEvent<Question>) => {
    draw(load, event.data).then(
      (pictures) => self.postMessage({ pictures } satisfies Answer),
      (error: unknown) =>
        self.postMessage({ error: error instanceof Undrawn ? error.code : "unreached" } satisfies Answer),
    );
  };
}

async function draw(load: () => Promise<() => Decoder>, { address, frame }: Question) {
  checkFrame(frame);
  if (frame.volume) {
    const drawn = await drawPlanes(load, address, frame, frame.volume).catch(() => undefined);
    if (drawn) return drawn; // else the middle image is better than nothing
  }
  const [make, bytes] = await Promise.all([load(), content(`${address}/content`, frame.size)]);
  return [{ view: "image", picture: await encoded(picture(decode(make(), bytes, frame), frame)) }];
}

async function drawPlanes(load: () => Promise<() => Decoder>, address: string, frame: Frame, volume: Volume) {
  const over = new AbortController();
  const late = setTimeout(() => over.abort(), PLANES_WITHIN);
  try {
    const make = await load();
    const response = await fetch(`${address}/slices`, { credentials: "same-origin", signal: over.signal });
    if (!response.ok || !response.body) throw new Error(`answered ${response.status}`);
    const end = performance.now() + PLANES_WITHIN;
    const drawn = await planes(slicesOf(response.body), make, volume, frame, () => performance.now() < end);
    const pictures = drawn.map(async ({ view, ...p }) => ({ view, picture: await encoded(p) }));
    return await Promise.all(pictures);
  } finally {
    clearTimeout(late);
    over.abort();
  }
}

async function encoded({ width, height, rgba }: Painted): Promise<Blob> {
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
