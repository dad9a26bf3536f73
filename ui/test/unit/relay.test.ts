import assert from "node:assert/strict";
import { test } from "node:test";
import { Failure } from "../../src/contract.js";
import { FakeFile, PART } from "./fake.js";
import { start } from "./start.js";

/** A store at an address of its own, of which parts may fail as told. */
function elsewhere(part: () => void) {
  const begun = start(({ method }) => {
    if (method === "part") part();
  });
  begun.transport.host = "https://store.example";
  return begun;
}

const unreached = () => {
  throw new Failure(0);
};

for (const [store, code, detail] of [
  ["cors", "STORE-CORS", "it answers, but not to this page"],
  ["unreachable", "STORE-UNREACHABLE", "nothing answers"],
  ["intercepted", "STORE-INTERCEPTED", "status 403, not the store's answer"],
  ["refused", "STORE-REFUSED", "403 AccessDenied"],
] as const)
  test(`a store that is ${store} is found out, parts go through the server, and administrators hear of it`, async () => {
    const { engine, transport, settled, states } = elsewhere(unreached);
    transport.store = store;
    engine.add("case", [new FakeFile("big", 500)]);
    await settled();
    assert.deepEqual(states(), ["done"]);
    assert.deepEqual(engine.relay, { code, detail });
    assert.deepEqual(transport.storeReports, [{ code, detail, case: "case" }]);
    assert.equal(transport.relayed, 5);
    assert.equal(engine.items[0]!.crc, new FakeFile("big", 500).whole());
  });

test("a proxy that answers in place of the store is found out by its answer", async () => {
  const { engine, transport, settled, states } = elsewhere(() => {
    throw new Failure(403); // no XML of a store
  });
  transport.store = "intercepted";
  engine.add("case", [new FakeFile("big", 500)]);
  await settled();
  assert.deepEqual(states(), ["done"]);
  assert.equal(engine.relay?.code, "STORE-INTERCEPTED");
});

test("a store that refuses what was signed is left for the relay when the test says the same", async () => {
  const { engine, transport, settled, states } = elsewhere(() => {
    throw new Failure(403, { storeCode: "AccessDenied" });
  });
  transport.store = "refused";
  engine.add("case", [new FakeFile("big", 500)]);
  await settled();
  assert.deepEqual(states(), ["done"]);
  assert.equal(engine.relay?.code, "STORE-REFUSED");
});

test("two lost parts are no reason to ask", async () => {
  let failures = 0;
  const { engine, transport, settled, states } = elsewhere(() => {
    if (++failures <= 2) throw new Failure(0);
  });
  engine.add("case", [new FakeFile("big", 500)]);
  await settled();
  assert.deepEqual(states(), ["done"]);
  assert.equal(transport.count("storeTest"), 0);
});

test("a line that only shakes is no reason for the relay", async () => {
  let failures = 0;
  const { engine, transport, settled, states } = elsewhere(() => {
    if (++failures <= 4) throw new Failure(0);
  });
  engine.add("case", [new FakeFile("big", 500)]);
  await settled();
  assert.deepEqual(states(), ["done"]);
  assert.equal(engine.relay, undefined);
  assert.ok(transport.count("storeTest") >= 1);
  assert.equal(transport.relayed, 0);
});

test("a store at the page's own address is never left for the relay", async () => {
  const { engine, transport, settled, states } = start(({ method, attempt }) => {
    if (method === "part" && attempt < 6) throw new Failure(0);
  });
  transport.store = "unreachable";
  engine.add("case", [new FakeFile("big", 500)]);
  await settled();
  assert.deepEqual(states(), ["done"]);
  assert.equal(engine.relay, undefined);
  assert.equal(transport.count("storeTest"), 0);
});

test("when our own server is out of reach, too, nothing is concluded about the store", async () => {
  let down = true;
  const { engine, transport, clock, settled, states } = start(({ method }) => {
    if (["part", "storeTest"].includes(method) && down) throw new Failure(0);
  });
  transport.host = "https://store.example";
  transport.store = "unreachable";
  engine.add("case", [new FakeFile("big", 500)]);
  await clock.sleep(30_000);
  assert.ok(transport.count("storeTest") > 0);
  assert.equal(engine.relay, undefined);
  down = false;
  await settled();
  assert.deepEqual(states(), ["done"]);
  assert.equal(transport.relayed, 0);
});

test("a firewall that closes in the middle is noticed after a minute, and the rest goes through the server", async () => {
  let closed = false;
  const { engine, transport, clock, settled, states } = elsewhere(() => {
    if (closed) throw new Failure(0);
  });
  engine.add("case", [new FakeFile("big", 60 * PART)]);
  await clock.sleep(500);
  closed = true;
  transport.store = "unreachable";
  await clock.sleep(20_000);
  assert.equal(transport.relayed, 0, "too early");
  await settled();
  assert.deepEqual(states(), ["done"]);
  assert.equal(engine.relay?.code, "STORE-UNREACHABLE");
  assert.ok(transport.relayed > 30);
  assert.ok(clock.now() < 180_000, `${clock.now()} ms`);
});

test("the test is not believed for ever when no part gets through", async () => {
  const { engine, settled, states } = elsewhere(unreached);
  engine.add("case", [new FakeFile("big", 500)]);
  await settled();
  assert.deepEqual(states(), ["done"]);
  assert.deepEqual(engine.relay, { code: "STORE-UNREACHABLE", detail: "the test gets through, parts do not" });
});

test("the direct way is taken again when it works again", async () => {
  let closed = true;
  const { engine, transport, clock, settled, states } = elsewhere(() => {
    if (closed) throw new Failure(0);
  });
  transport.store = "cors";
  engine.add("case", [new FakeFile("first", 500)]);
  await settled();
  assert.equal(engine.relay?.code, "STORE-CORS");
  closed = false;
  transport.store = "fine";
  await clock.sleep(6 * 60_000);
  const before = transport.relayed;
  engine.add("case", [new FakeFile("second", 300), new FakeFile("third", 160 * PART)]);
  await settled();
  assert.deepEqual(states(), ["done", "done", "done"]);
  assert.equal(engine.relay, undefined);
  assert.ok(transport.relayed - before < 160, "all of it took the detour");
});

test("through the server parts keep to the page's connections", async () => {
  const { engine, transport, settled } = elsewhere(unreached);
  transport.store = "cors";
  engine.add("case", [new FakeFile("big", 100 * PART)]);
  await settled();
  assert.ok(transport.mostFlying <= 4, `${transport.mostFlying} at once`);
});
