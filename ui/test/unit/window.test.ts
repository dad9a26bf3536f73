import assert from "node:assert/strict";
import { test } from "node:test";
import { Climb, Slots } from "../../src/window.js";
import { FakeFile } from "./fake.js";
import { start } from "./start.js";

/** Drives a Climb for some seconds over a line that carries so much for n transfers, in bytes a millisecond. */
function drive(climb: Climb, seconds: number, carries: (n: number) => number, from = 0, busy = 1) {
  const limits: number[] = [];
  for (let now = from; now < from + seconds * 1000; now += 50) {
    const flying = Math.round(climb.limit * busy);
    climb.flying(flying, now);
    climb.moved(carries(flying) * 50, now + 50);
    limits.push(climb.limit);
  }
  return limits;
}

test("on a line that bears eight times one connection the window is full within six seconds", () => {
  const climb = new Climb(3, 8);
  const limits = drive(climb, 7, (n) => n * 16_000);
  assert.equal(limits[0], 3);
  assert.ok(limits.indexOf(8) >= 0 && limits.indexOf(8) < 6 * 20, limits.join());
});

test("a line that three transfers fill gets few more for long", () => {
  const climb = new Climb(3, 8);
  const limits = drive(climb, 120, () => 6_000);
  assert.ok(Math.max(...limits) <= 4, `${Math.max(...limits)} at once`);
  const beyond = limits.filter((limit) => limit > 3).length;
  assert.ok(beyond < limits.length / 8, `${beyond} of ${limits.length}`);
});

test("one poor sample does not take back what pays; two do", () => {
  for (const [poor, kept] of [
    [1, true],
    [2, false],
  ] as const) {
    const climb = new Climb(3, 4);
    let samples = 0;
    let limit = 3;
    for (let now = 0; now < 4000; now += 50) {
      climb.flying(climb.limit, now);
      climb.moved(climb.limit === 3 ? 3000 * 50 : (samples < poor * 18 ? 2900 : 4600) * 50, now + 50);
      if (climb.limit === 4) samples++;
      limit = climb.limit;
    }
    assert.equal(limit === 4, kept, `${poor} poor`);
  }
});

test("a window that became needlessly large shrinks again", () => {
  const climb = new Climb(3, 8);
  drive(climb, 8, (n) => n * 1000);
  assert.equal(climb.limit, 8);
  drive(climb, 400, (n) => Math.min(4000, n * 1000), 8000);
  assert.ok(climb.limit <= 6, `${climb.limit}`);
});

test("what breaks the line halves the window once, however many transfers it breaks", () => {
  const climb = new Climb(3, 8);
  drive(climb, 8, (n) => n * 1000);
  for (let i = 0; i < 8; i++) climb.broke(8000 + i);
  assert.equal(climb.limit, 4);
  climb.broke(11_000);
  climb.broke(14_000);
  climb.broke(17_000);
  assert.equal(climb.limit, 1, "and never stops all");
});

test("after a break the window grows again while that pays", () => {
  const climb = new Climb(3, 8);
  drive(climb, 8, (n) => n * 1000);
  climb.broke(8000);
  climb.broke(11_000);
  assert.equal(climb.limit, 2);
  drive(climb, 10, (n) => n * 1000, 11_000);
  assert.equal(climb.limit, 8);
});

test("a window that is not in use is not judged", () => {
  const climb = new Climb(3, 8);
  const limits = drive(climb, 60, (n) => n * 1000, 0, 0.67);
  assert.deepEqual([...new Set(limits)], [3]);
});

test("slots go in order, within the window and within each lane", async () => {
  let limit = 3;
  const slots = new Slots(
    () => limit,
    { page: 2, store: 6 },
    () => {},
  );
  const order: string[] = [];
  const signal = new AbortController().signal;
  const take = (name: string, lane: "page" | "store") => slots.take(lane, signal).then(() => order.push(name));
  const rest = () => new Promise<void>((resolve) => setImmediate(resolve));
  void take("a", "page");
  void take("b", "page");
  void take("c", "page");
  void take("d", "store");
  void take("e", "store");
  await rest();
  assert.deepEqual(order, ["a", "b", "d"], "the page's lane is full, the store's is not");
  limit = 4;
  slots.next();
  await rest();
  assert.deepEqual(order, ["a", "b", "d", "e"]);
  slots.give("page");
  await rest();
  assert.deepEqual(order, ["a", "b", "d", "e", "c"]);
});

test("who is stopped while waiting for a slot leaves the queue", async () => {
  const slots = new Slots(
    () => 1,
    { page: 1, store: 1 },
    () => {},
  );
  const never = new AbortController().signal;
  const stop = new AbortController();
  await slots.take("page", never);
  const waiting = slots.take("page", stop.signal);
  const next = slots.take("page", never);
  stop.abort();
  await assert.rejects(waiting);
  slots.give("page");
  await next;
});

test("with the store at the page's own address two connections are left for the page", async () => {
  const line = { rate: 100, each: 10, trip: 50 };
  const { engine, transport, settled } = start(() => {}, {}, line);
  transport.partSize = transport.directFrom = 20_000;
  engine.add("case", [Object.assign(new FakeFile("scan", 900_000), { byte: () => 0 })]);
  await settled();
  assert.equal(transport.mostFlying, 4);
});

test("on a swift line the next part leaves while one waits for its answer, and never while two do", async () => {
  for (const [rate, most] of [
    [40_000, 5],
    [4000, 4], // bytes a millisecond: four parts of it take their time
  ] as const) {
    const { engine, transport, settled } = start(
      () => {},
      { checksum: async () => "AAAAAAAAAAA=" },
      { rate, each: rate / 4, trip: 500 },
    );
    transport.checks = false;
    transport.partSize = 8 << 20;
    engine.add("case", [new FakeFile("scan", 512 << 20)]);
    await settled();
    assert.equal(transport.mostFlying, most);
  }
});

test("when the window grows the next part is read at once, not when another has landed", async () => {
  const line = { rate: 20_000, each: 2000, trip: 50 }; // bytes a millisecond: a part takes two seconds
  const size = 4 << 20;
  let read = 0;
  let readBefore = 0; // the first part landed
  const checksum = async (blob: Blob) => {
    if (blob.size === size) read++;
    if (transport.rows.get("id-1")?.parts.size === 0) readBefore = read;
    return "AAAAAAAAAAA=";
  };
  const { engine, transport, settled } = start(() => {}, { checksum }, line);
  transport.checks = false;
  transport.partSize = size;
  engine.add("case", [new FakeFile("scan", 60 << 20)]);
  await settled();
  assert.equal(readBefore, 4 + 2);
});

test("to a store elsewhere six may fly, and small files beside them to the page", async () => {
  const line = { rate: 1000, each: 10, trip: 50 };
  const { engine, transport, settled } = start(() => {}, { batchBytes: 3000 }, line);
  transport.host = "https://store.example";
  transport.partSize = transport.directFrom = 20_000;
  const small = Array.from({ length: 400 }, (_, i) => new FakeFile(`s${i}`, 1500, undefined, i));
  engine.add("case", [Object.assign(new FakeFile("scan", 900_000), { byte: () => 0 }), ...small]);
  await settled();
  assert.ok(transport.mostFlying > 6 && transport.mostFlying <= 8, `${transport.mostFlying}`);
});

test("a gigabyte crosses a gigabit line with 50 ms at more than eight tenths of its rate", async () => {
  const line = { rate: 125_000, each: 25_000, trip: 50 }; // one connection alone bears a fifth
  const { engine, transport, settled } = start(() => {}, { checksum: async () => "AAAAAAAAAAA=" }, line);
  transport.host = "https://store.example";
  transport.checks = false;
  transport.partSize = 32 << 20;
  engine.add("case", [new FakeFile("scan", 2 ** 30)]);
  await settled();
  const ideal = 2 ** 30 / line.rate;
  assert.ok(transport.endedAt < ideal / 0.85, `${transport.endedAt} ms instead of ${ideal}`);
});

test("a thousand slices cross a line of 200 Mbit/s with 50 ms at more than eight tenths of its rate", async () => {
  const line = { rate: 25_000, each: 25_000, trip: 60 }; // an answer takes the server ten milliseconds more
  const { engine, transport, settled } = start(
    () => {},
    { checksum: async () => "AAAAAAAAAAA=", batchBytes: 4 << 20 },
    line,
  );
  transport.checks = false;
  transport.directFrom = 50e6;
  engine.add(
    "case",
    Array.from({ length: 1000 }, (_, i) => new FakeFile(`slice${i}`, 500_000)),
  );
  await settled();
  const ideal = 500e6 / line.rate;
  assert.ok(transport.endedAt < ideal / 0.85, `${transport.endedAt} ms instead of ${ideal}`);
});
