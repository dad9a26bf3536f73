// The three codecs as the workers use them, on streams made here by their encoders; and the way from samples to a picture.
import assert from "node:assert/strict";
import { test } from "node:test";
import charls from "@cornerstonejs/codec-charls/wasmjs";
import charlsDecode from "@cornerstonejs/codec-charls/decodewasmjs";
import openjpeg from "@cornerstonejs/codec-openjpeg/wasmjs";
import openjpegDecode from "@cornerstonejs/codec-openjpeg/decodewasmjs";
import openjph from "@cornerstonejs/codec-openjph/wasmjs";
import { decode, type Decoder } from "../../src/decode/codec.js";
import { announced, checkFrame, type Frame } from "../../src/decode/frame.js";
import { planes, slicesOf, type Slice } from "../../src/decode/planes.js";
import { picture, upright, windowOf } from "../../src/decode/tone.js";

interface Image {
  width: number;
  height: number;
  bits: number;
  components: number;
  signed?: boolean;
}

/** Samples of a smooth slope with a little noise, over the whole range of the bits. */
function samples({ width, height, bits, components, signed }: Image): Int32Array {
  const out = new Int32Array(width * height * components);
  let seed = 7;
  for (let i = 0; i < out.length; i++) {
    seed = (seed * 1103515245 + 12345) & 0x7fffffff;
    const pixel = Math.floor(i / components);
    const slope = ((pixel % width) + Math.floor(pixel / width) + 5 * (i % components)) / (width + height + 10);
    const value = Math.min(2 ** bits - 1, Math.floor(slope * 2 ** bits) + (seed % 3));
    out[i] = signed ? value - 2 ** (bits - 1) : value;
  }
  return out;
}

const raw = (values: Int32Array, bits: number): Uint8Array =>
  bits > 8
    ? new Uint8Array(Uint16Array.from(values, (v) => v & 0xffff).buffer)
    : Uint8Array.from(values, (v) => v & 0xff);

const frame = (i: Image, more: Partial<Frame> = {}): Frame => ({
  transfer_syntax: "",
  rows: i.height,
  columns: i.width,
  samples: i.components,
  photometric: i.components === 3 ? "RGB" : "MONOCHROME2",
  bits_allocated: i.bits > 8 ? 16 : 8,
  bits_stored: i.bits,
  signed: i.signed ?? false,
  slope: 0,
  intercept: 0,
  center: 0,
  width: 0,
  row_spacing: 0,
  column_spacing: 0,
  first: 0,
  size: 0,
  ...more,
});

const silent = () => ({ print: () => {}, printErr: () => {} }); // each module keeps the object
const made = {
  openjpeg: openjpeg(silent()),
  openjpegDecode: openjpegDecode(silent()),
  charls: charls(silent()),
  charlsDecode: charlsDecode(silent()),
  openjph: openjph(silent()),
};

const makers = {
  "JPEG 2000": {
    decoder: async (): Promise<Decoder> => new (await made.openjpegDecode).J2KDecoder(),
    encode: async (i: Image, lossy: boolean) => {
      const encoder = new (await made.openjpeg).J2KEncoder();
      encoder.getDecodedBuffer(info(i)).set(raw(samples(i), i.bits));
      encoder.setQuality(!lossy, lossy ? 12 : 0);
      encoder.encode();
      return encoder.getEncodedBuffer().slice();
    },
  },
  "JPEG-LS": {
    decoder: async (): Promise<Decoder> => new (await made.charlsDecode).JpegLSDecoder(),
    encode: async (i: Image, lossy: boolean) => {
      const encoder = new (await made.charls).JpegLSEncoder();
      encoder.getDecodedBuffer(info(i)).set(raw(samples(i), i.bits));
      encoder.setNearLossless(lossy ? 2 : 0);
      encoder.setInterleaveMode(i.components === 3 ? 2 : 0);
      encoder.encode();
      return encoder.getEncodedBuffer().slice();
    },
  },
  HTJ2K: {
    decoder: async (): Promise<Decoder> => new (await made.openjph).HTJ2KDecoder(),
    encode: async (i: Image, lossy: boolean) => {
      const encoder = new (await made.openjph).HTJ2KEncoder();
      encoder.getDecodedBuffer(info(i)).set(raw(samples(i), i.bits));
      encoder.setQuality(!lossy, lossy ? 0.002 : 0);
      encoder.encode();
      return encoder.getEncodedBuffer().slice();
    },
  },
};

const info = (i: Image) => ({
  width: i.width,
  height: i.height,
  bitsPerSample: i.bits,
  componentCount: i.components,
  isSigned: i.signed ?? false,
  isUsingColorTransform: i.components === 3,
});

/** What the samples say as numbers of so many bits. */
function numbers(bytes: Uint8Array, i: Image): Int32Array {
  const at = (n: number) => (i.bits > 8 ? bytes[2 * n]! | (bytes[2 * n + 1]! << 8) : bytes[n]!);
  const drop = 32 - i.bits;
  return Int32Array.from({ length: i.width * i.height * i.components }, (_, n) =>
    i.signed ? (at(n) << drop) >> drop : (at(n) << drop) >>> drop,
  );
}

const images: Record<string, Image> = {
  "8 bits": { width: 60, height: 44, bits: 8, components: 1 },
  "12 bits": { width: 61, height: 43, bits: 12, components: 1 },
  "16 bits": { width: 60, height: 44, bits: 16, components: 1 },
  "12 bits with a sign": { width: 60, height: 44, bits: 12, components: 1, signed: true },
  "16 bits with a sign": { width: 60, height: 44, bits: 16, components: 1, signed: true },
  colour: { width: 60, height: 44, bits: 8, components: 3 },
};

for (const [codec, { decoder, encode }] of Object.entries(makers)) {
  for (const [name, i] of Object.entries(images)) {
    if (codec === "JPEG-LS" && i.signed) continue; // its samples have no sign: the header says it, see below
    test(`${codec} of ${name} comes back to the bit, and nearly so when it is lossy`, async () => {
      const truth = samples(i);
      for (const lossy of [false, true]) {
        const coded = await encode(i, lossy);
        assert.deepEqual(announced(coded), { width: i.width, height: i.height, components: i.components });
        const got = numbers(decode(await decoder(), coded, frame(i)).bytes, i);
        const off = got.reduce((most, v, n) => Math.max(most, Math.abs(v - truth[n]!)), 0);
        assert.ok(lossy ? off < 2 ** i.bits / 16 : off === 0, `off by ${off}${lossy ? " (lossy)" : ""}`);
      }
    });
  }

  test(`${codec}: a stream that holds another image than the header claims is not drawn`, async () => {
    const i = images["12 bits"]!;
    const coded = await encode(i, false);
    for (const lie of [
      { rows: 42 },
      { columns: 600 },
      { samples: 3, bits_allocated: 8, bits_stored: 8, photometric: "RGB" },
    ]) {
      assert.throws(() => decode(undefined as never, coded, frame(i, lie)), /claims/); // before a codec is asked
    }
    const { decoder: make } = makers[codec as keyof typeof makers];
    for (const cut of [0, 10, 50])
      assert.throws(() => decode({} as never, coded.subarray(0, cut), frame(i)), /damaged/);
    const damaged = coded.slice().fill(0xff, 120);
    const d = await make();
    try {
      const got = decode(d, damaged, frame(i)); // a codec may make the best of it
      assert.equal(got.bytes.length, i.width * i.height * 2);
    } catch (error) {
      assert.match(String(error), /damaged/);
    }
  });
}

test("JPEG-LS of a number with a sign is read by the header's sign", async () => {
  const i: Image = { width: 60, height: 44, bits: 12, components: 1 };
  const coded = await makers["JPEG-LS"].encode(i, false);
  const s = decode(await makers["JPEG-LS"].decoder(), coded, frame(i));
  const p = picture(s, frame(i, { signed: true, center: -1023.5, width: 2049 })); // -2048 to 0
  samples(i).forEach((v, n) => {
    const grey = v < 2048 ? 255 : ((v - 2048) * 255) / 2048; // half of the bits and more are negative
    assert.ok(Math.abs(p.rgba[4 * n]! - grey) <= 1, `${v} became ${p.rgba[4 * n]}`);
  });
});

test("JPEG-LS with its colours one after the other is put together", async () => {
  const i = images.colour!;
  const planes = Uint8Array.from({ length: 60 * 44 * 3 }, (_, n) => Math.floor(n / (60 * 44)) + 1);
  const head = Uint8Array.of(0xff, 0xd8, 0xff, 0xf7, 0, 17, 8, 0, 44, 0, 60, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0);
  const fake: Decoder = {
    getEncodedBuffer: (length) => new Uint8Array(length),
    decode: () => {},
    getFrameInfo: () => ({ width: 60, height: 44, bitsPerSample: 8, componentCount: 3 }),
    getDecodedBuffer: () => planes,
    getInterleaveMode: () => 0,
    delete: () => {},
  };
  assert.deepEqual([...decode(fake, head, frame(i)).bytes.subarray(0, 6)], [1, 2, 3, 1, 2, 3]);
});

test("claims that cannot be are refused", () => {
  const i = images["12 bits"]!;
  for (const [lie, code] of [
    [{ rows: 0 }, "claims"],
    [{ rows: 60_000, columns: 60_000 }, "large"],
    [{ samples: 4 }, "kind"],
    [{ bits_allocated: 32 }, "kind"],
    [{ bits_stored: 17 }, "claims"],
    [{ photometric: "CMYK" }, "kind"],
    [{ samples: 3, photometric: "RGB" }, "kind"],
  ] as const) {
    assert.throws(() => checkFrame(frame(i, lie)), new RegExp(code), JSON.stringify(lie));
  }
});

const shown = (values: number[], width: number, more: Partial<Frame>) => {
  const i: Image = { width, height: values.length / width, bits: 8, components: 1 };
  const s = { width, height: i.height, components: 1, bits: 8, bytes: Uint8Array.from(values) };
  return picture(s, frame(i, more));
};
const greys = (p: { rgba: Uint8ClampedArray }) => [...p.rgba].filter((_, i) => i % 4 === 0);

test("the header's window is applied, after slope and intercept, and turned for MONOCHROME1", () => {
  const window = { center: 100.5, width: 101, slope: 2, intercept: -20 }; // 50 to 150
  assert.deepEqual(greys(shown([0, 35, 45, 85, 200], 5, window)), [0, 0, 51, 255, 255]);
  assert.deepEqual(
    greys(shown([0, 35, 45, 85, 200], 5, { ...window, photometric: "MONOCHROME1" })),
    [255, 255, 204, 0, 0],
  );
});

test("a window that would show nothing gives way to the range of the pixels", () => {
  assert.deepEqual(greys(shown([10, 20, 22, 25, 30], 5, { center: 2000, width: 100 })), [0, 0, 102, 255, 255]);
  assert.deepEqual(windowOf(frame(images["8 bits"]!), new Float32Array(0)), { low: 0, high: 1 });
  assert.deepEqual(windowOf(frame(images["8 bits"]!), Float32Array.of(5, 5, 5)), { low: 5, high: 6 });
});

test("what the scanner cut off round the field of view does not spread the range", () => {
  const px = Float32Array.from({ length: 1000 }, (_, n) => (n < 300 ? -2000 : n));
  assert.deepEqual(windowOf(frame(images["8 bits"]!), px), { low: 303, high: 995 });
});

test("YCbCr and palettes become colours", () => {
  const s = { width: 1, height: 1, components: 3, bits: 8, bytes: Uint8Array.of(76, 85, 255) };
  const colour: Image = { width: 1, height: 1, bits: 8, components: 3 };
  assert.deepEqual([...picture(s, frame(colour, { photometric: "YBR_FULL" })).rgba], [254, 0, 0, 255]);
  assert.deepEqual([...picture(s, frame(colour, { photometric: "YBR_RCT" })).rgba], [76, 85, 255, 255]);
  const palette = btoa(String.fromCharCode(1, 2, 3, 40, 50, 60));
  const p = shown([10, 11, 12], 3, { photometric: "PALETTE COLOR", palette, first: 10 });
  assert.deepEqual([...p.rgba], [1, 2, 3, 255, 40, 50, 60, 255, 40, 50, 60, 255]);
});

test("large images are averaged to 512 pixels, flat ones stand upright", () => {
  const i: Image = { width: 1024, height: 512, bits: 8, components: 1 };
  const bytes = Uint8Array.from({ length: 1024 * 512 }, (_, n) => (n % 2 ? 100 : 0));
  const p = picture(
    { width: 1024, height: 512, components: 1, bits: 8, bytes },
    frame(i, { center: 100.5, width: 201 }),
  );
  assert.deepEqual([p.width, p.height, p.rgba[0]], [512, 256, 64]);
  const sheet = { width: 100, height: 100, channels: 1, px: new Float32Array(10_000) };
  const tall = upright(sheet, 0.25, 0.5);
  assert.deepEqual([tall.width, tall.height], [100, 200]);
  assert.equal(upright(sheet, 0, 0.5), sheet);
});

/** A codec of two bytes: the first is the grey of every pixel, and 255 for the second breaks it. */
const flat = (width: number, height: number) => (): Decoder => {
  const bytes = new Uint8Array(30);
  return {
    getEncodedBuffer: () => bytes,
    decode: () => {
      if (bytes[29] === 255) throw new Error("broken");
    },
    getFrameInfo: () => ({ width, height, bitsPerSample: 8, componentCount: 1 }),
    getDecodedBuffer: () => new Uint8Array(width * height).fill(bytes[28]!),
    delete: () => {},
  };
};

/** A slice of 6 × 4 whose head is that of a JPEG-LS stream (ITU-T T.87, C.1). */
const flatSlice = (grey: number, broken = false): Slice => {
  const bytes = new Uint8Array(30);
  bytes.set([0xff, 0xd8, 0xff, 0xf7, 0, 11, 8, 0, 4, 0, 6, 1]);
  bytes.set([grey, broken ? 255 : 0], 28);
  const of = frame({ width: 6, height: 4, bits: 8, components: 1 }, { size: 30, center: 128, width: 256 });
  return { frame: of, bytes };
};

const threePlanes = (count: number) => ({
  count,
  middle: count >> 1,
  planes: [
    { view: "axial", width: 6, height: 4, turned: false, mirrored: false, over: false },
    { view: "coronal", width: 6, height: count, turned: false, mirrored: false, over: true },
    { view: "sagittal", width: count, height: 4, turned: true, mirrored: false, over: false },
  ],
});

async function* each<T>(all: T[]): AsyncGenerator<T> {
  yield* all;
}

test("planes hold one row and one column of each slice, laid down as the server says", async () => {
  const slices = Array.from({ length: 8 }, (_, i) => flatSlice(20 + 20 * i, i === 2));
  const f = slices[0]!.frame;
  const drawn = await planes(each(slices), flat(6, 4), threePlanes(8), f, () => true);
  assert.deepEqual(
    drawn.map((p) => `${p.view} ${p.width} × ${p.height}`),
    ["axial 6 × 4", "coronal 6 × 8", "sagittal 8 × 4"],
  );
  const grey = (p: (typeof drawn)[number], x: number, y: number) => p.rgba[4 * (y * p.width + x)]!;
  assert.ok(Math.abs(grey(drawn[0]!, 3, 2) - 100) <= 1, "the middle slice");
  const upward = [0, 1, 2, 3, 4, 5, 6, 7].map((y) => grey(drawn[1]!, 0, 7 - y));
  const along = [0, 1, 2, 3, 4, 5, 6, 7].map((x) => grey(drawn[2]!, x, 0));
  assert.deepEqual(upward, along);
  assert.equal(upward[2], upward[1], "the neighbour stands in for a broken slice");
  assert.ok(upward[7]! > upward[1]! + 100);
});

test("volumes that lie about themselves have no planes", async () => {
  const good = Array.from({ length: 8 }, () => flatSlice(50));
  const f = good[0]!.frame;
  const refused = async (slices: Slice[], volume = threePlanes(8), goesOn = () => true) =>
    await assert.rejects(planes(each(slices), flat(6, 4), volume, f, goesOn), { name: "Error" });
  await refused([...good, flatSlice(1)]); // more than announced, or for ever
  await refused(good.slice(1));
  await refused(good.map((s, i) => (i === 4 ? flatSlice(1, true) : s))); // the middle one is broken
  await refused(good.map((s, i) => (i % 8 > 0 && i !== 4 ? flatSlice(1, true) : s))); // most are
  await refused(good, threePlanes(65_000));
  await refused(good, {
    ...threePlanes(8),
    planes: [{ ...threePlanes(8).planes[0]!, width: 65_535 }, ...threePlanes(8).planes.slice(1)],
  });
  await refused(good, threePlanes(8), () => false); // it takes too long
  const larger = { ...good[0]!, frame: { ...f, rows: 4000, columns: 6000 } };
  await refused([larger, ...good.slice(1)]);
});

test("a stream of slices is read in pieces of any size, and not beyond its bounds", async () => {
  const sent = (slices: { head: string; bytes: Uint8Array }[], length?: number) => {
    const parts = slices.flatMap(({ head, bytes }) => {
      const text = new TextEncoder().encode(head);
      const size = new Uint8Array(4);
      new DataView(size.buffer).setUint32(0, length ?? text.length);
      return [size, text, bytes];
    });
    const whole = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
    let at = 0;
    for (const p of parts) whole.set(p, (at += p.length) - p.length);
    return (step: number) =>
      new ReadableStream<Uint8Array>({
        start(to) {
          for (let i = 0; i < whole.length; i += step) to.enqueue(whole.slice(i, i + step));
          to.close();
        },
      });
  };
  const all = async (stream: ReadableStream<Uint8Array>) => {
    const out: Slice[] = [];
    for await (const s of slicesOf(stream)) out.push(s);
    return out;
  };
  const stream = sent([
    { head: '{"size":3}', bytes: Uint8Array.of(1, 2, 3) },
    { head: '{"size":0}', bytes: new Uint8Array(0) },
    { head: '{"size":2}', bytes: Uint8Array.of(4, 5) },
  ]);
  for (const step of [1, 7, 1000]) {
    assert.deepEqual(
      (await all(stream(step))).map((s) => [...s.bytes]),
      [[1, 2, 3], [], [4, 5]],
    );
  }
  await assert.rejects(all(sent([{ head: "{}", bytes: new Uint8Array(9) }], 0xffffffff)(100)));
  await assert.rejects(all(sent([{ head: '{"size":4294967295}', bytes: new Uint8Array(9) }])(100)));
  await assert.rejects(all(sent([{ head: '{"size":-1}', bytes: new Uint8Array(9) }])(100)));
  await assert.rejects(all(sent([{ head: '{"size":20}', bytes: new Uint8Array(9) }])(100)));
});
