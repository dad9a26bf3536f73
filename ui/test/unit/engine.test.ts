import assert from "node:assert/strict";
import { test } from "node:test";
import { Failure } from "../../src/contract.js";
import { Engine, type EngineOptions } from "../../src/engine.js";
import { FakeClock, FakeFile, FakeTransport, Memory, PART, type Fault } from "./fake.js";

function start(fault: Fault = () => {}, options: Partial<EngineOptions> = {}) {
  const clock = new FakeClock();
  const memory = new Memory();
  const transport = new FakeTransport(clock, fault, memory);
  let checksums = 0;
  let settle = () => {};
  const engine = new Engine({
    transport,
    clock,
    checksum: async (blob) => {
      checksums++;
      if (!(blob as unknown as { file: FakeFile }).file.readable) throw new Error("NotReadableError");
      return "crc";
    },
    onChange: () => engine.totals.live === 0 && settle(),
    ...options,
  });
  const settled = () => new Promise<void>((resolve) => ((settle = resolve), engine.totals.live === 0 && resolve()));
  return { clock, memory, transport, engine, settled, checksums: () => checksums };
}

const line = () => new Failure(0);

test("small and large files arrive whole", async () => {
  const { engine, transport, settled } = start();
  engine.add("case", [new FakeFile("a.stl", 90), new FakeFile("scan.zip", 1050), new FakeFile("b.pdf", 10)]);
  await settled();
  assert.deepEqual(
    engine.items.map(({ state }) => state),
    ["done", "done", "done"],
  );
  assert.deepEqual([...transport.stored.values()].sort(), ["a.stl", "b.pdf", "scan.zip"]);
  assert.equal(transport.parts.get("id-2")!.get(11), 50, "the last part is the rest");
  assert.equal(engine.totals.sent, 1150);
});

test("a thousand files are one plan; the next thousand another; small ones are sent in order", async () => {
  const { engine, transport, settled } = start();
  const files = Array.from({ length: 1200 }, (_, i) => new FakeFile(`slice${i}`, 20));
  engine.add("case", files);
  await settled();
  assert.deepEqual(transport.plans, [1000, 200]);
  assert.equal(transport.stored.size, 1200);
  assert.deepEqual(
    transport.order,
    files.map(({ name }) => name),
  );
});

test("several parts and several files are in flight, never more than allowed, and few parts are in hand", async () => {
  const { engine, transport, memory, settled } = start(() => {}, { atOnce: 4 });
  engine.add(
    "case",
    [1, 2, 3].map((n) => new FakeFile(`big${n}`, 3000, memory)),
  );
  await settled();
  assert.equal(transport.mostFlying, 4);
  assert.ok(new Set(transport.order.slice(0, 6)).size > 1, "one file had the line for itself");
  assert.equal(memory.slices, 90);
  assert.ok(memory.most <= 4 + 2, `${memory.most} parts in hand`);
});

test("parts are signed in batches, just before they are sent", async () => {
  const { engine, transport, settled } = start();
  engine.add("case", [new FakeFile("big", 20 * PART)]);
  await settled();
  assert.ok(transport.signed.length < 20, "each part had its own request");
  assert.ok(Math.max(...transport.signed.map((batch) => batch.length)) <= 6, "signed long before use");
});

test("a part that fails is sent again, with growing pauses, and the rest goes on", async () => {
  const { engine, transport, clock, settled } = start(({ method, part, attempt }) => {
    if (method === "part" && part === 2 && attempt <= 3) throw new Failure(503);
  });
  engine.add("case", [new FakeFile("big", 500)]);
  await settled();
  assert.equal(engine.items[0]!.state, "done");
  assert.equal(transport.calls.filter((call) => call === "part id-1 2").length, 4);
  assert.equal(transport.calls.filter((call) => call === "part id-1 1").length, 1);
  assert.ok(clock.now() >= 375 + 750 + 1500, `only ${clock.now()} ms`);
});

test("the store's 403 means a new signature, not a failure", async () => {
  const { engine, transport, settled } = start(({ method, attempt }) => {
    if (method === "part" && attempt === 1) throw new Failure(403);
  });
  engine.add("case", [new FakeFile("big", 300)]);
  await settled();
  assert.equal(engine.items[0]!.state, "done");
  assert.equal(transport.signed.flat().length, 6, "each part was signed twice");
});

test("a store that refuses every signature ends as a failure", async () => {
  const { engine, settled } = start(({ method }) => {
    if (method === "part") throw new Failure(403);
  });
  engine.add("case", [new FakeFile("big", 300)]);
  await settled();
  assert.equal(engine.items[0]!.state, "failed");
});

test("bytes spoilt on the way are read and sent again", async () => {
  const { engine, checksums, settled } = start(({ method, attempt }) => {
    if (method === "small" && attempt === 1) throw new Failure(400);
  });
  engine.add("case", [new FakeFile("a", 100)]);
  await settled();
  assert.equal(engine.items[0]!.state, "done");
  assert.equal(checksums(), 2);
});

test("a line that stands still is broken off and tried again", async () => {
  const { engine, transport, clock, settled } = start(async ({ method, attempt, hang }) => {
    if (method === "part" && attempt === 1) await hang();
  });
  engine.add("case", [new FakeFile("big", 300)]);
  await settled();
  assert.equal(engine.items[0]!.state, "done");
  assert.ok(clock.now() >= 30_000, "broken off too early");
  assert.equal(transport.calls.filter((call) => call.startsWith("part")).length, 6);
});

test("without a network everything waits and nothing fails", async () => {
  const { engine, transport, settled, clock } = start();
  engine.setOnline(false);
  engine.add("case", [new FakeFile("a", 100)]);
  await clock.sleep(600_000);
  assert.equal(transport.calls.length, 0);
  assert.equal(engine.items[0]!.state, "queued");
  engine.setOnline(true);
  await settled();
  assert.equal(engine.items[0]!.state, "done");
});

test("after the session has ended, signing in and retrying goes on", async () => {
  let signedOut = true;
  const { engine, settled, clock } = start(({ method }) => {
    if (method === "small" && signedOut) throw new Failure(401);
  });
  engine.add("case", [new FakeFile("a", 100)]);
  await clock.sleep(5000);
  assert.equal(engine.gate, "signIn");
  signedOut = false;
  engine.retryAll();
  await settled();
  assert.equal(engine.items[0]!.state, "done");
});

test("a store out of reach is left for the server's relay; one within reach is not", async () => {
  const { engine, transport, settled } = start(
    ({ method }) => {
      if (method === "part") throw line();
    },
    { origin: "https://other.example" },
  );
  engine.add("case", [new FakeFile("big", 500)]);
  await settled();
  assert.equal(engine.items[0]!.state, "done");
  assert.ok(engine.relay);
  assert.equal(transport.relayed, 5);

  const near = start(
    ({ method, attempt }) => {
      if (method === "part" && attempt < 6) throw line();
    },
    { origin: "https://page.example" },
  );
  near.engine.add("case", [new FakeFile("big", 500)]);
  await near.settled();
  assert.equal(near.engine.items[0]!.state, "done");
  assert.equal(near.engine.relay, undefined);
});

test("parts the server misses at the end are sent again", async () => {
  const { engine, transport, settled } = start(({ method, file, attempt }) => {
    if (method === "complete" && attempt === 1) transport.parts.get(file)!.delete(2);
  });
  engine.add("case", [new FakeFile("big", 500)]);
  await settled();
  assert.equal(engine.items[0]!.state, "done");
  assert.equal(transport.calls.filter((call) => call === "part id-1 2").length, 2);
  assert.equal(transport.calls.filter((call) => call === "part id-1 3").length, 1);
});

test("a refused file says why; the others of the batch go on", async () => {
  const { engine, settled } = start();
  engine.add("case", [new FakeFile("empty", 0), new FakeFile("a", 100)]);
  await settled();
  assert.equal(engine.items[0]!.error?.detail, "The file is empty.");
  assert.equal(engine.items[1]!.state, "done");
});

test("a file that can no longer be read fails at once, with its own reason", async () => {
  const { engine, transport, settled } = start();
  const gone = new FakeFile("gone", 100);
  gone.readable = false;
  engine.add("case", [gone]);
  await settled();
  assert.equal(engine.items[0]!.error?.detail, "error.unreadable");
  assert.equal(transport.order.length, 0);
});

test("a failed upload is taken up where it was", async () => {
  let broken = true;
  const { engine, transport, settled } = start(({ method, part }) => {
    if (method === "part" && part === 5 && broken) throw new Failure(501);
  });
  engine.add("case", [new FakeFile("big", 500)]);
  await settled();
  assert.equal(engine.items[0]!.state, "failed");
  broken = false;
  const before = transport.calls.filter((call) => call === "part id-1 1").length;
  engine.retryAll();
  await settled();
  assert.equal(engine.items[0]!.state, "done");
  assert.equal(transport.plans.length, 1, "planned anew");
  assert.equal(transport.calls.filter((call) => call === "part id-1 1").length, before);
});

test("a paused file sends nothing until it is resumed, and keeps what has arrived", async () => {
  const { engine, transport, clock, settled } = start();
  const [item] = engine.add("case", [new FakeFile("big", 40 * PART)]);
  await clock.sleep(200);
  engine.pause(item!);
  await clock.sleep(100);
  assert.equal(item!.state, "paused");
  assert.equal(transport.flying, 0);
  assert.ok(engine.paused);
  const arrived = transport.parts.get("id-1")!.size;
  assert.ok(arrived > 0 && arrived < 40);
  const calls = transport.calls.length;
  await clock.sleep(60_000);
  assert.equal(transport.calls.length, calls);
  engine.resumeAll();
  await settled();
  assert.equal(item!.state, "done");
  assert.ok(transport.order.length <= 40 + 3, "more than what was in flight was sent again");
});

test("cancelling stops the requests and tells the server", async () => {
  const { engine, transport, clock } = start(async ({ method, hang }) => {
    if (method === "part") await hang();
  });
  engine.add("case", [new FakeFile("big", 500)]);
  await clock.sleep(1000);
  assert.ok(transport.flying > 0);
  engine.cancelAll();
  await clock.sleep(10);
  assert.equal(transport.flying, 0);
  assert.deepEqual(transport.aborted, ["id-1"]);
  assert.equal(engine.items[0]!.state, "cancelled");
  assert.equal(engine.totals.files, 0);
});

test("progress is told once a second and only grows", async () => {
  const { engine, transport, settled, clock } = start();
  engine.add("case", [new FakeFile("big", 200 * PART)]);
  await settled();
  assert.ok(transport.reports.length >= 1 && transport.reports.length <= clock.now() / 1000 + 1);
  const told = transport.reports.flat().map(({ sent }) => sent);
  assert.deepEqual(
    told,
    [...told].sort((a, b) => a - b),
  );
});
