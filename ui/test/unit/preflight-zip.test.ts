// What a ZIP holds is seen from a few slices of it; whatever is wrong is a mark, never an error.
import assert from "node:assert/strict";
import { deflateRawSync } from "node:zlib";
import { test } from "node:test";
import { inflate } from "../../src/preflight/inflate.js";
import { kindOf } from "../../src/preflight/kind.js";
import { look } from "../../src/preflight/look.js";
import { ct, DEFLATED, zip, type Packed } from "./dicomfile.js";

const never = new AbortController().signal;

/** A Blob that counts the slices read of it. */
class Counted extends Blob {
  static reads = 0;
  static bytes = 0;
  override slice(start?: number, end?: number): Blob {
    const part = super.slice(start, end);
    const whole = part.arrayBuffer.bind(part);
    part.arrayBuffer = () => {
      Counted.reads++;
      Counted.bytes += part.size;
      return whole();
    };
    return part;
  }
}

const lookAt = (bytes: Buffer) => {
  Counted.reads = Counted.bytes = 0;
  return look(new Counted([bytes as Uint8Array<ArrayBuffer>]), never);
};

const slices = (count: number, store = false): Packed[] =>
  Array.from({ length: count }, (_, i) => ({ name: `IM${i + 1}`, body: ct({ number: i + 1, rows: 64 }), store }));

test("series inside a ZIP are seen: deflated, stored, with descriptors, Zip64", async () => {
  for (const options of [{}, { descriptor: true }, { large: true }]) {
    for (const store of [false, true]) {
      const found = await lookAt(zip(slices(40, store), options));
      assert.equal(found.kind, "zip");
      assert.equal(found.trouble, undefined);
      assert.deepEqual(
        found.inside!.map(({ facts }) => facts?.number).sort((a, b) => a! - b!),
        Array.from({ length: 40 }, (_, i) => i + 1),
      );
    }
  }
});

test("a deflated DICOM object inside a ZIP is read", async () => {
  const found = await lookAt(zip([{ name: "a", body: ct({ syntax: DEFLATED, number: 3 }) }]));
  assert.equal(found.inside![0]!.facts?.number, 3);
});

test("heads of neighbours come in one slice, and pixels are not read", async () => {
  const noise = (i: number) =>
    Buffer.from(Uint8Array.from({ length: 300_000 }, (_, at) => (at * i * 2654435761) >>> 13));
  const files = slices(60).map(({ name, body }, i) => ({
    name,
    body: Buffer.concat([body, noise(i + 1)]),
    store: true,
  }));
  const whole = zip(files);
  await lookAt(whole);
  assert.ok(Counted.bytes < whole.length / 8, `${Counted.bytes} of ${whole.length} bytes were read`);
  await lookAt(zip(slices(400, false)));
  assert.ok(Counted.reads < 12, `${Counted.reads} slices were read`);
});

test("names in the code pages of Korea, Japan and the West; junk is counted", async () => {
  const legacy = (name: string, ...bytes: number[]): [string, Buffer] => [name, Buffer.from(bytes)];
  for (const [want, bytes] of [
    legacy("임대석", 0xc0, 0xd3, 0xb4, 0xeb, 0xbc, 0xae),
    legacy("山田やまだ", 0x8e, 0x52, 0x93, 0x63, 0x82, 0xe2, 0x82, 0xdc, 0x82, 0xbe),
    legacy("Müller", 0x4d, 0x81, 0x6c, 0x6c, 0x65, 0x72),
    ["임대석", Buffer.from("임대석")] as [string, Buffer],
  ]) {
    const found = await lookAt(zip([{ name: bytes, body: Buffer.from("x") }]));
    assert.equal(found.inside![0]!.name, want);
  }
  const packed = ["__MACOSX/._a", "a/.DS_Store", "Thumbs.db", "a/b.txt", "a/"].map((name) => ({
    name,
    body: Buffer.from("x"),
  }));
  const found = await lookAt(zip(packed));
  assert.equal(found.junk, 3);
  assert.deepEqual(
    found.inside!.map(({ name }) => name),
    ["a/b.txt"],
  );
});

test("what cannot be looked into is marked, and the rest is read", async () => {
  const good: Packed = { name: "a", body: ct() };
  for (const [trouble, bytes] of [
    ["encrypted", zip([good, { name: "b", body: ct(), flags: 1 }])],
    ["method", zip([good, { name: "b", body: ct(), method: 14 }])],
  ] as const) {
    const found = await lookAt(bytes);
    assert.equal(found.trouble, trouble);
    assert.equal(found.inside![0]!.kind, "dicom");
  }
  const whole = zip(slices(5));
  for (const broken of [
    whole.subarray(0, whole.length - 30),
    whole.subarray(0, 100),
    Buffer.from("PK\x03\x04 no archive"),
  ]) {
    assert.equal((await lookAt(broken)).trouble, "broken");
  }
  const lying = Buffer.from(whole);
  lying.writeUInt16LE(60_000, lying.length - 12); // entries
  assert.equal((await lookAt(lying)).trouble, "many");
});

test("damaged ZIPs never throw", async () => {
  const whole = zip(slices(3), { large: true });
  let seed = 7;
  const random = (n: number) => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) % n;
  for (let round = 0; round < 1500; round++) {
    const bytes = Buffer.from(whole);
    for (let change = random(5); change >= 0; change--) {
      const end = random(2) === 0 ? bytes.length : Math.min(400, bytes.length);
      bytes[Math.max(4, end - 1 - random(400))] = [0, 0xff, random(256)][random(3)]!;
    }
    await lookAt(bytes.subarray(0, random(9) === 0 ? random(bytes.length) : bytes.length));
  }
});

test("inflating stops where it is told, keeps what came before damage, and is right", () => {
  const text = Buffer.from("Nothing that was acknowledged is ever lost. ".repeat(4000) + Math.random());
  const random = Buffer.from(Uint8Array.from({ length: 70_000 }, (_, i) => (Math.imul(i, 2654435761) >>> 11) & 0xff));
  for (const plain of [text, random, Buffer.alloc(0), Buffer.from("a")]) {
    for (const level of [0, 1, 6, 9]) {
      const packed = deflateRawSync(plain, { level });
      assert.deepEqual(Buffer.from(inflate(packed, 1 << 20).bytes), plain);
      const some = inflate(packed, 1000);
      assert.deepEqual(Buffer.from(some.bytes), plain.subarray(0, 1000));
      const cut = inflate(packed.subarray(0, packed.length >> 1), 1 << 20);
      assert.ok(cut.starved);
      assert.deepEqual(Buffer.from(cut.bytes), plain.subarray(0, cut.bytes.length));
    }
  }
  assert.deepEqual(inflate(Buffer.from([0x07]), 100), { bytes: new Uint8Array(0), starved: false, damaged: true });
});

test("files are told by their content, not by their names", () => {
  const stl = Buffer.alloc(84 + 50 * 3);
  stl.writeUInt32LE(3, 80);
  const cases: [string, Buffer | string][] = [
    ["stl", stl],
    ["stl", "solid jaw\n facet normal 0 0 1\n"],
    ["ply", "ply\nformat ascii 1.0\n"],
    ["obj", "# made by hand\nv 1 2 3\nf 1 2 3\n"],
    ["jpeg", Buffer.from([0xff, 0xd8, 0xff, 0xe0])],
    ["png", Buffer.from("\x89PNG\r\n\x1a\n", "latin1")],
    ["pdf", "%PDF-1.7"],
    ["zip", Buffer.from("PK\x05\x06".padEnd(22, "\0"))],
    ["dicom", ct({ preamble: false })],
    ["other", "Dear colleague, v 1 2 3"],
    ["other", Buffer.alloc(84)],
    ["other", ""],
  ];
  for (const [want, content] of cases) assert.equal(kindOf(Buffer.from(content), Buffer.from(content).length), want);
});
