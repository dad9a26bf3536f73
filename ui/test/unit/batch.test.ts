import assert from "node:assert/strict";
import { test } from "node:test";
import { Failure } from "../../src/contract.js";
import { toBase64 } from "../../src/crc64.js";
import { BATCH_BYTES, batchBytes, multipart, Pace, shares } from "../../src/batch.js";
import { FakeFile } from "./fake.js";
import { start } from "./start.js";

const slices = (n: number, size = 20) =>
  Array.from({ length: n }, (_, i) => new FakeFile(`slice${i}`, size, undefined, i));
const problem = (status: number, kind: string, detail = "") =>
  new Failure(status, { problem: { status, kind, detail } });

test("small files travel together, in order, and several batches at once", async () => {
  const { engine, transport, settled, states } = start();
  engine.add("case", slices(200));
  await settled();
  assert.ok(states().every((state) => state === "done"));
  assert.ok(transport.batches.length <= 20, `${transport.batches.length} batches`);
  assert.ok(transport.mostFlying >= 3);
  assert.deepEqual(
    transport.batches.flat(),
    slices(200).map(({ name }) => name),
  );
});

test("a file that would fill a batch goes alone", async () => {
  const { engine, transport, settled } = start(() => {}, { batchBytes: 100 });
  transport.directFrom = 1000;
  engine.add("case", [new FakeFile("large", 600), new FakeFile("a", 20), new FakeFile("b", 20)]);
  await settled();
  assert.deepEqual(transport.batches.flat(), ["a", "b"]);
  assert.equal(transport.count("small id-1"), 1);
});

test("a refused file of a batch says why; the others are received", async () => {
  const { engine, settled, states } = start(({ method, file }) => {
    if (method === "inBatch" && file === "id-3") throw problem(409, "conflict", "Other bytes were already received.");
  });
  engine.add("case", slices(10));
  await settled();
  assert.equal(engine.items[2]!.error?.detail, "Other bytes were already received.");
  assert.equal(states().filter((state) => state === "done").length, 9);
});

test("a file spoilt within a batch is sent again", async () => {
  const { engine, transport, settled, states } = start(({ method, file, attempt }) => {
    if (method === "inBatch" && file === "id-3" && attempt === 1) throw problem(400, "invalid", "Other bytes arrived.");
  });
  engine.add("case", slices(10));
  await settled();
  assert.ok(states().every((state) => state === "done"));
  assert.equal(transport.order.filter((name) => name === "slice2").length, 2);
  assert.equal(transport.order.length, 11);
});

test("files that were not looked at are sent again", async () => {
  const { engine, settled, states } = start(({ method, file, attempt }) => {
    if (method === "inBatch" && Number(file.slice(3)) > 4 && attempt === 1) throw new Failure(0);
  });
  engine.add("case", slices(10));
  await settled();
  assert.ok(states().every((state) => state === "done"));
});

test("a batch that keeps failing is split until each file goes alone", async () => {
  const { engine, transport, settled, states } = start(({ method }) => {
    if (method === "batch") throw new Failure(0);
  });
  engine.add("case", slices(16));
  await settled();
  assert.ok(states().every((state) => state === "done"));
  assert.equal(transport.calls.filter((call) => call.startsWith("small")).length, 16);
  const lengths = transport.batches.map((batch) => batch.length);
  assert.ok(lengths[0]! > 8 && lengths.some((length) => length > 1 && length <= lengths[0]! / 2), lengths.join());
});

test("a batch the server finds too large is split", async () => {
  const { engine, transport, settled, states } = start(({ method, body }) => {
    if (method === "batch" && transport.batches.at(-1)!.length > 5) throw problem(413, "too_large");
    void body;
  });
  engine.add("case", slices(40));
  await settled();
  assert.ok(states().every((state) => state === "done"));
});

test("a server without the route for batches gets the files one by one", async () => {
  const { engine, transport, settled, states } = start(({ method }) => {
    if (method === "batch") throw new Failure(405);
  });
  engine.add("case", slices(40));
  await settled();
  assert.ok(states().every((state) => state === "done"));
  assert.ok(transport.batches.length <= 5, `it was tried ${transport.batches.length} times`);
});

test("signed out in the middle of a batch, everything waits and then goes on", async () => {
  let signedOut = false;
  const { engine, clock, settled, states } = start(({ method }) => {
    if (["batch", "small", "ping"].includes(method) && signedOut) throw problem(401, "unauthenticated");
  });
  engine.add("case", slices(200));
  await clock.sleep(150);
  signedOut = true;
  await clock.sleep(20_000);
  assert.equal(engine.gate, "signIn");
  assert.ok(!states().includes("failed"));
  signedOut = false;
  engine.retryAll();
  await settled();
  assert.ok(states().every((state) => state === "done"));
});

test("a file of a batch that cannot be read fails alone", async () => {
  const { engine, settled, states } = start(({ method }) => {
    if (method !== "batch" || files[3]!.broken) return;
    files[3]!.broken = "NotReadableError";
    throw new Failure(0);
  });
  const files = slices(10);
  engine.add("case", files);
  await settled();
  assert.equal(engine.items[3]!.error?.kind, "changed");
  assert.equal(states().filter((state) => state === "done").length, 9);
});

test("cancelling a file of a batch in flight leaves the others; cancelling all breaks it off", async () => {
  const held = start(async ({ method, hang }) => {
    if (method === "batch") await hang();
  });
  const items = held.engine.add("case", slices(3));
  await held.clock.sleep(200);
  held.engine.cancel(items[0]!);
  await held.clock.sleep(10);
  assert.equal(held.transport.flying, 1);
  held.engine.cancelAll();
  await held.clock.sleep(10);
  assert.equal(held.transport.flying, 0);
  assert.deepEqual(held.transport.aborted.sort(), ["id-1", "id-2", "id-3"]);
});

test("a batch is as large as what waits allows every transfer to have some", () => {
  const MIB = 1 << 20;
  assert.equal(batchBytes(500 * MIB, 4, 4 * MIB), 4 * MIB);
  assert.equal(batchBytes(8 * MIB, 4, 4 * MIB), 2 * MIB);
  assert.equal(batchBytes(1000, 4, 4 * MIB), 256 * 1024, "but not needlessly small");
});

test("progress of a batch is that of its files, one after the other", () => {
  assert.deepEqual(shares([10, 20, 5], 0), [0, 0, 0]);
  assert.deepEqual(shares([10, 20, 5], 12), [10, 2, 0]);
  assert.deepEqual(shares([10, 20, 5], 999), [10, 20, 5]);
});

test("the body of a batch is multipart/mixed: each file with its id, length and checksum", async () => {
  const body = multipart([{ id: "f1", crc: "AAAAAAAAAAA=", body: new Blob(["one"]) }], "edge");
  assert.equal(
    await body.text(),
    "--edge\r\nContent-ID: <f1>\r\nContent-Length: 3\r\nX-Amz-Checksum-Crc64nvme: AAAAAAAAAAA=\r\n\r\none\r\n--edge--\r\n",
  );
});

test("batches grow on a line that takes them quickly, shrink on a slow one, and begin anew after a failure", () => {
  const pace = new Pace();
  assert.equal(pace.bytes, BATCH_BYTES);
  pace.took(BATCH_BYTES / 4, 100);
  assert.equal(pace.bytes, BATCH_BYTES, "a small one tells nothing about large ones");
  for (let i = 0; i < 5; i++) pace.took(pace.bytes, 500);
  assert.equal(pace.bytes, 4 * BATCH_BYTES, "and no further");
  pace.took(pace.bytes, 2500);
  assert.equal(pace.bytes, 4 * BATCH_BYTES, "neither quick nor slow");
  pace.took(pace.bytes, 5000);
  assert.equal(pace.bytes, 2 * BATCH_BYTES);
  pace.failed();
  assert.equal(pace.bytes, BATCH_BYTES);
  pace.took(pace.bytes, 5000);
  assert.equal(pace.bytes, BATCH_BYTES, "and no smaller");
});

test("a thousand small files on a quick line take fewer requests than batches of the first size would", async () => {
  let read = 0n;
  const checksum = async () => toBase64(++read); // 100 MB are not to be read
  const { engine, transport, settled } = start(() => {}, { batchBytes: undefined, checksum });
  transport.directFrom = Infinity;
  transport.checks = false;
  engine.add("case", slices(200, BATCH_BYTES / 8));
  await settled();
  assert.ok(transport.batches.length < 20, `${transport.batches.length} batches, 25 of the first size`);
  assert.ok(transport.batches.some((batch) => batch.length > 8));
});
