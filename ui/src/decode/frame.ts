// What a frame claims to be, as the server's API describes it, and what a codec made of its bytes.

/** GET /api/v1/previews/{preview}/frame. */
export interface Frame {
  transfer_syntax: string;
  rows: number;
  columns: number;
  samples: number;
  photometric: string;
  bits_allocated: number;
  bits_stored: number;
  signed: boolean;
  slope: number; // 0 stands for 1
  intercept: number;
  center: number;
  width: number; // below 1: no window
  row_spacing: number; // mm; 0: unknown
  column_spacing: number;
  palette?: string; // base64: red, green, blue of each entry
  first: number; // stored value of the palette's first entry
  size: number; // bytes; of a slice 0 when it cannot be had
  volume?: Volume;
}

/** How three planes are drawn of slices. */
export interface Volume {
  count: number;
  middle: number; // shown as it is
  planes: Plane[]; // of that slice; of the middle row of each, one under the other; of the middle column of each
}

/** One picture: numbers brought to width × height, exchanged when turned; then turned, mirrored and put upside down. */
export interface Plane {
  view: string;
  width: number;
  height: number;
  turned: boolean;
  mirrored: boolean;
  over: boolean;
}

/** The samples of an image, those of a pixel side by side, of 8 bits or 16 in little endian. */
export interface Samples {
  width: number;
  height: number;
  components: number;
  bits: number; // of a sample, as the stream says
  bytes: Uint8Array;
}

/** Why an image is not drawn; the code is for the log and for tests. */
export class Undrawn extends Error {
  constructor(readonly code: "large" | "claims" | "damaged" | "kind") {
    super(code);
  }
}

/** Pixels of the largest image that is decoded here. */
export const MOST_PIXELS = 32 << 20;

/** Refuses claims that cannot be, before anything is fetched or allocated for them. */
export function checkFrame(f: Frame): void {
  const colour = f.samples === 3;
  if (f.rows < 1 || f.columns < 1 || f.rows > 65535 || f.columns > 65535) throw new Undrawn("claims");
  if (f.rows * f.columns > MOST_PIXELS) throw new Undrawn("large");
  if (f.samples !== 1 && f.samples !== 3) throw new Undrawn("kind");
  if (f.bits_allocated !== 8 && f.bits_allocated !== 16) throw new Undrawn("kind");
  if (f.bits_stored < 1 || f.bits_stored > f.bits_allocated) throw new Undrawn("claims");
  if (colour && (f.bits_allocated !== 8 || f.photometric.startsWith("MONOCHROME"))) throw new Undrawn("kind");
  if (!colour && !["MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"].includes(f.photometric)) throw new Undrawn("kind");
}

/**
 * The width, height and components that a JPEG-LS (ITU-T T.87, C.1) or JPEG 2000 stream (ITU-T T.800, A.5.1; HTJ2K has the same
 * head) announces: looked at before a codec believes them. Undefined when there is no such head.
 */
export function announced(b: Uint8Array): { width: number; height: number; components: number } | undefined {
  const view = new DataView(b.buffer, b.byteOffset, b.byteLength);
  if (b[0] === 0xff && b[1] === 0xd8) {
    for (let at = 2; at + 10 <= b.length && b[at] === 0xff; at += 2 + view.getUint16(at + 2)) {
      if (b[at + 1] !== 0xf7) continue;
      return { width: view.getUint16(at + 7), height: view.getUint16(at + 5), components: b[at + 9]! };
    }
    return undefined;
  }
  const start = codestream(b);
  if (start < 0 || start + 42 > b.length) return undefined;
  const size = (at: number) => view.getUint32(start + at);
  return { width: size(8) - size(16), height: size(12) - size(20), components: view.getUint16(start + 40) };
}

/** Where a JPEG 2000 codestream begins (SOC, SIZ), also behind the boxes of a JP2 file, which some machines write; or -1. */
function codestream(b: Uint8Array): number {
  const most = Math.min(b.length - 4, 4096);
  for (let i = 0; i <= most; i++)
    if (b[i] === 0xff && b[i + 1] === 0x4f && b[i + 2] === 0xff && b[i + 3] === 0x51) return i;
  return -1;
}
