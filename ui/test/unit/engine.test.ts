import assert from "node:assert/strict";
import { test } from "node:test";
import { Failure } from "../../src/contract.js";
import { FakeFile, PART } from "./fake.js";
import { start } from "./start.js";

test("small and large files arrive whole, and the whole file's checksum is known", async () => {
  const { engine, transport, settled, states } = start();
  const files = [new FakeFile("a.stl", 90), new FakeFile("scan.zip", 1050), new FakeFile("b.pdf", 10)];
  engine.add("case", files);
  await settled();
  assert.deepEqual(states(), ["done", "done", "done"]);
  assert.deepEqual(transport.stored.sort(), ["a.stl", "b.pdf", "scan.zip"]);
  assert.equal(transport.rows.get("id-2")!.parts.get(11)!.size, 50, "the last part is the rest");
  assert.deepEqual(
    engine.items.map(({ crc }) => crc),
    files.map((file) => file.whole()),
  );
  assert.equal(engine.totals.sent, 1150);
  assert.equal(engine.totals.resent, 0);
});

test("the plan of many files asks for fifty at once and then for twice as many each time, each file with its fingerprint, in one drop", async () => {
  const { engine, transport, settled } = start();
  const files = Array.from({ length: 600 }, (_, i) => new FakeFile(`slice${i}`, 20, undefined, i));
  const items = engine.add("case", files);
  await settled();
  assert.deepEqual(
    transport.plans.map((plan) => plan.length),
    [50, 100, 200, 250],
  );
  assert.equal(transport.plans[0]![3]!.fingerprint, files[3]!.whole());
  assert.equal(transport.plans[0]![3]!.crc64nvme, files[3]!.whole(), "of a file this small it is the whole checksum");
  assert.deepEqual([...new Set(items.map(({ drop }) => drop))], ["drop-1"]);
  assert.equal(transport.stored.length, 600);
});

test("what is added bit by bit is one drop, however late the server names it; another drop is another", async () => {
  let answer = () => {};
  const asked = new Promise<void>((resolve) => (answer = resolve));
  const { engine, settled } = start(async ({ method }) => {
    if (method === "plan") await asked;
  });
  const drop = {};
  const early = engine.add("case", [new FakeFile("a", 20)], drop);
  const late = engine.add("case", [new FakeFile("b", 20)], drop);
  const other = engine.add("case", [new FakeFile("c", 20)], {});
  answer();
  await settled();
  const later = engine.add("case", [new FakeFile("d", 20)], drop);
  await settled();
  const [first] = early;
  assert.ok(first!.drop);
  assert.deepEqual(
    [...late, ...later].map((item) => item.drop),
    [first!.drop, first!.drop],
  );
  assert.notEqual(other[0]!.drop, first!.drop);
});

test("bytes move after the first fifty are planned, not after the last", async () => {
  const { engine, transport, settled } = start();
  engine.add(
    "case",
    Array.from({ length: 600 }, (_, i) => new FakeFile(`slice${i}`, 20)),
  );
  await settled();
  const first = transport.calls.findIndex((call) => call.startsWith("batch"));
  const asked = transport.calls.slice(0, first).filter((call) => call === "plan");
  assert.ok(asked.length <= 2, "more than the next plan was asked for before");
});

test("several parts and several files are in flight, and never more parts in hand than those and two", async () => {
  const { engine, transport, memory, settled } = start(() => {}, { first: 4, most: 4 });
  engine.add(
    "case",
    [1, 2, 3].map((n) => new FakeFile(`big${n}`, 3000, memory, n)),
  );
  await settled();
  assert.equal(transport.mostFlying, 4);
  assert.ok(new Set(transport.order.slice(0, 6)).size > 1, "one file had the line for itself");
  assert.equal(memory.taken, 90, "a part was read for nothing");
  assert.ok(memory.most <= 4 + 2, `${memory.most} parts in hand`);
});

test("whatever is queued, only the files of the batches in flight and of two more are in hand", async () => {
  const { engine, memory, settled } = start(() => {}, { first: 3, most: 3, batchBytes: 100 });
  engine.add(
    "case",
    Array.from({ length: 2000 }, (_, i) => new FakeFile(`slice${i}`, 20, memory, i)),
  );
  await settled();
  assert.equal(memory.taken, 2000);
  assert.ok(memory.most <= (3 + 2) * 5, `${memory.most} files in hand`);
});

test("files are read for planning a few at a time, whatever is added", async () => {
  const { engine, reader, settled } = start();
  engine.add(
    "case",
    Array.from({ length: 500 }, (_, i) => new FakeFile(`slice${i}`, 20)),
  );
  await settled();
  assert.ok(reader.mostAtOnce <= 2, `${reader.mostAtOnce} at once`);
});

test("a small photo dropped after a large scan does not wait for it", async () => {
  const { engine, transport, clock, settled } = start();
  engine.add("case", [new FakeFile("scan", 400 * PART)]);
  await clock.sleep(500);
  const [photo] = engine.add("case", [new FakeFile("photo", 90)]);
  await clock.sleep(600);
  assert.equal(photo!.state, "done");
  assert.ok(transport.rows.get("id-1")!.parts.size < 300);
  await settled();
});

test("a large file dropped after a much larger one overtakes it, and the larger one gets on meanwhile", async () => {
  const { engine, transport, clock, settled } = start();
  engine.add("case", [new FakeFile("scan", 400 * PART)]);
  await clock.sleep(500);
  engine.add("case", [new FakeFile("model", 40 * PART)]);
  await settled();
  const last = transport.order.lastIndexOf("model");
  const between = transport.order.slice(transport.order.indexOf("model"), last);
  assert.ok(last < 200, "it waited for the scan");
  assert.ok(between.filter((name) => name === "scan").length >= 20, "the scan stood still");
});

test("a photo dropped after a folder of slices does not wait for the folder", async () => {
  const { engine, transport, clock, settled } = start();
  engine.add(
    "case",
    Array.from({ length: 1000 }, (_, i) => new FakeFile(`slice${i}`, 100, undefined, i)),
  );
  await clock.sleep(1000);
  engine.add("case", [new FakeFile("photo", 90)]);
  await settled();
  assert.ok(transport.order.indexOf("photo") < 600, `it was number ${transport.order.indexOf("photo")}`);
});

test("parts are signed in batches, just before they are sent", async () => {
  const { engine, transport, settled } = start();
  engine.add("case", [new FakeFile("big", 20 * PART)]);
  await settled();
  assert.ok(transport.signed.length < 20, "each part had its own request");
  assert.ok(Math.max(...transport.signed.map((batch) => batch.length)) <= 8, "signed long before use");
});

test("while parts fly the next ones are read and signed", async () => {
  let least = Infinity;
  const line = { rate: 2, each: 1, trip: 50 }; // three parts at once take 150 ms and an answer
  const { engine, settled, transport } = start(
    ({ method, part }) => {
      if (method === "part" && part > 5 && part < 35) least = Math.min(least, transport.flying);
    },
    { first: 3, most: 3 },
    line,
  );
  engine.add("case", [new FakeFile("big", 40 * PART)]);
  await settled();
  assert.equal(least, 3, "the line waited for a signature");
});

test("a signature that grew too old while it waited is made anew before it is used", async () => {
  const line = { rate: 0.01, each: 0.01, trip: 50 }; // ten bytes a second: a part takes ten seconds alone
  const { engine, transport, settled, states } = start(() => {}, { first: 2, most: 2 }, line);
  transport.freshFor = 5000;
  engine.add("case", [new FakeFile("big", 8 * PART)]);
  await settled();
  assert.deepEqual(states(), ["done"]);
  assert.equal(transport.expired, 0);
  assert.ok(transport.signed.flat().length > 8);
});

test("a refused file says why; the others go on", async () => {
  const { engine, settled, states } = start();
  engine.add("case", [new FakeFile("empty", 0), new FakeFile("a", 100)]);
  await settled();
  assert.equal(engine.items[0]!.error?.detail, "The file is empty.");
  assert.deepEqual(states(), ["failed", "done"]);
});

test("the same file added twice is one upload", async () => {
  const { engine, transport, settled } = start();
  const first = engine.add("case", [new FakeFile("big", 500)]);
  const second = engine.add("case", [new FakeFile("big", 500), new FakeFile("other", 100)]);
  assert.equal(second[0], first[0]);
  await settled();
  assert.equal(engine.totals.files, 2);
  assert.equal(transport.rows.size, 2);
});

test("two files of one name in different folders are both kept", async () => {
  const { engine, transport, settled } = start();
  const [left, right] = [new FakeFile("IM0001", 100), new FakeFile("IM0001", 100, undefined, 1)];
  left.path = "series1";
  right.path = "series2";
  engine.add("case", [left, right]);
  await settled();
  assert.equal(transport.stored.length, 2);
  assert.deepEqual(
    transport.plans.flat().map(({ path }) => path),
    ["series1", "series2"],
  );
});

test("a paused file sends nothing until it is resumed, and keeps what has arrived", async () => {
  const { engine, transport, clock, settled } = start();
  const [item] = engine.add("case", [new FakeFile("big", 40 * PART)]);
  await clock.sleep(400);
  engine.pause(item!);
  await clock.sleep(100);
  assert.equal(item!.state, "paused");
  assert.equal(transport.flying, 0);
  assert.ok(engine.paused);
  const arrived = transport.rows.get("id-1")!.parts.size;
  assert.ok(arrived > 0 && arrived < 40);
  const calls = transport.calls.length;
  await clock.sleep(60_000);
  assert.equal(transport.calls.length, calls);
  engine.resumeAll();
  await settled();
  assert.equal(item!.state, "done");
  assert.ok(transport.order.length <= 40 + 3, "more than what was in flight was sent again");
});

test("pausing one file leaves the others to go on, also those of its batch", async () => {
  const { engine, clock, settled, states } = start();
  const files = Array.from({ length: 20 }, (_, i) => new FakeFile(`slice${i}`, 50, undefined, i));
  const items = engine.add("case", [...files, new FakeFile("big", 30 * PART)]);
  await clock.sleep(30);
  engine.pause(items[1]!);
  engine.pause(items[20]!);
  await clock.sleep(20_000);
  assert.equal(items[20]!.state, "paused");
  assert.ok(items.slice(2, 20).every(({ state }) => state === "done"));
  engine.resumeAll();
  await settled();
  assert.ok(states().every((state) => state === "done"));
});

test("everything can be paused before it is planned, while it is planned, and at any other moment", async () => {
  for (let at = 0; at < 40; at++) {
    const { engine, transport, clock, settled, states } = start(async ({ method }) => {
      if (method === "plan" || method === "batch") await clock.sleep(5);
    });
    engine.add("case", [new FakeFile("big", 5 * PART), new FakeFile("a", 100), new FakeFile("b", 100)]);
    for (let turn = 0; turn < at; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
    engine.pauseAll();
    await clock.sleep(10_000);
    assert.ok(
      states().every((state) => state === "paused" || state === "done"),
      `${at}: ${states().join()}`,
    );
    engine.resumeAll();
    await settled();
    assert.deepEqual(states(), ["done", "done", "done"]);
    assert.equal(transport.rows.size, 3, "planned twice");
  }
});

test("what is still being read of a drop when everything is paused comes paused; another drop goes out", async () => {
  const { engine, transport, settled, states } = start();
  const [drop, other] = [{}, {}];
  engine.add("case", [new FakeFile("first", 20)], drop);
  engine.pauseAll();
  engine.add("case", [new FakeFile("second", 20, undefined, 2)], drop);
  engine.add("case", [new FakeFile("third", 20, undefined, 3)], other);
  while (!transport.stored.includes("third")) await new Promise(setImmediate);
  assert.deepEqual(states(), ["paused", "paused", "done"]);
  engine.resumeAll();
  engine.add("case", [new FakeFile("fourth", 20, undefined, 4)], drop);
  await settled();
  assert.deepEqual(states(), ["done", "done", "done", "done"]);
});

test("cancelling stops the requests and tells the server", async () => {
  const { engine, transport, clock, states } = start(async ({ method, hang }) => {
    if (method === "part") await hang();
  });
  engine.add("case", [new FakeFile("big", 500)]);
  await clock.sleep(1000);
  assert.ok(transport.flying > 0);
  engine.cancelAll();
  await clock.sleep(10);
  assert.equal(transport.flying, 0);
  assert.deepEqual(transport.aborted, ["id-1"]);
  assert.deepEqual(states(), ["cancelled"]);
  assert.equal(engine.totals.files, 0);
});

test("thousands are cancelled in few calls, case by case", async () => {
  const { engine, transport, clock } = start(async ({ method, hang }) => {
    if (["part", "small", "batch"].includes(method)) await hang();
  });
  const many = (n: number) => Array.from({ length: n }, (_, i) => new FakeFile(`IM${i}`, 10));
  engine.add("one", many(1500));
  engine.add("two", many(3));
  await clock.sleep(5000);
  engine.cancelAll();
  await clock.sleep(10);
  assert.deepEqual(transport.abandonings, [
    { caseId: "one", files: 1000 },
    { caseId: "one", files: 500 },
    { caseId: "two", files: 3 },
  ]);
  engine.cancelAll();
  assert.equal(transport.abandonings.length, 3, "told twice");
});

test("what is cancelled while it is planned and added again at once is planned after the server knows", async () => {
  const { engine, transport, settled, clock, states } = start(() => {}, {}, { rate: 1, each: 1, trip: 50 });
  const abort = transport.abort.bind(transport);
  transport.abort = async (file) => {
    await clock.sleep(500); // a slow answer: the next plan would meet the old row
    await abort(file);
  };
  const [first] = engine.add("case", [new FakeFile("scan", 20)]);
  while (transport.count("plan") === 0) await clock.sleep(1);
  engine.cancel(first!);
  engine.add("case", [new FakeFile("scan", 20)]);
  await settled();
  assert.deepEqual(states(), ["cancelled", "done"]);
  assert.deepEqual(
    [...transport.rows.values()].map(({ state }) => state),
    ["abandoned", "stored"],
  );
});

test("a failed upload is taken up where it was", async () => {
  let broken = true;
  const { engine, transport, settled, states } = start(({ method, part }) => {
    if (method === "part" && part === 5 && broken) throw new Failure(501);
  });
  engine.add("case", [new FakeFile("big", 500)]);
  await settled();
  assert.deepEqual(states(), ["failed"]);
  broken = false;
  engine.retryAll();
  await settled();
  assert.deepEqual(states(), ["done"]);
  assert.equal(transport.plans.length, 1, "planned anew");
  assert.equal(transport.count("part id-1 1"), 1);
});

test("progress is told every other second and only grows", async () => {
  const { engine, transport, settled, clock } = start();
  engine.add("case", [new FakeFile("big", 400 * PART)]);
  await settled();
  assert.ok(transport.reports.length >= 1 && transport.reports.length <= clock.now() / 2000 + 1);
  const told = transport.reports.flat().map(({ sent }) => sent);
  assert.deepEqual(
    told,
    [...told].sort((a, b) => a - b),
  );
});

test("twenty thousand files are taken in at once, and none of them is slower for the others", async () => {
  const { engine, transport, settled } = start(() => {}, { batchBytes: 4000 });
  engine.add(
    "case",
    Array.from({ length: 20_000 }, (_, i) => new FakeFile(`slice${i}`, 20, undefined, i)),
  );
  await settled();
  assert.equal(transport.stored.length, 20_000);
});
