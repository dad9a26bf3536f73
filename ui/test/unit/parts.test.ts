import assert from "node:assert/strict";
import { test } from "node:test";
import { createCRC64 } from "hash-wasm";
import { combine, Crc64, crc64, POLYNOMIAL, toBase64 } from "../../src/crc64.js";
import { isJunk, sourceOf } from "../../src/dropped.js";
import { count, duration, percent, size } from "../../src/format.js";
import { Rate } from "../../src/rate.js";
import { backoff, Turns } from "../../src/wait.js";

const bytes = (text: string) => new TextEncoder().encode(text);
const noise = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 2654435761) >>> 13);

test("CRC-64/NVME has the check value of its specification", () => {
  assert.equal(crc64(bytes("123456789")), 0xae8b14860a799888n);
  assert.equal(crc64(new Uint8Array(0)), 0n);
  assert.equal(toBase64(0xae8b14860a799888n), "rosUhgp5mIg=");
});

test("hash-wasm and the fallback agree at every length, in one piece and in several", async () => {
  const wasm = await createCRC64(POLYNOMIAL);
  for (const length of [0, 1, 7, 8, 9, 63, 64, 65, 1000, 100_003]) {
    const data = noise(length);
    const expected = BigInt("0x" + wasm.init().update(data).digest("hex"));
    assert.equal(crc64(data), expected, `${length} bytes`);
    const cut = Math.floor(length / 3);
    assert.equal(new Crc64().update(data.subarray(0, cut)).update(data.subarray(cut)).value(), expected);
  }
});

test("checksums of pieces combine to that of the whole", () => {
  const data = noise(10_000);
  for (const cut of [0, 1, 4096, 9_999, 10_000]) {
    const joined = combine(crc64(data.subarray(0, cut)), crc64(data.subarray(cut)), data.length - cut);
    assert.equal(joined, crc64(data), `cut at ${cut}`);
  }
});

test("what systems leave in folders is junk; what people name so is not", () => {
  for (const [path, name] of [
    ["", ".DS_Store"],
    ["scan", "Thumbs.db"],
    ["a/__MACOSX/b", "x.dcm"],
    ["", "desktop.ini"],
    ["", "._x.stl"],
  ] as const)
    assert.ok(isJunk(path, name), `${path}/${name}`);
  for (const [path, name] of [
    ["", "thumbs.dcm"],
    ["MACOSX", "x"],
    ["", "DICOMDIR"],
    ["", "임대석.zip"],
  ] as const)
    assert.ok(!isJunk(path, name), `${path}/${name}`);
});

test("sizes, counts and times read well", () => {
  assert.deepEqual([0, 999, 1000, 4_100, 999_499, 999_500, 318_000_000, 1_073_741_824].map(size), [
    "0 B",
    "999 B",
    "1.0 kB",
    "4.1 kB",
    "999 kB",
    "1.0 MB",
    "318 MB",
    "1.1 GB",
  ]);
  const words = { files: "{n} file|{n} files", seconds: "{n} s", minutes: "{n} min", hours: "{h} h {m} min" };
  assert.equal(count(words, "files", 1), "1 file");
  assert.equal(count(words, "files", 1204), "1,204 files");
  assert.deepEqual(
    [0.2, 9, 12, 54, 61, 3600, 5460].map((s) => duration(words, s)),
    ["1 s", "9 s", "15 s", "55 s", "2 min", "1 h 0 min", "1 h 31 min"],
  );
  assert.deepEqual([percent(0, 0), percent(999, 1000), percent(1000, 1000)], [0, 99, 100]);
});

test("the rate settles on the line's and follows when it changes", () => {
  const rate = new Rate();
  let sent = 0;
  for (let t = 0; t <= 10_000; t += 500) rate.sample((sent += 500_000), t);
  assert.ok(Math.abs(rate.perSecond - 1_000_000) < 1_000, String(rate.perSecond));
  assert.equal(Math.round(rate.secondsFor(10_000_000)!), 10);
  for (let t = 10_500; t <= 40_000; t += 500) rate.sample((sent += 50_000), t);
  assert.ok(rate.perSecond < 200_000, String(rate.perSecond));
  assert.equal(new Rate().secondsFor(5), undefined);
});

test("a part that is to be sent again makes the rate fall smoothly, neither to nothing nor below", () => {
  const rate = new Rate();
  let sent = 0;
  for (let t = 0; t <= 10_000; t += 500) rate.sample((sent += 500_000), t);
  rate.sample((sent -= 400_000), 10_500);
  assert.ok(rate.perSecond > 800_000, String(rate.perSecond));
  let last = rate.perSecond;
  for (let t = 11_000; t <= 20_000; t += 500) {
    rate.sample((sent += 500_000), t);
    assert.ok(Math.abs(rate.perSecond - last) < 100_000, "it jumped");
    last = rate.perSecond;
  }
  assert.ok(rate.perSecond > 950_000, String(rate.perSecond));
});

test("pauses double from half a second to thirty", () => {
  assert.deepEqual(
    [1, 2, 3, 7, 20].map((n) => backoff(n, 1)),
    [500, 1000, 2000, 30_000, 30_000],
  );
  assert.equal(backoff(1, 0), 250);
});

test("turns are given in order, the urgent first, and never too many", async () => {
  const turns = new Turns(2);
  const order: number[] = [];
  const take = async (n: number, urgency = 0) => {
    await turns.take(urgency);
    order.push(n);
  };
  await Promise.all([take(1), take(2)]);
  const waiting = [take(3), take(4), take(5, 1)];
  assert.equal(turns.taken, 2);
  for (let i = 0; i < 3; i++) turns.give();
  await Promise.all(waiting);
  assert.equal(turns.taken, 2);
  assert.deepEqual(order, [1, 2, 5, 3, 4]);
});

test("all of a file is the file itself, without a question to the browser's process", async () => {
  const file = new File(["abcdef"], "slice");
  const source = sourceOf(file, "");
  assert.equal(source.slice(0, 6), file);
  assert.equal(await source.slice(2, 4).text(), "cd");
  assert.equal(await source.slice(0, 4).text(), "abcd");
});
