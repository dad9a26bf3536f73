import assert from "node:assert/strict";
import { test } from "node:test";
import { Early, EARLY_FROM } from "../../src/early.js";
import { FakeFile, Reader, Slice } from "./fake.js";
import { start } from "./start.js";

const span = (start: number, end: number) => ({ number: 1, start, end });
const sum = (file: FakeFile, start: number, end: number) => new Slice(file, start, end).crc;
const begin = (file: FakeFile, reader: Reader, wanted = () => true) =>
  new Early(file, { size: 3, crc: sum(file, 0, 3) }, reader.checksum, wanted, 8, 12);

test("parts of one, two or four pieces are known from the pieces; each byte behind the head is read once, two pieces at once", async () => {
  const file = new FakeFile("a", 200);
  const reader = new Reader();
  const early = begin(file, reader);
  for (const part of [8, 16, 24, 32])
    for (let at = 0; at + part <= 96; at += part)
      assert.equal(await early.of(span(at, at + part)), sum(file, at, at + part), `${at} to ${at + part}`);
  assert.equal(
    reader.read.reduce((bytes, { size }) => bytes + size, 0),
    93,
  );
  assert.equal(reader.mostAtOnce, 2);
});

test("other parts are not: of another size, beyond what is read, or the rest of the file", () => {
  const early = begin(new FakeFile("a", 45), new Reader());
  for (const [from, to] of [
    [0, 10],
    [5, 13],
    [32, 45],
    [40, 48],
    [96, 104],
  ] as const)
    assert.equal(early.of(span(from, to)), undefined, `${from} to ${to}`);
});

test("what cannot be read, or is not wanted any more, is not read on", async () => {
  const file = new FakeFile("a", 200);
  const reader = new Reader();
  file.broken = "NotReadableError";
  const early = begin(file, reader);
  await assert.rejects(early.of(span(0, 8))!);
  await assert.rejects(early.of(span(88, 96))!);
  assert.equal(reader.read.length, 2);
  const unwanted = new Reader();
  await assert.rejects(begin(new FakeFile("b", 200), unwanted, () => false).of(span(0, 8))!);
  assert.equal(unwanted.read.length, 0);
});

/** A large file whose bytes are cheap to make: none is looked at but by length. */
class Large extends FakeFile {
  constructor(name: string) {
    super(name, EARLY_FROM + 5, undefined, 0);
  }
}

test("a large file is read on while its plan is asked for, a small one is not", async () => {
  const asked: string[] = [];
  const checksum = (blob: Blob) => {
    const { file, start, end } = blob as unknown as Slice;
    asked.push(`${file.name} ${start >> 20}-${end >> 20}`);
    return Promise.resolve("AAAAAAAAAAA=");
  };
  const { engine } = start(
    async ({ method }) => {
      if (method !== "plan") return;
      for (let i = 0; i < 50; i++) await Promise.resolve();
      asked.push("planned");
      engine.cancelAll();
    },
    { checksum },
  );
  engine.add("case", [new Large("large"), new FakeFile("small", 20)]);
  for (let i = 0; i < 100 && !asked.includes("planned"); i++) await new Promise((resolve) => setImmediate(resolve));
  const before = asked.slice(0, asked.indexOf("planned")).sort();
  const pieces = Array.from({ length: 7 }, (_, i) => `large ${8 * i + 8}-${8 * i + 16}`);
  assert.deepEqual(before, ["large 0-1", "large 1-8", ...pieces, "small 0-0"].sort());
});
