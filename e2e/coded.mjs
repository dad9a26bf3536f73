// Images in codings that only browsers decode, made by the encoders of the same codecs, beside their native twins.
import { createRequire } from "node:module";
import { slice } from "../ui/test/browser/samples.mjs";

const require = createRequire(new URL("../ui/package.json", import.meta.url));
const silent = () => ({ print: () => {}, printErr: () => {} });
const load = (name) => require(`@cornerstonejs/codec-${name}/wasmjs`)(silent());
const codecs = { openjpeg: load("openjpeg"), charls: load("charls"), openjph: load("openjph") };

/** The samples of a jaw from above: an arch of teeth in soft tissue, of so many bits; three of a pixel for colour. */
export function jaw({ columns, rows, bits, samples = 1, signed = false, tilt = 0 }) {
  const out = samples === 1 && bits > 8 ? new Uint16Array(columns * rows) : new Uint8Array(columns * rows * samples);
  const top = 2 ** bits - 1;
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      const [u, v] = [(x / columns - 0.5) * 2, (y / rows - 0.42 - tilt / 4) * 2];
      const head = u * u + (v - 0.15) ** 2 * 0.8 < 0.8 ? 0.28 + 0.03 * Math.sin(9 * u + 7 * v) : 0.02;
      const arch = Math.abs(Math.hypot(u, (v + 0.1) * 0.9) - 0.55);
      const tooth = v < 0.45 && arch < 0.11 ? 0.5 + 0.4 * Math.max(0, Math.cos(14 * Math.atan2(v + 0.1, u))) : 0;
      const share = Math.min(1, Math.max(head, tooth));
      const value = Math.round(share * top);
      const at = (y * columns + x) * samples;
      if (samples === 3) out.set([value, Math.round(value * 0.86), Math.round(value * 0.74)], at);
      else out[at] = signed ? (value - 2 ** (bits - 1)) & (bits > 8 ? 0xffff : 0xff) : value;
    }
  }
  return out;
}

const bytesOf = (values) => Buffer.from(values.buffer, values.byteOffset, values.byteLength);

/** Encodes samples; coding is "JPEG 2000", "JPEG-LS" or "HTJ2K", lossy a little or not at all. */
async function encoded(coding, values, { columns, rows, bits, samples = 1, signed = false, lossy = false }) {
  const info = { width: columns, height: rows, bitsPerSample: bits, componentCount: samples, isSigned: signed, isUsingColorTransform: samples === 3 };
  const encoder = {
    "JPEG 2000": async () => new (await codecs.openjpeg).J2KEncoder(),
    "JPEG-LS": async () => new (await codecs.charls).JpegLSEncoder(),
    HTJ2K: async () => new (await codecs.openjph).HTJ2KEncoder(),
  }[coding];
  const e = await encoder();
  e.getDecodedBuffer(info).set(bytesOf(values));
  if (coding === "JPEG-LS") {
    e.setNearLossless(lossy ? 2 : 0);
    e.setInterleaveMode(samples === 3 ? 2 : 0);
  } else e.setQuality(!lossy, lossy ? (coding === "HTJ2K" ? 0.002 : 8) : 0);
  e.encode();
  return Buffer.from(e.getEncodedBuffer());
}

const syntaxes = {
  "JPEG 2000": ["1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"],
  "JPEG-LS": ["1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"],
  HTJ2K: ["1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.203"],
};

/**
 * The same image twice, as objects of two series: coded, in so many fragments, and native. what describes the image as for
 * jaw; number tells slices of a volume apart; window is "center\\width".
 */
export async function twins({ coding, series, number = 1, fragments = 1, photometric, window, what }) {
  const values = jaw(what);
  const of = { ...what, samples: what.samples ?? 1, signed: what.signed ?? false, allocated: what.bits > 8 ? 16 : 8 };
  const [center, width] = (window ?? "").split("\\");
  const elements = window ? [[0x0028, 0x1050, "DS", center], [0x0028, 0x1051, "DS", width]] : [];
  const stream = await encoded(coding, values, what);
  const length = 2 * Math.ceil(stream.length / fragments / 2);
  const pieces = Array.from({ length: fragments }, (_, i) => stream.subarray(i * length, (i + 1) * length));
  const common = { ...of, elements };
  const grey = photometric ?? (of.samples === 3 ? "RGB" : "MONOCHROME2");
  return {
    coded: slice({ series, number, description: `${coding}, ${what.bits} bits`, pixels: { ...common, photometric: grey, syntax: syntaxes[coding][what.lossy ? 1 : 0], fragments: pieces } }),
    native: slice({ series: series + 100, number, description: `native of ${series}`, pixels: { ...common, photometric: grey === "YBR_RCT" ? "RGB" : grey, native: bytesOf(values) } }),
  };
}
