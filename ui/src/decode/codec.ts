// One way to ask three codecs: OpenJPEG (JPEG 2000), CharLS (JPEG-LS) and OpenJPH (HTJ2K), each built to WebAssembly.
import { announced, checkFrame, Undrawn, type Frame, type Samples } from "./frame.js";

/** What the codecs' decoders have in common. */
export interface Decoder {
  getEncodedBuffer(length: number): Uint8Array;
  decode(): void;
  getFrameInfo(): { width: number; height: number; bitsPerSample: number; componentCount: number };
  getDecodedBuffer(): Uint8Array;
  getInterleaveMode?(): number; // CharLS; 0: one colour after the other
  delete(): void;
}

/**
 * The samples of a frame. Undrawn when the stream announces or holds something else than the header claims, or is damaged.
 * The codec's memory is its own affair: whoever calls ends the worker afterwards.
 */
export function decode(decoder: Decoder, bytes: Uint8Array, f: Frame): Samples {
  checkFrame(f);
  const says = announced(bytes);
  if (!says) throw new Undrawn("damaged");
  if (says.width !== f.columns || says.height !== f.rows || says.components !== f.samples) throw new Undrawn("claims");
  try {
    decoder.getEncodedBuffer(bytes.length).set(bytes);
    decoder.decode();
  } catch {
    throw new Undrawn("damaged"); // a C++ exception says nothing that people could use
  }
  const info = decoder.getFrameInfo();
  const decoded = decoder.getDecodedBuffer();
  const wide = info.bitsPerSample > 8 ? 2 : 1;
  const length = f.rows * f.columns * f.samples * wide;
  if (info.width !== f.columns || info.height !== f.rows || info.componentCount !== f.samples)
    throw new Undrawn("damaged");
  if (info.bitsPerSample < 1 || info.bitsPerSample > 16 || decoded.length < length) throw new Undrawn("damaged");
  const planar = f.samples > 1 && decoder.getInterleaveMode?.() === 0;
  return {
    width: info.width,
    height: info.height,
    components: f.samples,
    bits: info.bitsPerSample,
    bytes: planar ? interleaved(decoded, f.rows * f.columns, f.samples) : decoded.subarray(0, length),
  };
}

/** Puts colours of 8 bits that come one after the other side by side. */
function interleaved(planes: Uint8Array, pixels: number, components: number): Uint8Array {
  const out = new Uint8Array(pixels * components);
  for (let c = 0; c < components; c++) {
    for (let i = 0; i < pixels; i++) out[i * components + c] = planes[c * pixels + i]!;
  }
  return out;
}
