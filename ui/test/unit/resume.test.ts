import assert from "node:assert/strict";
import { test } from "node:test";
import { Failure, type Locks } from "../../src/contract.js";
import { fakeTabs, FakeFile, PART } from "./fake.js";
import { open, start } from "./start.js";

test("after a reload the same file sends only what is missing", async () => {
  const page = start();
  page.engine.add("case", [new FakeFile("scan", 60 * PART)]);
  await page.clock.sleep(500);
  page.engine.pauseAll(); // the page is gone
  const held = page.transport.rows.get("id-1")!.parts.size;
  assert.ok(held > 5 && held < 60);

  const { engine, reader, settled, states } = open(page.transport);
  const before = page.transport.order.length;
  const [item] = engine.add("case", [new FakeFile("scan", 60 * PART)]);
  const seen = new Set<string>();
  page.transport.fault = ({ method }) => void (method === "held" && seen.add(item!.state));
  await settled();
  assert.deepEqual(states(), ["done"]);
  assert.ok(seen.has("checking"));
  assert.equal(page.transport.order.length - before, 60 - held);
  assert.equal(item!.resumedBytes, held * PART);
  assert.equal(engine.totals.resumed, held * PART);
  assert.equal(engine.totals.sent, 60 * PART);
  assert.equal(reader.read.length, 1 + 60, "each part was read once, and the fingerprint");
  assert.equal(item!.crc, new FakeFile("scan", 60 * PART).whole());
});

test("held parts of another size or checksum are sent again, never spliced", async () => {
  const page = start();
  page.engine.add("case", [new FakeFile("scan", 40 * PART)]);
  await page.clock.sleep(500);
  page.engine.pauseAll();
  const parts = page.transport.rows.get("id-1")!.parts;
  parts.set(1, { number: 1, size: 60, crc64nvme: parts.get(1)!.crc64nvme });
  parts.set(2, { number: 2, size: PART, crc64nvme: "AAAAAAAAAAA=" });
  parts.set(99, { number: 99, size: PART, crc64nvme: "AAAAAAAAAAA=" });
  const held = parts.size;

  const { engine, settled, states } = open(page.transport);
  const before = page.transport.order.length;
  engine.add("case", [new FakeFile("scan", 40 * PART)]);
  await page.clock.sleep(20);
  parts.delete(99);
  await settled();
  assert.deepEqual(states(), ["done"]);
  assert.equal(page.transport.order.length - before, 40 - (held - 3));
  assert.equal(parts.get(1)!.size, PART);
  assert.equal(page.transport.count("complete id-1"), 1, "the server had to find it out");
  assert.notEqual(parts.get(2)!.crc64nvme, "AAAAAAAAAAA=");
});

test("an upload of which everything has arrived is only completed", async () => {
  let deaf = true;
  const page = start(({ method }) => {
    if (method === "complete" && deaf) throw new Failure(0);
  });
  page.engine.add("case", [new FakeFile("scan", 5 * PART)]);
  await page.clock.sleep(2000);
  deaf = false;
  page.transport.fault = () => {};
  const { engine, settled, states } = open(page.transport);
  engine.add("case", [new FakeFile("scan", 5 * PART)]);
  await settled();
  assert.deepEqual(states(), ["done"]);
  assert.equal(page.transport.order.length, 5);
});

test("comparing a large file keeps no other waiting", async () => {
  const page = start();
  page.engine.add("case", [new FakeFile("scan", 60 * PART)]);
  await page.clock.sleep(500);
  page.engine.pauseAll();
  const slow = open(page.transport);
  const { engine, settled } = open(page.transport, {
    checksum: async (blob) => {
      const crc = await slow.reader.checksum(blob);
      if ((blob as unknown as { file: FakeFile }).file.size > 1000 && blob.size <= PART) await page.clock.sleep(1000);
      return crc;
    },
  });
  const [scan, photo] = engine.add("case", [new FakeFile("scan", 60 * PART), new FakeFile("photo", 90)]);
  await page.clock.sleep(900);
  assert.equal(scan!.state, "checking");
  assert.equal(photo!.state, "done");
  await settled();
  assert.equal(scan!.state, "done");
});

test("what the case has already is not sent again", async () => {
  const page = start();
  page.engine.add("case", [new FakeFile("photo", 90)]);
  await page.settled();
  const { engine, settled, states } = open(page.transport);
  const before = page.transport.order.length;
  const [item] = engine.add("case", [new FakeFile("copy of photo", 90), new FakeFile("other", 90, undefined, 5)]);
  await settled();
  assert.deepEqual(states(), ["received", "done"]);
  assert.equal(page.transport.order.length - before, 1);
  assert.deepEqual([engine.totals.received, engine.totals.done, engine.totals.sent], [1, 1, 180]);
  assert.equal(engine.totals.resumed, 90, "it does not count as sent by this page");
  assert.equal(item!.crc, new FakeFile("photo", 90).whole());
});

test("a person who insists sends it again", async () => {
  const page = start();
  page.engine.add("case", [new FakeFile("photo", 90)]);
  await page.settled();
  const again = new FakeFile("photo", 90);
  again.again = true;
  page.engine.add("case", [again]);
  await page.settled();
  assert.deepEqual(page.states(), ["done", "done"]);
});

const MIB = 1 << 20;

test("large files are read whole only when a received file has their size; then the same bytes are not sent", async () => {
  const page = start();
  page.transport.partSize = page.transport.directFrom = MIB;
  page.transport.checks = false;
  const flat = (name: string, size: number, fill: number) =>
    Object.assign(new FakeFile(name, size), { byte: (at: number) => (at < MIB ? 0 : fill) });
  page.engine.add("case", [flat("first", 2 * MIB, 1)]);
  await page.settled();
  assert.equal(page.transport.count("match"), 1);
  const { engine, reader, settled, states } = open(page.transport);
  const read = (name: string) => reader.read.filter(({ file }) => file.name === name).length;
  engine.add("case", [flat("same", 2 * MIB, 1), flat("alike", 2 * MIB, 2), flat("longer", 2 * MIB + 1, 1)]);
  await settled();
  assert.deepEqual(states(), ["received", "done", "done"]);
  assert.equal(read("same"), 1 + 1, "its beginning, and the whole");
  assert.equal(read("longer"), 1 + 3, "its beginning, and its parts");
  assert.equal(page.transport.count("match"), 2, "one question for all");
});

test("what is expected is asked about before it is added, once, and the answer is waited for", async () => {
  let asked = 0;
  let answer = () => {};
  const held = new Promise<void>((resolve) => (answer = resolve));
  const page = start(async ({ method }) => {
    if (method === "match" && ++asked === 2) await held;
  });
  page.transport.partSize = page.transport.directFrom = MIB;
  page.transport.checks = false;
  const flat = (name: string) => Object.assign(new FakeFile(name, 2 * MIB), { byte: () => 1 });
  page.engine.add("case", [flat("first")]);
  await page.settled();
  const { engine, settled, states } = open(page.transport);
  engine.expect("case", [flat("same")]);
  await page.clock.sleep(1);
  assert.equal(page.transport.count("match"), 2);
  engine.add("case", [flat("same")]);
  const plans = page.transport.plans.length;
  await page.clock.sleep(1000);
  assert.equal(page.transport.plans.length, plans, "it was planned before it was known whether the case has it");
  answer();
  await settled();
  assert.deepEqual(states(), ["received"]);
  assert.equal(page.transport.count("match"), 2);
});

test("without an answer to which sizes are there, files are sent as usual", async () => {
  const page = start(({ method }) => {
    if (method === "match") throw new Failure(404);
  });
  page.transport.partSize = page.transport.directFrom = MIB;
  page.transport.checks = false;
  page.engine.add("case", [Object.assign(new FakeFile("scan", 2 * MIB), { byte: () => 0 })]);
  await page.settled();
  assert.deepEqual(page.states(), ["done"]);
});

test("two tabs with the same file do not fight: the second waits, and finds it done", async () => {
  const locks = fakeTabs();
  const first = start(() => {}, { locks });
  first.engine.add("case", [new FakeFile("scan", 40 * PART)]);
  await first.clock.sleep(300);
  const second = open(first.transport, { locks });
  const [item] = second.engine.add("case", [new FakeFile("scan", 40 * PART)]);
  await first.clock.sleep(100);
  assert.equal(item!.state, "elsewhere");
  await Promise.all([first.settled(), second.settled()]);
  assert.deepEqual([first.states(), second.states()], [["done"], ["done"]]);
  assert.equal(first.transport.order.length, 40);
});

test("when the first tab goes, the second takes over where it was", async () => {
  const locks = fakeTabs();
  const first = start(() => {}, { locks });
  const [mine] = first.engine.add("case", [new FakeFile("scan", 60 * PART)]);
  await first.clock.sleep(300);
  const second = open(first.transport, { locks });
  const [item] = second.engine.add("case", [new FakeFile("scan", 60 * PART)]);
  await first.clock.sleep(200);
  assert.equal(item!.state, "elsewhere");
  first.engine.pause(mine!);
  await first.clock.sleep(5000);
  assert.equal(item!.state, "elsewhere", "a paused file is still the first tab's");
  first.engine.items[0]!.release!(); // the browser does it when the tab closes
  await second.settled();
  assert.equal(item!.state, "done");
  assert.ok(item!.resumedBytes > 0);
  assert.ok(first.transport.order.length <= 60 + 3);
});

test("an upload that waits for another tab can be paused, resumed and cancelled", async () => {
  const locks = fakeTabs();
  const first = start(() => {}, { locks });
  first.engine.add("case", [new FakeFile("scan", 40 * PART)]);
  await first.clock.sleep(300);
  const second = open(first.transport, { locks });
  const [item] = second.engine.add("case", [new FakeFile("scan", 40 * PART)]);
  await first.clock.sleep(100);
  second.engine.pause(item!);
  assert.equal(item!.state, "paused");
  second.engine.resume(item!);
  await first.clock.sleep(10);
  assert.equal(item!.state, "elsewhere");
  second.engine.pause(item!);
  await first.settled();
  second.engine.resume(item!);
  await second.settled();
  assert.equal(item!.state, "done");
});

test("a tab that failed and is retried finds what another has sent meanwhile", async () => {
  const locks = fakeTabs();
  let broken = true;
  const first = start(
    ({ method, part }) => {
      if (method === "part" && part === 5 && broken) throw new Failure(501);
    },
    { locks },
  );
  first.engine.add("case", [new FakeFile("scan", 40 * PART)]);
  await first.settled();
  assert.deepEqual(first.states(), ["failed"]);
  broken = false;
  const second = open(first.transport, { locks });
  second.engine.add("case", [new FakeFile("scan", 40 * PART)]);
  await first.clock.sleep(300);
  first.engine.retryAll();
  await Promise.all([first.settled(), second.settled()]);
  assert.deepEqual([first.states(), second.states()], [["done"], ["done"]]);
  assert.ok(first.transport.order.length <= 40 + 6, `${first.transport.order.length} parts were sent`);
});

test("tabs without locks may both send; the file arrives", async () => {
  const first = start();
  first.engine.add("case", [new FakeFile("scan", 40 * PART)]);
  await first.clock.sleep(300);
  const second = open(first.transport);
  second.engine.add("case", [new FakeFile("scan", 40 * PART)]);
  await Promise.all([first.settled(), second.settled()]);
  assert.deepEqual([first.states(), second.states()], [["done"], ["done"]]);
});

/** Files of one name, size, time and first MiB, as the exports of two computers can be. */
function twins(): [FakeFile, FakeFile] {
  const twin = (fill: number) =>
    Object.assign(new FakeFile("scan", 3 * MIB), { byte: (at: number) => (at < MIB ? 0 : fill) });
  return [twin(1), twin(2)];
}

test("two computers that send different files under one row: both arrive, each with its own bytes", async () => {
  const first = start();
  first.transport.partSize = first.transport.directFrom = MIB;
  const [mine, theirs] = twins();
  const second = open(first.transport);
  first.engine.add("case", [mine]);
  second.engine.add("case", [theirs]);
  await Promise.all([first.settled(), second.settled()]);
  assert.deepEqual([first.states(), second.states()], [["done"], ["done"]]);
  const wholes = [...first.transport.rows.values()].map((row) => {
    assert.equal(row.state, "stored");
    return [1, 2, 3].map((n) => row.parts.get(n)!.crc64nvme).join();
  });
  const own = [mine, theirs].map((file) =>
    [0, 1, 2].map((n) => (file.slice(n * MIB, (n + 1) * MIB) as unknown as { crc: string }).crc).join(),
  );
  assert.deepEqual(wholes.sort(), own.sort());
  const ids = [first, second].map(({ engine }) => engine.items[0]!.id).sort();
  assert.deepEqual(ids, ["id-1", "id-2"], "the slower one went as a new file");
});

test("a tab that waited for another with a different file sends its own as a new one", async () => {
  const locks = fakeTabs();
  const first = start(() => {}, { locks });
  first.transport.partSize = first.transport.directFrom = MIB;
  const [mine, theirs] = twins();
  first.engine.add("case", [mine]);
  const second = open(first.transport, { locks });
  const [item] = second.engine.add("case", [theirs]);
  await Promise.all([first.settled(), second.settled()]);
  assert.equal(item!.state, "done");
  assert.equal(first.transport.stored.length, 2);
  assert.equal(item!.crc, first.transport.rows.get(item!.id)!.spec.crc64nvme, "planned as the file it is");
});

test("paused and resumed while it is being planned, a file is planned once", async () => {
  const page = start();
  const { engine } = open(page.transport, {
    checksum: async (blob) => {
      await page.clock.sleep(100); // reading the first bytes takes its time
      return page.reader.checksum(blob);
    },
  });
  const [scan] = engine.add("case", [new FakeFile("scan", 30 * PART)]);
  await page.clock.sleep(10);
  for (let i = 0; i < 3; i++) {
    engine.pause(scan!);
    engine.resume(scan!);
  }
  while (engine.totals.live > 0) await page.clock.sleep(100);
  assert.equal(scan!.state, "done");
  assert.equal(page.transport.rows.size, 1, "one row on the server");
  assert.equal(page.transport.order.length, 30, "each part went once");
});

test("only large files are locked among tabs: a small one sent twice harms nothing", async () => {
  const names: string[] = [];
  const locks: Locks = async (name) => (names.push(name), () => {});
  const { engine, settled } = start(() => {}, { locks });
  engine.add("case", [new FakeFile("slice", 20), new FakeFile("scan", 3 * PART)]);
  await settled();
  assert.deepEqual(names, ["caseload-upload-id-2"]);
});
