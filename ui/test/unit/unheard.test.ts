// Parts and small files whose answers were not heard: the server may hold them, and is asked before they are sent again.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Failure } from "../../src/contract.js";
import { FakeFile, PART } from "./fake.js";
import { start } from "./start.js";

const scan = () => new FakeFile("scan", 20 * PART);
/** How often each part went. */
const times = (calls: string[], part: number) => calls.filter((call) => call === `part id-1 ${part}`).length;

test("of parts that were paused on their way those that arrived are not sent again, after one question", async () => {
  let reached = () => {};
  const three = new Promise<void>((go) => (reached = go));
  let hanging = 0;
  const { engine, transport, settled, states } = start(async ({ method, part, hang }) => {
    if (method !== "answer" || part < 4 || part > 6 || hanging >= 3) return;
    if (++hanging === 3) reached();
    await hang();
  });
  const [item] = engine.add("case", [scan()]);
  await three;
  engine.pause(item!);
  assert.equal(item!.sent, 3 * PART);
  transport.rows.get("id-1")!.parts.delete(5); // the store was still writing it
  engine.resume(item!);
  await settled();
  assert.deepEqual(states(), ["done"]);
  assert.equal(transport.count("held id-1"), 1);
  assert.deepEqual(
    [4, 5, 6].map((part) => times(transport.calls, part)),
    [1, 2, 1],
  );
  assert.equal(engine.totals.resent, PART, "what arrived was not sent in vain");
  assert.equal(item!.crc, scan().whole());
});

for (const [name, failure] of [
  ["the line broke", new Failure(0)],
  ["a proxy gave up waiting for it", new Failure(504)],
] as const)
  test(`a part whose answer was lost because ${name} is not sent again`, async () => {
    let lost = 0;
    const { engine, transport, settled, states } = start(({ method, part }) => {
      if (method === "answer" && part === 3 && lost++ === 0) throw failure;
    });
    engine.add("case", [scan()]);
    await settled();
    assert.deepEqual(states(), ["done"]);
    assert.equal(times(transport.calls, 3), 1);
    assert.equal(transport.count("held id-1"), 1);
  });

test("a part whose answer never came is broken off, asked for, and not sent again", async () => {
  let once = true;
  const { engine, transport, clock, settled, states } = start(async ({ method, part, hang }) => {
    if (method !== "answer" || part !== 3 || !once) return;
    once = false;
    await hang();
  });
  engine.add("case", [scan()]);
  await settled();
  assert.deepEqual(states(), ["done"]);
  assert.equal(times(transport.calls, 3), 1);
  assert.ok(clock.now() < 60_000, `after ${clock.now()} ms`);
});

test("the last part may be among those that arrived: then the upload is only completed", async () => {
  let once = true;
  const { engine, transport, settled, states } = start(({ method, part }) => {
    if (method !== "answer" || part !== 3 || !once) return;
    once = false;
    throw new Failure(0);
  });
  engine.add("case", [new FakeFile("scan", 3 * PART)]);
  await settled();
  assert.deepEqual(states(), ["done"]);
  assert.equal(transport.order.length, 3);
  assert.equal(transport.count("complete id-1"), 1);
});

test("nothing is asked when nothing was on its way, nor of parts the store refused", async () => {
  const { engine, transport, settled, states } = start(({ method, part, attempt }) => {
    if (method === "sign" && part === 2 && attempt === 1) throw new Failure(0);
    if (method === "part" && part === 4 && attempt === 1) throw new Failure(503);
  });
  const [item] = engine.add("case", [scan()]);
  engine.pause(item!);
  engine.resume(item!);
  await settled();
  assert.deepEqual(states(), ["done"]);
  assert.equal(transport.count("held id-1"), 0);
});

test("other bytes of the same length that the store holds are not taken for the part", async () => {
  let once = true;
  const { engine, transport, settled, states } = start(({ method, part }) => {
    if (method !== "answer" || part !== 3 || !once) return;
    once = false;
    transport.rows.get("id-1")!.parts.set(3, { number: 3, size: PART, crc64nvme: "AAAAAAAAAAA=" });
    throw new Failure(0);
  });
  engine.add("case", [scan()]);
  await settled();
  assert.deepEqual(states(), ["done"]);
  assert.equal(times(transport.calls, 3), 2);
});

for (const [name, failure] of [
  ["is not answered", new Failure(0)],
  ["is refused", new Failure(403)],
  ["fails", new Failure(500)],
] as const)
  test(`a question that ${name} keeps nothing: the part is sent again, soon`, async () => {
    let once = true;
    const { engine, transport, clock, settled, states } = start(({ method, part }) => {
      if (method === "held") throw failure;
      if (method !== "answer" || part !== 3 || !once) return;
      once = false;
      throw new Failure(0);
    });
    engine.add("case", [scan()]);
    await settled();
    assert.deepEqual(states(), ["done"]);
    assert.equal(times(transport.calls, 3), 2);
    assert.ok(clock.now() < 15_000, `after ${clock.now()} ms`);
    assert.ok(transport.count("held id-1") <= 3);
  });

test("signed out while the question is put, the upload asks again once somebody has signed in", async () => {
  let once = true;
  let signedOut = false;
  const { engine, transport, clock, settled, states } = start(({ method, part }) => {
    if (signedOut && ["held", "ping"].includes(method)) throw new Failure(401);
    if (method !== "answer" || part !== 20 || !once) return;
    once = false;
    signedOut = true;
    throw new Failure(0);
  });
  engine.add("case", [scan()]);
  await clock.sleep(60_000);
  assert.equal(engine.gate, "signIn");
  signedOut = false;
  engine.retryAll();
  await settled();
  assert.deepEqual(states(), ["done"]);
  assert.equal(times(transport.calls, 20), 1);
});

const slices = (count: number) =>
  Array.from({ length: count }, (_, i) => new FakeFile(`slice${i}`, 20 + i, undefined, i));

for (const [name, failure] of [
  ["the line broke", new Failure(0)],
  ["a proxy gave up waiting for it", new Failure(504)],
] as const)
  test(`of a batch whose answer was lost because ${name} nothing that arrived is sent again, after one question`, async () => {
    let lost = false;
    const { engine, transport, settled, states } = start(({ method, file }) => {
      if (method === "inBatch" && file === "id-4" && !lost) throw new Failure(0); // it and those behind it did not arrive
      if (method !== "answerBatch" || lost) return;
      lost = true;
      throw failure;
    });
    engine.add("case", slices(6));
    await settled();
    assert.deepEqual([...new Set(states())], ["done"]);
    assert.equal(transport.count("arrived"), 1);
    const times = (name: string) => transport.order.filter((other) => other === name).length;
    assert.deepEqual(["slice0", "slice1", "slice2", "slice3"].map(times), [1, 1, 1, 2]);
  });

test("a small file alone whose answer was lost has arrived: it is not sent again", async () => {
  const { engine, transport, settled, states } = start(({ method, attempt }) => {
    if (method === "answerSmall" && attempt === 1) throw new Failure(0);
  });
  const [item] = engine.add("case", [new FakeFile("photo", 90)]);
  await settled();
  assert.deepEqual(states(), ["done"]);
  assert.deepEqual(transport.order, ["photo"]);
  assert.equal(transport.count("arrived"), 1);
  assert.equal(item!.crc, new FakeFile("photo", 90).whole());
  assert.equal(engine.totals.resent, 0);
});

test("other bytes of the same length that the server received under a small file's id are not taken for it", async () => {
  const { engine, transport, settled } = start(({ method, attempt }) => {
    if (method !== "answerSmall" || attempt !== 1) return;
    transport.rows.get("id-1")!.parts.set(1, { number: 1, size: 90, crc64nvme: "AAAAAAAAAAA=" });
    throw new Failure(0);
  });
  engine.add("case", [new FakeFile("photo", 90)]);
  await settled();
  assert.deepEqual(transport.order, ["photo", "photo"]);
});

test("the question whether small files arrived may fail: they are sent again, soon", async () => {
  const { engine, transport, clock, settled, states } = start(({ method, attempt }) => {
    if (method === "arrived" || (method === "answerSmall" && attempt === 1)) throw new Failure(0);
  });
  engine.add("case", [new FakeFile("photo", 90)]);
  await settled();
  assert.deepEqual(states(), ["done"]);
  assert.deepEqual(transport.order, ["photo", "photo"]);
  assert.equal(transport.count("arrived"), 3);
  assert.ok(clock.now() < 15_000, `after ${clock.now()} ms`);
});

test("a small file that was paused with all its bytes on their way is asked for when it goes on", async () => {
  let reached = () => {};
  const answered = new Promise<void>((go) => (reached = go));
  const { engine, transport, settled, states } = start(async ({ method, attempt, hang }) => {
    if (method !== "answerSmall" || attempt !== 1) return;
    reached();
    await hang();
  });
  const [item] = engine.add("case", [new FakeFile("photo", 90)]);
  await answered;
  engine.pause(item!);
  engine.resume(item!);
  await settled();
  assert.deepEqual(states(), ["done"]);
  assert.deepEqual(transport.order, ["photo"]);
});
