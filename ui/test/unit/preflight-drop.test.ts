// A drop goes out by itself; a question is asked only where somebody else's images would go into a case.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock, Item, ItemState, Source } from "../../src/contract.js";
import { isNamed } from "../../src/preflight/group.js";
import { look } from "../../src/preflight/look.js";
import { compareNames, compareToLabel } from "../../src/preflight/person.js";
import { Preflight, type PreflightOptions } from "../../src/preflight/preflight.js";
import { Unreadable } from "../../src/preflight/readers.js";
import { ct, zip, type Options } from "./dicomfile.js";

const source = (name: string, bytes: Buffer, path = "drop"): Source => {
  const blob = new Blob([bytes as Uint8Array<ArrayBuffer>]);
  return { name, path, size: blob.size, type: "", modified: 0, slice: (from, to) => blob.slice(from, to) };
};

const series = (count: number, o: Options = {}): Source[] =>
  Array.from({ length: count }, (_, i) => {
    const instance = `2.25.${o.series ?? "1"}.${i + 1}`;
    return source(`IM${i + 1}`, ct({ ...o, instance, number: i + 1 }));
  });

class FakeEngine {
  sent: Item[] = [];
  drops = new Set<object>();
  expected: string[] = [];
  expect(caseId: string, sources: readonly Source[]): void {
    this.expected.push(...sources.map(({ name }) => `${caseId}/${name}`));
  }
  add(caseId: string, sources: Iterable<Source>, drop: object): Item[] {
    this.drops.add(drop);
    const items = [...sources].map(
      (source, key) => ({ key, source, caseId, drop: "", state: "sending" }) as unknown as Item,
    );
    this.sent.push(...items);
    return items;
  }
  cancel(item: Item): void {
    item.state = "cancelled";
    this.sent = this.sent.filter((other) => other !== item);
  }
  end(state: ItemState): void {
    for (const item of this.sent) item.state = state;
  }
}

/** Time passes only when told. */
class Hands implements Clock {
  #waiting: (() => void)[] = [];
  now = () => 0;
  random = () => 0;
  sleep = (_: number, signal?: AbortSignal) =>
    new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
      signal?.addEventListener("abort", () => resolve());
    });
  pass(): void {
    for (const go of this.#waiting.splice(0)) go();
  }
}

function desk(o: Partial<PreflightOptions> = {}) {
  const engine = new FakeEngine();
  const clock = new Hands();
  const server = { limit: async () => 1 << 20, room: async () => Infinity, patients: async () => [] };
  const rest = { reader: look, beforeSending: () => {}, onChange: () => {} };
  const preflight = new Preflight({ engine, clock, server, ...rest, ...o });
  const over = () =>
    new Promise<void>((resolve) => {
      const unlisten = preflight.listen(() => {
        if (preflight.of("c").some(({ phase }) => phase === "reading")) return;
        unlisten();
        resolve();
      });
    });
  return {
    engine,
    clock,
    preflight,
    over,
    async drop(sources: Source[], patient = "") {
      const dropped = { sources, junk: 0, unreadable: [] };
      const read = over();
      const drop = preflight.take({ caseId: "c", number: "1", patient, dropped });
      await read;
      return drop;
    },
  };
}

test("in the normal case everything goes out by itself, and is summed up", async () => {
  const { drop, engine } = desk();
  const stl = Buffer.alloc(134);
  stl.writeUInt32LE(1, 80);
  const files = [
    ...series(20, { series: "1" }),
    ...series(10, { series: "2", study: "2.25.10" }),
    source("jaw.stl", stl),
  ];
  const done = await drop(
    files.filter((_, i) => i < 12 || i > 14),
    "Phantom, Jaw",
  );
  assert.equal(done.phase, "sending");
  assert.equal(engine.sent.length, 28);
  const { patients, studies, series: count, images, kinds } = done.contents;
  assert.deepEqual([patients.length, studies, count, images, kinds.get("stl")], [1, 1, 2, 27, 1]);
  assert.deepEqual(patients[0]!.series[0]!.stack.missing, [[13, 15]]);
  engine.end("done");
  assert.equal(done.phase, "over");
});

test("what the files need is known beside what the organization has left, and only what can be sent counts", async () => {
  const server = { limit: async () => 1 << 20, room: async () => 1000, patients: async () => [] };
  const { drop } = desk({ server });
  const done = await drop([
    source("a.stl", Buffer.alloc(700)),
    source("b.stl", Buffer.alloc(400)),
    source("empty", Buffer.alloc(0)),
    source("large", Buffer.alloc((1 << 20) + 1)),
  ]);
  assert.deepEqual([done.needs, done.room], [1100, 1000]);
});

test("files without a patient do not wait for whose images the case holds; a patient's do", async () => {
  const server = {
    limit: async () => 1 << 20,
    room: async () => Infinity,
    patients: () => new Promise<never>(() => {}),
  };
  const { drop, engine, preflight, clock } = desk({ server });
  const done = await drop([source("a.stl", Buffer.alloc(134))]);
  assert.deepEqual([done.phase, engine.sent.length, engine.expected], ["sending", 1, ["c/a.stl"]]);
  void drop(series(2));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(engine.sent.length, 1, "sent before it is known whose images the case holds");
  assert.equal(preflight.busy, true);
  clock.pass();
  while (preflight.busy) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(engine.sent.length, 3, "it does not wait for ever");
});

test("another patient than the case's is asked about, and nothing goes out before the answer", async () => {
  const { drop, engine, preflight } = desk();
  const asked = await drop(series(5, { patient: "Kim^Minji" }), "Park Seojun, implant 26");
  assert.deepEqual([asked.phase, asked.question, engine.sent.length], ["asking", "other", 0]);
  assert.equal(preflight.asking, asked);
  assert.equal(preflight.busy, true);
  asked.answer("none");
  assert.deepEqual([asked.phase, engine.sent.length, preflight.busy], ["over", 0, false]);
  const sure = await drop(series(5, { patient: "Kim^Minji" }), "Park Seojun");
  sure.answer("all");
  assert.equal(engine.sent.length, 5);
});

test("of several patients the case's own is proposed", async () => {
  const { drop, engine } = desk();
  const own = series(4, { patient: "Kim^Minji", series: "1" });
  const foreign = series(3, { patient: "Lee^Haneul", patientID: "X", series: "2", study: "2.25.99" });
  const asked = await drop([...own, ...foreign], "Kim Minji");
  assert.equal(asked.question, "other");
  assert.deepEqual(
    asked.strangers.map(({ label }) => label),
    ["Lee, Haneul"],
  );
  asked.answer("ticked");
  assert.equal(engine.sent.length, 4);
  const blank = desk();
  const both = await blank.drop([...own, ...foreign]);
  assert.equal(both.question, "several");
  const key = both.contents.patients[1]!.series[0]!.key;
  both.tick([key], false);
  both.answer("ticked");
  assert.equal(blank.engine.sent.length, 4);
});

test("whose images the case holds counts before what is written on it", async () => {
  const known = [{ name: "Kim^Minji", ids: ["P1"], birthDate: "19870412" }];
  const server = { limit: async () => 1 << 20, room: async () => Infinity, patients: async () => known };
  const one = desk({ server });
  const own = { patient: "KIM^MIN JI", birthDate: "19870412" };
  assert.equal((await one.drop(series(2, own), "Implant 26")).question, undefined);
  assert.equal((await desk({ server }).drop(series(2, { patient: "Lee^Haneul" }), "")).question, "other");
});

test("a series is left out, on its way too, and taken in again", async () => {
  const { drop, engine } = desk();
  const sent = await drop([...series(4, { series: "1" }), ...series(3, { series: "2" })]);
  const key = sent.contents.patients[0]!.series[1]!.key;
  sent.tick([key], false);
  assert.equal(engine.sent.length, 4);
  sent.tick([key], true);
  assert.equal(engine.sent.length, 7);
});

test("bad input is named and the rest goes on", async () => {
  const reader: PreflightOptions["reader"] = async (blob, signal) => {
    if (blob.size === 77) throw new Unreadable("gone");
    if (blob.size === 78) throw new Error("the worker failed");
    return look(blob, signal);
  };
  const { drop, engine } = desk({ reader });
  const files = [
    source("empty.dcm", Buffer.alloc(0)),
    source("large.raw", Buffer.alloc((1 << 20) + 1)),
    source("gone.txt", Buffer.alloc(77)),
    source("odd.txt", Buffer.alloc(78)),
    source("broken.zip", Buffer.from("PK\x03\x04 no archive")),
    ...series(2),
  ];
  const done = await drop(files);
  assert.deepEqual(
    done.files.slice(0, 3).map(({ fate }) => fate),
    ["empty", "large", "unreadable"],
  );
  assert.equal(done.contents.zips[0]!.trouble, "broken");
  assert.equal(engine.sent.length, 4);
  const none = await drop([]);
  assert.deepEqual([none.phase, none.files.length], ["over", 0]);
});

/** A drop of which eight slices are out already, while the reading of the late one waits for last(). */
async function halfRead(late: Source, patient: string) {
  let last: () => void = () => {};
  const reader: PreflightOptions["reader"] = async (blob, signal) => {
    const found = await look(blob, signal);
    if (found.facts?.number === 9) await new Promise<void>((resolve) => (last = resolve));
    return found;
  };
  const { preflight, engine, clock, over } = desk({ reader });
  const read = over();
  const dropped = { sources: [...series(8), late], junk: 0, unreadable: [] };
  const drop = preflight.take({ caseId: "c", number: "1", patient, dropped });
  while (drop.progress.read < 8) await new Promise((resolve) => setImmediate(resolve));
  clock.pass();
  while (engine.sent.length === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(engine.sent.length, 8);
  return { preflight, engine, drop, last: () => (last(), read) };
}

test("a large drop begins to go out while the rest is being read; a late stranger stops it", async () => {
  const stranger = source("late", ct({ number: 9, patient: "Lee^Haneul", study: "2.25.9", series: "2.25.9" }));
  const { engine, drop, last } = await halfRead(stranger, "Phantom Jaw");
  await last();
  assert.deepEqual([drop.phase, engine.sent.length], ["asking", 8]);
  drop.answer("all");
  assert.deepEqual(
    [engine.sent.length, engine.drops.size],
    [9, 1],
    "it is one drop, in however many steps it goes out",
  );
});

test("a dismissed drop sends nothing more", async () => {
  const { preflight, engine } = desk();
  const dropped = { sources: series(5), junk: 0, unreadable: [] };
  const gone = preflight.take({ caseId: "c", number: "1", patient: "", dropped });
  preflight.dismiss(gone);
  while (gone.progress.read < 5) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(engine.sent.length, 0);
});

test("when everything is cancelled, what is still being read stays behind until it is ticked again", async () => {
  const { preflight, engine, drop, last } = await halfRead(source("late", ct({ number: 9 })), "");
  preflight.giveUp();
  for (const item of [...engine.sent]) engine.cancel(item);
  await last();
  assert.deepEqual([engine.sent.length, drop.phase, preflight.busy], [0, "over", false]);
  assert.ok(drop.files.every(({ fate }) => fate === "left"));
  const { key } = drop.contents.patients[0]!.series[0]!;
  assert.equal(drop.isTicked(key), false);
  drop.tick([key], true);
  assert.equal(engine.sent.length, 9);
});

test("series inside a ZIP are seen, and go with the ZIP", async () => {
  const { drop, engine } = desk();
  const files = Array.from({ length: 6 }, (_, i) => ({ name: `IM${i}`, body: ct({ number: i + 1 }) }));
  const done = await drop([source("scan.zip", zip([...files, { name: "Thumbs.db", body: Buffer.from("x") }]))]);
  assert.deepEqual(done.contents.patients[0]!.series[0]!.zips, [0]);
  assert.deepEqual([done.contents.images, done.contents.junk, engine.sent.length], [6, 1, 1]);
});

test("names are compared as people would", () => {
  for (const [a, b, want] of [
    ["Kim^Minji", "MINJI^KIM", "same"],
    ["Müller^Jürgen", "Mueller^Juergen", "same"],
    ["Müller^Jürgen", "Muller Jurgen", "same"],
    ["임^대석", "임대석", "same"],
    ["Hong^Gildong=洪^吉洞=홍^길동", "홍 길동", "same"],
    ["Kim^Min-ji", "Kim^Minji", "same"],
    ["Kim^Minji", "Kim^Soyeon", "other"],
    ["김^민지", "Kim^Minji", "unknown"],
    ["Kim^Minji", "", "unknown"],
  ] as const) {
    assert.equal(compareNames(a, b), want, `${a} and ${b}`);
  }
  for (const [label, name, want] of [
    ["", "Kim^Minji", "unknown"],
    ["Kim Minji, implant 26", "KIM^MIN JI", "same"],
    ["김민지 26번 임플란트", "김^민지", "same"],
    ["김민지", "Kim^Minji", "unknown"],
    ["김민지", "Kim^Minji=金^敏智=김^민지", "same"],
    ["Kim", "Kim^Minji", "same"],
    ["Park Seojun", "Kim^Minji", "other"],
    ["Kim Soyeon", "Kim^Minji", "other"],
    ["Adams, John", "Adams^John Robert^Q^Rev.^PhD", "same"],
    ["2026-11 / PH-7", "Kim^Minji", "same"],
    ["26", "Kim^Minji", "unknown"],
    ["<b>Kim Minji</b>", "Kim^Minji", "same"],
  ] as const) {
    assert.equal(compareToLabel(label, name, "PH-7"), want, `${label}: ${name}`);
  }
  assert.equal(isNamed({ name: "^^", ids: [], birthDate: "" }), false);
});

test("reading does not wait for the limit; what is too large stays behind all the same", async () => {
  let tell = (_: number) => {};
  const limit = () => new Promise<number>((resolve) => (tell = resolve));
  let read = 0;
  const reader = async (blob: Blob, signal: AbortSignal) => (read++, look(blob, signal));
  const { drop, engine } = desk({ reader, server: { limit, room: async () => Infinity, patients: async () => [] } });
  const [small, large] = [source("a", Buffer.alloc(10, 1)), source("b", Buffer.alloc(100, 1))];
  const dropped = drop([small!, large!]);
  assert.equal(read, 2);
  while (engine.sent.length === 0 && read < 100) {
    await new Promise((resolve) => setImmediate(resolve));
    if (++read === 50) tell(20);
  }
  const done = await dropped;
  assert.deepEqual(
    done.files.map(({ fate }) => fate),
    ["sent", "large"],
  );
  assert.equal(done.contents.others.length, 1);
  assert.deepEqual(
    engine.sent.map(({ source }) => source.name),
    ["a"],
  );
});
