// From samples to a small picture, by the same steps and numbers as the server's own (internal/pixels: frame.go, scale.go,
// tone.go), so that a scan looks alike whoever drew it.
import type { Frame, Samples } from "./frame.js";

/** Pixels of the longer side of a picture at most. */
export const MOST_SIDE = 512;

/** A small image of numbers: one a pixel, or three of 0 to 255. */
export interface Sheet {
  width: number;
  height: number;
  channels: number;
  px: Float32Array;
}

/** Red, green, blue and 255 of each pixel. */
export interface Painted {
  width: number;
  height: number;
  rgba: Uint8ClampedArray<ArrayBuffer>;
}

/** The picture of a frame. */
export function picture(s: Samples, f: Frame): Painted {
  const sheet = upright(reduce(s, f), f.column_spacing, f.row_spacing);
  return painted(sheet, f, windowOf(f, sheet.px));
}

/** The picture of a sheet, grey numbers through the window. */
export function painted(sheet: Sheet, f: Frame, { low, high }: Window): Painted {
  const rgba = new Uint8ClampedArray(sheet.width * sheet.height * 4).fill(255);
  if (sheet.channels === 3) {
    for (let i = 0; i < sheet.width * sheet.height; i++)
      for (let c = 0; c < 3; c++) rgba[4 * i + c] = Math.floor(within(sheet.px[3 * i + c]! + 0.5));
  } else {
    const scale = 255 / (high - low);
    sheet.px.forEach((v, i) => {
      let grey = Math.floor(within((v - low) * scale + 0.5));
      if (f.photometric === "MONOCHROME1") grey = 255 - grey; // its lowest number is white
      rgba.fill(grey, 4 * i, 4 * i + 3);
    });
  }
  return { width: sheet.width, height: sheet.height, rgba };
}

const within = (v: number): number => Math.min(Math.max(v, 0), 255);

/** The image within MOST_SIDE either way, by averaging; numbers after rescaling (PS3.3 C.11.1.1.2), or colours. */
export function reduce(s: Samples, f: Frame): Sheet {
  const most = Math.max(s.width, s.height);
  const fit = (n: number) =>
    most > MOST_SIDE ? Math.max(1, Math.floor((n * MOST_SIDE + Math.floor(most / 2)) / most)) : n;
  const channels = s.components === 3 || f.photometric === "PALETTE COLOR" ? 3 : 1;
  const out: Sheet = {
    width: fit(s.width),
    height: fit(s.height),
    channels,
    px: new Float32Array(fit(s.width) * fit(s.height) * channels),
  };
  const column = Int32Array.from({ length: s.width }, (_, x) => Math.floor((x * out.width) / s.width));
  const counted = new Float32Array(out.width * out.height);
  const line = new Float32Array(s.width * channels);
  const read = reader(s, f);
  for (let y = 0; y < s.height; y++) {
    read(line, y * s.width);
    const row = Math.floor((y * out.height) / s.height) * out.width;
    for (let x = 0; x < s.width; x++) {
      const to = row + column[x]!;
      counted[to]!++;
      for (let c = 0; c < channels; c++) out.px[to * channels + c]! += line[x * channels + c]!;
    }
  }
  for (let i = 0; i < out.px.length; i++) out.px[i]! /= counted[Math.floor(i / channels)]!;
  return out;
}

/** What turns a line of samples, from the pixel given, into numbers. */
export function reader(s: Samples, f: Frame): (line: Float32Array, from: number) => void {
  const wide = s.bits > 8;
  const at = wide ? (i: number) => s.bytes[2 * i]! | (s.bytes[2 * i + 1]! << 8) : (i: number) => s.bytes[i]!;
  if (s.components === 3) {
    const drop = Math.max(0, s.bits - 8);
    const ybr = f.photometric === "YBR_FULL" || f.photometric === "YBR_FULL_422"; // YBR_RCT and YBR_ICT the codec has undone
    return (line, from) => {
      for (let i = 0; i < line.length; i++) line[i] = at(3 * from + i) >> drop;
      if (ybr) fromYBR(line);
    };
  }
  // The stream holds the value itself (PS3.5 8.2.4); its sign stands in the highest bit that is stored.
  const drop = 32 - Math.max(f.bits_stored, s.bits);
  const value = f.signed ? (i: number) => (at(i) << drop) >> drop : (i: number) => (at(i) << drop) >>> drop;
  if (f.photometric === "PALETTE COLOR") {
    const palette = Uint8Array.from(atob(f.palette ?? ""), (c) => c.charCodeAt(0));
    const last = palette.length / 3 - 1;
    return (line, from) => {
      for (let i = 0; 3 * i < line.length; i++) {
        const entry = 3 * Math.min(Math.max(value(from + i) - f.first, 0), last);
        line.set(palette.subarray(entry, entry + 3), 3 * i);
      }
    };
  }
  const slope = f.slope === 0 ? 1 : f.slope;
  return (line, from) => {
    for (let i = 0; i < line.length; i++) line[i] = value(from + i) * slope + f.intercept;
  };
}

/** Full-range YCbCr (PS3.3 C.7.6.3.1.2). */
function fromYBR(line: Float32Array): void {
  for (let i = 0; i + 2 < line.length; i += 3) {
    const [y, b, r] = [line[i]!, line[i + 1]! - 128, line[i + 2]! - 128];
    line[i] = within(y + 1.402 * r);
    line[i + 1] = within(y - 0.344136 * b - 0.714136 * r);
    line[i + 2] = within(y + 1.772 * b);
  }
}

/** The sheet with pixels as wide as they are high; distances that cannot be meant leave it as it is. */
export function upright(s: Sheet, column: number, row: number): Sheet {
  const ratio = row / column;
  if (!(ratio > 0.02 && ratio < 50) || Math.abs(ratio - 1) < 0.02) return s;
  const [w, h] = ratio > 1 ? [s.width, s.height * ratio] : [s.width / ratio, s.height];
  const scale = Math.min(1, MOST_SIDE / Math.max(w, h));
  return resample(s, Math.max(1, Math.floor(w * scale + 0.5)), Math.max(1, Math.floor(h * scale + 0.5)));
}

/** The sheet in another size, linearly between the pixels' centres. */
export function resample(s: Sheet, width: number, height: number): Sheet {
  const out: Sheet = { width, height, channels: s.channels, px: new Float32Array(width * height * s.channels) };
  const place = (i: number, n: number, of: number): [number, number, number] => {
    const at = Math.min(Math.max(((i + 0.5) * of) / n - 0.5, 0), of - 1);
    const low = Math.floor(at);
    return [low, Math.min(low + 1, of - 1), at - low];
  };
  for (let y = 0; y < height; y++) {
    const [top, bottom, dy] = place(y, height, s.height);
    for (let x = 0; x < width; x++) {
      const [left, right, dx] = place(x, width, s.width);
      for (let c = 0; c < s.channels; c++) {
        const at = (px: number, py: number) => s.px[(py * s.width + px) * s.channels + c]!;
        const upper = at(left, top) * (1 - dx) + at(right, top) * dx;
        const lower = at(left, bottom) * (1 - dx) + at(right, bottom) * dx;
        out.px[(y * width + x) * s.channels + c] = upper * (1 - dy) + lower * dy;
      }
    }
  }
  return out;
}

export interface Window {
  low: number;
  high: number;
}

/** The header's window (PS3.3 C.11.2.1.2.1), or a sensible one where it has none or would show nothing. */
export function windowOf(f: Frame, px: Float32Array): Window {
  if (f.width >= 1) {
    const low = f.center - 0.5 - (f.width - 1) / 2;
    const high = f.center - 0.5 + (f.width - 1) / 2;
    let grey = 0;
    for (const v of px) if (v > low && v < high) grey++;
    if (high > low && grey * 50 >= px.length) return { low, high };
  }
  return sensible(px);
}

/** The range of the pixels without the rarest half percent on either side. */
function sensible(px: Float32Array): Window {
  let sorted = px.slice().sort();
  if (sorted.length === 0) return { low: 0, high: 1 };
  // What is cut off round the field of view is written as one lowest number: it is black anyway.
  const first = sorted.findIndex((v) => v > sorted[0]!);
  if (first * 50 > sorted.length) sorted = sorted.subarray(first);
  const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))]!;
  let [low, high] = [at(0.005), at(0.995)];
  if (high <= low) [low, high] = [sorted[0]!, sorted[sorted.length - 1]!];
  return { low, high: high > low ? high : low + 1 };
}
