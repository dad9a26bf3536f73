import assert from "node:assert/strict";
import { test } from "node:test";
import { Failure, type Checksum } from "../../src/contract.js";
import { patience, Persistence } from "../../src/persist.js";
import { FakeClock, FakeFile, PART, Reader } from "./fake.js";
import { start } from "./start.js";

const line = () => new Failure(0);
const refused = (status: number, kind: string, detail = "") =>
  new Failure(status, { problem: { status, kind, detail } });
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** A day made short, so that the test's clock has less to tell. */
const short = { patience: { giveUpAfter: 24 * MINUTE } };

test("a part that fails is sent again, with growing pauses, and the rest goes on", async () => {
  const { engine, transport, clock, settled, states } = start(({ method, part, attempt }) => {
    if (method === "part" && part === 2 && attempt <= 3) throw new Failure(503);
  });
  engine.add("case", [new FakeFile("big", 500)]);
  await settled();
  assert.deepEqual(states(), ["done"]);
  assert.equal(transport.count("part id-1 2"), 4);
  assert.equal(transport.count("part id-1 1"), 1);
  assert.ok(clock.now() >= 375 + 750 + 1500, `only ${clock.now()} ms`);
});

test("a part that failed keeps no other file waiting", async () => {
  const { engine, clock, settled } = start(({ method, file, attempt }) => {
    if (method === "part" && file === "id-1" && attempt <= 12) throw new Failure(500);
  });
  engine.add("case", [new FakeFile("bad", 500)]);
  await clock.sleep(1000);
  const [good] = engine.add("case", [new FakeFile("good", 600)]);
  await clock.sleep(2000);
  assert.equal(good!.state, "done");
  await settled();
});

test("the store's 403 means a new signature, not a failure", async () => {
  const { engine, transport, settled, states } = start(({ method, attempt }) => {
    if (method === "part" && attempt === 1) throw new Failure(403, { storeCode: "AccessDenied" });
  });
  engine.add("case", [new FakeFile("big", 300)]);
  await settled();
  assert.deepEqual(states(), ["done"]);
  assert.equal(transport.signed.flat().length, 6, "each part was signed twice");
});

test("a store that refuses every signature ends as a failure, soon", async () => {
  const { engine, clock, settled, states } = start(({ method }) => {
    if (method === "part") throw new Failure(403, { storeCode: "AccessDenied" });
  });
  engine.add("case", [new FakeFile("big", 300)]);
  await settled();
  assert.deepEqual(states(), ["failed"]);
  assert.ok(clock.now() < 10_000, `after ${clock.now()} ms`);
});

test("no rights on the case is a failure at once, in the server's words", async () => {
  for (const where of ["plan", "sign", "small"]) {
    const { engine, transport, clock, settled } = start(({ method }) => {
      if (method === where) throw refused(403, "forbidden", "Viewers do not send files.");
    });
    engine.add("case", [new FakeFile("file", where === "small" ? 100 : 300)]);
    await settled();
    assert.equal(engine.items[0]!.state, "failed");
    assert.equal(engine.items[0]!.error?.detail, "Viewers do not send files.");
    assert.ok(
      clock.now() < 3000 && transport.calls.filter((call) => call.startsWith(where)).length === 1,
      `${where} again`,
    );
  }
});

test("a store that is full says so at once and does not stop the others", async () => {
  const { engine, clock, settled, states } = start(
    ({ method, file }) => {
      if (method === "small" && file === "id-1") throw refused(507, "full", "No room left.");
    },
    { batchBytes: 1 },
  );
  engine.add("case", [new FakeFile("a", 100), new FakeFile("b", 100)]);
  await settled();
  assert.deepEqual(states(), ["failed", "done"]);
  assert.equal(engine.items[0]!.error?.detail, "No room left.");
  assert.ok(clock.now() < 5000, "it was tried again");
});

test("bytes spoilt on the way are refused by the store, and read and sent again", async () => {
  const { engine, transport, settled, states } = start(({ method, part, attempt }) => {
    if (method === "part" && part === 2 && attempt === 1) throw new Failure(400, { storeCode: "BadDigest" });
    if (method === "small" && attempt === 1) throw refused(400, "invalid", "Other bytes arrived.");
  });
  engine.add("case", [new FakeFile("big", 500), new FakeFile("a", 100)]);
  await settled();
  assert.deepEqual(states(), ["done", "done"]);
  assert.equal(transport.count("part id-1 2"), 2);
  assert.equal(engine.totals.resent, 50 + 50, "half of each had left");
});

test("a line that stands still for twenty seconds is broken off and that part is tried again", async () => {
  const { engine, transport, clock, settled, states } = start(async ({ method, part, attempt, hang }) => {
    if (method === "part" && part === 2 && attempt === 1) await hang();
  });
  engine.add("case", [new FakeFile("big", 300)]);
  await settled();
  assert.deepEqual(states(), ["done"]);
  assert.ok(clock.now() >= 20_000 && clock.now() < 25_000, `after ${clock.now()} ms`);
  assert.equal(transport.calls.filter((call) => call.startsWith("part")).length, 4);
});

test("bytes that trickle are no stall", async () => {
  const slow = { rate: 0.002, each: 0.002, trip: 50 }; // two bytes a second
  const { engine, transport, settled, states } = start(() => {}, {}, slow);
  engine.add("case", [new FakeFile("big", 300)]);
  await settled();
  assert.deepEqual(states(), ["done"]);
  assert.equal(transport.calls.filter((call) => call.startsWith("part")).length, 3);
});

/** Bytes in flight under the watch, on a clock of their own. */
function watched() {
  const clock = new FakeClock();
  const persistence = new Persistence(
    clock,
    patience,
    async () => {},
    () => {},
  );
  const never = new AbortController().signal;
  const send = (body: (onProgress: (sent: number) => void, signal: AbortSignal) => Promise<void>) =>
    persistence.watched(100, never, () => {}, body);
  return { clock, send };
}

test("a computer that slept has not stood still: its requests get a moment to show life", async () => {
  const { clock, send } = watched();
  const sending = send(async (onProgress, signal) => {
    onProgress(10);
    await clock.sleep(22_000, signal); // the next bytes are told after the watch has looked
    if (signal.aborted) throw new Failure(0);
    onProgress(100);
  });
  await clock.sleep(2000);
  clock.jump(8 * HOUR);
  await sending;
});

test("that moment is given once, also when looks keep coming late", async () => {
  const { clock, send } = watched();
  const sending = send(async (_, signal) => {
    await clock.sleep(30 * HOUR, signal);
    if (signal.aborted) throw new Failure(0);
  });
  let brokenAt = Infinity;
  const broken = assert.rejects(sending, { reason: "stalled" }).then(() => (brokenAt = clock.now()));
  for (let minute = 0; minute < 20; minute++) {
    await clock.sleep(2000);
    clock.jump(MINUTE);
  }
  await broken;
  assert.ok(brokenAt < 5 * MINUTE, `after ${brokenAt} ms`);
});

test("requests that died while the computer slept are broken off soon after it wakes", async () => {
  let asleep = false;
  const { engine, transport, clock, settled, states } = start(async ({ method, hang }) => {
    if (method === "part" && !asleep) await hang();
  });
  engine.add("case", [new FakeFile("big", 300)]);
  await clock.sleep(2000);
  asleep = true;
  clock.jump(8 * HOUR);
  const woke = clock.now();
  await settled();
  assert.deepEqual(states(), ["done"]);
  assert.ok(clock.now() - woke < 30_000, `${clock.now() - woke} ms`);
  assert.equal(transport.stored.length, 1);
});

test("only a day of trying without success gives up, however many attempts that takes", async () => {
  assert.equal(patience.giveUpAfter, 24 * HOUR);
  const { engine, transport, clock, settled, states } = start(({ method }) => {
    if (method === "part") throw new Failure(503);
  }, short);
  engine.add("case", [new FakeFile("big", 300)]);
  await clock.sleep(23 * MINUTE);
  assert.deepEqual(states(), ["sending"]);
  assert.ok(transport.calls.filter((call) => call.startsWith("part")).length > 20);
  await settled();
  assert.deepEqual(states(), ["failed"]);
  assert.ok(clock.now() >= 24 * MINUTE && clock.now() < 26 * MINUTE, `${clock.now()} ms`);
});

test("neither sleep nor a lost network counts towards that day, and a success begins it anew", async () => {
  let down = true;
  const { engine, clock, settled, states } = start(({ method, part }) => {
    if (method === "part" && (down || part === 3)) throw new Failure(503);
    if (method === "ping") throw line();
  }, short);
  engine.add("case", [new FakeFile("big", 300)]);
  await clock.sleep(18 * MINUTE);
  clock.jump(48 * HOUR);
  await clock.sleep(MINUTE);
  engine.setOnline(false);
  await clock.sleep(48 * MINUTE);
  engine.setOnline(true);
  await clock.sleep(MINUTE);
  assert.deepEqual(states(), ["sending"]);
  down = false;
  await clock.sleep(MINUTE);
  const began = clock.now();
  await settled();
  assert.deepEqual(states(), ["failed"]);
  assert.ok(clock.now() - began > 20 * MINUTE);
});

test("while the server is down few requests are made, and the work goes on when it is back", async () => {
  let down = false;
  const { engine, transport, clock, settled, states } = start(() => {
    if (down) throw line();
  });
  engine.add("case", [
    new FakeFile("big", 200 * PART),
    ...Array.from({ length: 50 }, (_, i) => new FakeFile(`s${i}`, 100)),
  ]);
  await clock.sleep(300);
  down = true;
  const before = transport.calls.length;
  assert.equal(engine.outage, false);
  await clock.sleep(10 * MINUTE);
  assert.equal(engine.outage, true, "nobody is told");
  assert.ok(transport.calls.length - before < 250, `${transport.calls.length - before} requests`);
  down = false;
  const back = clock.now();
  await settled();
  assert.equal(engine.outage, false);
  assert.ok(states().every((state) => state === "done"));
  assert.ok(clock.now() - back < 80_000, `${clock.now() - back} ms`);
});

test("the server's Retry-After is obeyed, by everything that was to be sent", async () => {
  const { engine, transport, clock, settled } = start(
    ({ method, attempt }) => {
      if (method === "batch" && attempt === 1) throw new Failure(429, { retryAfter: 40_000 });
    },
    { batchBytes: 200 },
  );
  engine.add(
    "case",
    Array.from({ length: 60 }, (_, i) => new FakeFile(`s${i}`, 100, undefined, i)),
  );
  await clock.sleep(39_000);
  assert.ok(transport.batches.length <= 3 + 2, `${transport.batches.length} batches`);
  await settled();
  assert.equal(transport.stored.length, 60);
});

test("without a network everything waits and nothing fails", async () => {
  const { engine, transport, settled, clock, states } = start(({ method }) => {
    if (method === "ping") throw line();
  });
  engine.setOnline(false);
  engine.add("case", [new FakeFile("a", 100)]);
  await clock.sleep(600_000);
  assert.equal(transport.calls.filter((call) => call !== "ping").length, 0);
  assert.deepEqual(states(), ["queued"]);
  engine.setOnline(true);
  await settled();
  assert.deepEqual(states(), ["done"]);
});

test("a network that comes back without an event is found", async () => {
  let down = true;
  const { engine, transport, settled, clock, states } = start(({ method }) => {
    if (method === "ping" && down) throw line();
  });
  engine.setOnline(false);
  engine.add("case", [new FakeFile("a", 100)]);
  await clock.sleep(600_000);
  assert.ok(transport.count("ping") >= 15 && transport.count("ping") <= 25, `${transport.count("ping")} questions`);
  down = false;
  await settled();
  assert.deepEqual(states(), ["done"]);
});

test("after the session has ended, signing in and retrying goes on", async () => {
  let signedOut = true;
  const { engine, settled, clock, states } = start(({ method }) => {
    if ((method === "small" || method === "ping") && signedOut) throw refused(401, "unauthenticated");
  });
  engine.add("case", [new FakeFile("a", 100)]);
  await clock.sleep(5000);
  assert.equal(engine.gate, "signIn");
  signedOut = false;
  engine.retryAll();
  await settled();
  assert.deepEqual(states(), ["done"]);
});

test("a sign-in in another tab is noticed by itself, and what was in flight is sent again", async () => {
  let signedOut = false;
  const { engine, transport, settled, clock, states } = start(({ method }) => {
    if (["sign", "ping"].includes(method) && signedOut) throw refused(401, "unauthenticated");
  });
  engine.add("case", [new FakeFile("big", 30 * PART)]);
  await clock.sleep(300);
  signedOut = true;
  await clock.sleep(1000);
  const signs = transport.calls.filter((call) => call.startsWith("sign")).length;
  await clock.sleep(10 * MINUTE);
  assert.equal(engine.gate, "signIn");
  assert.equal(transport.calls.filter((call) => call.startsWith("sign")).length, signs, "asked while signed out");
  assert.deepEqual(states(), ["sending"]);
  signedOut = false;
  await clock.sleep(31_000);
  assert.equal(engine.gate, "open");
  await settled();
  assert.deepEqual(states(), ["done"]);
  assert.equal(transport.order.length, 30, "what had arrived was sent again");
});

for (const [name, kind] of [
  ["NotFoundError", "vanished"],
  ["NotReadableError", "changed"],
  ["SecurityError", "unreadable"],
] as const)
  test(`a file that is ${kind} while it is sent fails with words of its own, and the rest goes on`, async () => {
    const file = new FakeFile("big", 20 * PART);
    const { engine, settled, states } = start(({ method, part }) => {
      if (method === "part" && part === 5) file.broken = name;
    });
    engine.add("case", [file, new FakeFile("good", 300)]);
    await settled();
    assert.deepEqual(states(), ["failed", "done"]);
    assert.equal(engine.items[0]!.error?.kind, kind);
    assert.equal(engine.items[0]!.error?.detail, `error.${kind}`);
  });

test("a file that was unreadable from the beginning fails before anything is planned", async () => {
  const { engine, transport, settled } = start();
  const gone = new FakeFile("gone", 100);
  gone.broken = "NotFoundError";
  engine.add("case", [gone]);
  await settled();
  assert.equal(engine.items[0]!.error?.kind, "vanished");
  assert.equal(transport.plans.length, 0);
});

test("a file whose bytes change between two attempts of a part is not spliced", async () => {
  const file = new FakeFile("big", 500);
  const { engine, settled, states } = start(({ method, part, attempt }) => {
    if (method !== "part" || part !== 2 || attempt > 1) return;
    file.seed = 9;
    throw line();
  });
  engine.add("case", [file]);
  await settled();
  assert.deepEqual(states(), ["failed"]);
  assert.equal(engine.items[0]!.error?.kind, "changed");
});

test("a lost answer to Complete is asked for again", async () => {
  const { engine, transport, settled, states } = start(({ method, file, attempt }) => {
    if (method !== "complete" || attempt > 1) return;
    transport.rows.get(file)!.state = "stored";
    throw line();
  });
  engine.add("case", [new FakeFile("big", 500)]);
  await settled();
  assert.deepEqual(states(), ["done"]);
  assert.equal(transport.order.length, 5);
});

test("parts the server misses at the end are sent again", async () => {
  const { engine, transport, settled, states } = start(({ method, file, attempt }) => {
    if (method === "complete" && attempt === 1) transport.rows.get(file)!.parts.delete(2);
  });
  engine.add("case", [new FakeFile("big", 500)]);
  await settled();
  assert.deepEqual(states(), ["done"]);
  assert.equal(transport.count("part id-1 2"), 2);
  assert.equal(transport.count("part id-1 3"), 1);
});

test("an upload that the sweep or another tab has finished is done, not failed", async () => {
  const big = new FakeFile("big", 500);
  const { engine, transport, settled, states } = start(({ method, part, file }) => {
    if (method !== "part" || part !== 3) return;
    const row = transport.rows.get(file)!;
    row.state = "reading";
    row.parts.clear();
    row.parts.set(1, { number: 1, size: 500, crc64nvme: big.whole() });
    throw new Failure(404, { storeCode: "NoSuchUpload" });
  });
  engine.add("case", [big]);
  await settled();
  assert.deepEqual(states(), ["done"]);
});

test("an upload that was given up at the server fails, and a retry begins anew", async () => {
  let once = true;
  const { engine, transport, settled, states } = start(({ method, part, file }) => {
    if (method !== "part" || part !== 3 || !once) return;
    once = false;
    transport.rows.get(file)!.state = "abandoned";
    throw new Failure(404, { storeCode: "NoSuchUpload" });
  });
  engine.add("case", [new FakeFile("big", 500)]);
  await settled();
  assert.deepEqual(states(), ["failed"]);
  engine.retryAll();
  await settled();
  assert.deepEqual(states(), ["done"]);
  assert.equal(transport.plans.length, 2);
});

test("what the browser has forgotten is begun anew after five minutes, and what moves is left alone", async () => {
  let reads = 0;
  const reader = new Reader();
  const checksum: Checksum = (blob) => (++reads === 2 ? new Promise(() => {}) : reader.checksum(blob));
  const { engine, transport, settled, states, clock } = start(() => {}, { checksum });
  engine.add("case", [new FakeFile("scan", 6 * PART)]);
  await settled();
  assert.deepEqual(states(), ["done"]);
  assert.equal(transport.stored.length, 1);
  assert.ok(clock.now() > 290_000 && clock.now() < 400_000, `${clock.now()} ms`);
});
