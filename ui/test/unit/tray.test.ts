// What the tray says and when, and where its rows lie.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { Item, ItemState } from "../../src/contract.js";
import type { Words } from "../../src/format.js";
import { Rate } from "../../src/rate.js";
import { Rows } from "../../src/rows.js";
import { Speech } from "../../src/speech.js";
import { TimeLeft } from "../../src/timeleft.js";
import { Title } from "../../src/title.js";
import { asked, headline, live, mood, reason, words, type Standing } from "../../src/traywords.js";

const catalogue = JSON.parse(readFileSync("words.json", "utf8")) as Record<string, Record<string, string>>;
const spoken = (language: string): Words =>
  Object.fromEntries(
    Object.entries(catalogue).flatMap(([key, texts]) =>
      key.startsWith("script.") ? [[key.slice("script.".length), texts[language]!]] : [],
    ),
  );
const english = spoken("en");

const states: ItemState[] = [
  "queued",
  "checking",
  "sending",
  "paused",
  "elsewhere",
  "finishing",
  "done",
  "received",
  "failed",
  "cancelled",
];

function item(state: ItemState, more: Partial<Item> = {}): Item {
  const source = { name: "a.stl", path: "", size: 100_000_000, type: "", modified: 0, slice: () => new Blob() };
  return {
    key: 1,
    source,
    caseId: "c",
    drop: "",
    state,
    sent: 42_000_000,
    resumedBytes: 0,
    crc: "",
    id: "f",
    error: undefined,
    ...more,
  };
}

const standing = (more: Partial<Standing>): Standing => ({
  files: 0,
  live: 0,
  done: 0,
  received: 0,
  failed: 0,
  elsewhere: 0,
  gate: "open",
  paused: false,
  unfinished: 0,
  ...more,
});

test("every state of a file is told in words, in both languages", () => {
  for (const language of ["en", "ko"]) {
    const seen = new Set(states.map((state) => words(spoken(language), item(state))));
    assert.equal(seen.size, states.length, `two states read alike: ${[...seen].join("; ")}`);
    for (const sentence of seen) assert.doesNotMatch(sentence, /state\.|[{}]/);
  }
  assert.equal(words(english, item("sending")), "42 MB of 100 MB");
  assert.equal(words(english, item("sending", { resumedBytes: 3e7 })), "42 MB of 100 MB · 30 MB were here already");
  assert.equal(words(english, item("paused")), "paused at 42 %");
});

test("what may be asked of a file follows from its state", () => {
  const may = states.map((state) => asked(item(state)) ?? "");
  assert.deepEqual(may, ["pause", "pause", "pause", "resume", "", "", "", "", "retry", ""]);
  assert.deepEqual(
    states.filter((state) => live(item(state))),
    states.slice(0, 6),
  );
});

test("a failure is told in the server's words, or in ours where it said nothing", () => {
  const error = { status: 413, kind: "too_large", detail: "huge.zip is too large.", hint: "Split it." };
  assert.equal(reason(english, item("failed", { error })), "huge.zip is too large. Split it.");
  const silent = { status: 0, kind: "unreadable", detail: "error.unreadable" };
  assert.equal(reason(english, item("failed", { error: silent })), english["error.unreadable"]);
});

test("the headline says the one thing that matters", () => {
  const said = (more: Partial<Standing>) => headline(english, standing(more));
  const four = { files: 4, live: 4 };
  assert.equal(said(four), "Sending 4 files");
  assert.equal(said({ ...four, gate: "offline" }), "Waiting for the network");
  assert.equal(said({ ...four, gate: "signIn" }), "Sign in to go on");
  assert.equal(said({ ...four, paused: true }), "Paused");
  assert.equal(said({ ...four, elsewhere: 4 }), "Another tab is sending 4 files");
  assert.equal(said({ ...four, elsewhere: 3 }), "Sending 4 files");
  assert.equal(said({ files: 3, done: 2, failed: 1 }), "1 file was not sent");
  assert.equal(said({ files: 3, done: 3, received: 1 }), "3 files received and verified");
  assert.equal(said({ files: 3, done: 3, received: 3 }), "3 files were here already");
  assert.equal(said({ unfinished: 3 }), "3 uploads unfinished");
  assert.equal(mood(standing({ files: 1, done: 1, unfinished: 3 })), "done");
});

test("those who listen hear each step once", () => {
  const speech = new Speech(english);
  const now = { live: 3, done: 0, failed: 0, percent: 0, gate: "open", paused: false, relayed: false } as const;
  const hear = (more: Partial<Parameters<Speech["hear"]>[0]>) => speech.hear({ ...now, ...more });
  assert.deepEqual(hear({}), ["Sending 3 files"]);
  assert.deepEqual(hear({ percent: 24 }), []);
  assert.deepEqual(hear({ percent: 26 }), ["25 percent sent"]);
  assert.deepEqual(hear({ percent: 20 }), []); // a part is sent again
  assert.deepEqual(hear({ percent: 27 }), []);
  assert.deepEqual(hear({ percent: 27, gate: "offline" }), [english.offline]);
  assert.deepEqual(hear({ percent: 27, gate: "offline" }), []);
  assert.deepEqual(hear({ percent: 27 }), [english.online]);
  assert.deepEqual(hear({ percent: 27, gate: "signIn" }), [english.signIn]);
  assert.deepEqual(hear({ percent: 27 }), [english.signedIn]);
  assert.deepEqual(hear({ percent: 27, paused: true }), [english.saidPaused]);
  assert.deepEqual(hear({ percent: 27 }), [english.saidResumed]);
  assert.deepEqual(hear({ percent: 27, relayed: true }), [english.relay]);
  assert.deepEqual(hear({ percent: 80, relayed: true }), ["75 percent sent"]); // not 50 as well
  assert.deepEqual(hear({ live: 2, failed: 1, percent: 81, relayed: true }), ["1 file was not sent"]);
  assert.deepEqual(hear({ live: 1, failed: 2, percent: 82, relayed: true }), []);
  const end = { live: 0, done: 1, failed: 2, percent: 90, relayed: true };
  assert.deepEqual(hear(end), ["1 file received and verified", "2 files were not sent"]);
  assert.deepEqual(hear(end), []);
});

test("an upload that goes on at 60 % is not said to pass 25", () => {
  const speech = new Speech(english);
  const now = { live: 1, done: 0, failed: 0, percent: 60, gate: "open", paused: false, relayed: false } as const;
  assert.deepEqual(speech.hear(now), ["Sending 1 file"]);
  assert.deepEqual(speech.hear({ ...now, percent: 61 }), []);
});

test("the time left counts down and is corrected only when it was clearly wrong", () => {
  const left = new TimeLeft();
  assert.equal(left.show(undefined, 0), undefined);
  assert.equal(left.show(100, 0), 100);
  assert.equal(left.show(104, 1000), 99); // the line wavers, the promise stands
  assert.equal(left.show(91, 2000), 98);
  assert.equal(left.show(160, 3000), 97); // clearly wrong, but perhaps only for a moment
  assert.equal(left.show(160, 6000), 160);
  assert.equal(left.show(150, 16_000), 150);
  assert.equal(left.show(undefined, 17_000), undefined);
});

test("the rate outlives a pause and a part that is sent again", () => {
  const rate = new Rate();
  let sent = 0;
  for (let t = 0; t <= 10_000; t += 500) rate.sample((sent += 500_000), t);
  const before = rate.perSecond;
  rate.rest();
  rate.sample(sent, 70_000);
  assert.equal(rate.perSecond, before);
  rate.sample(sent - 400_000, 70_500);
  assert.equal(rate.perSecond, before);
  for (let t = 71_000; t <= 73_000; t += 500) rate.sample((sent += 500_000), t);
  assert.ok(Math.abs(rate.perSecond - 1_000_000) < 150_000, String(rate.perSecond));
});

test("no time is told before the line has gathered speed, and the reading before the first byte does not count", () => {
  const rate = new Rate();
  const told: { t: number; perSecond: number; seconds: number | undefined }[] = [];
  const whole = 1_000_000_000;
  let sent = 0;
  for (let t = 0; t <= 20_000; t += 500) {
    const moving = t - 5_000; // of the first five seconds the file is compared with what is there
    if (moving > 0) sent += moving <= 1_500 ? 500_000 : 12_500_000; // slowly at first
    rate.sample(sent, t);
    told.push({ t, perSecond: rate.perSecond, seconds: rate.secondsFor(whole - sent) });
  }
  assert.equal(told.find(({ perSecond }) => perSecond > 0)!.t, 6_000);
  const first = told.find(({ seconds }) => seconds !== undefined)!;
  assert.equal(first.t, 9_000);
  assert.ok(first.seconds! < 1.3 * (whole / 25_000_000), `${first.seconds} s are told`);
});

test("rows of two heights lie one below the other", () => {
  const rows = new Rows(50, 90);
  rows.count = 20_000;
  rows.first = 3;
  assert.equal(rows.height, 3 * 90 + 19_997 * 50);
  for (const i of [0, 1, 2, 3, 4, 777, 19_999]) {
    assert.equal(rows.at(rows.top(i)), i);
    assert.equal(rows.at(rows.top(i + 1) - 1), i);
  }
  assert.equal(rows.at(-5), 0);
  assert.equal(rows.at(1e9), 19_999);
});

test("the window's title tells a new percentage once a second at most, and its end at once", () => {
  const page = { title: "Case 7", head: {} };
  const watching = { observe: () => {}, disconnect: () => {} };
  Object.assign(globalThis, {
    document: page,
    MutationObserver: class {
      observe = watching.observe;
      disconnect = watching.disconnect;
    },
  });
  const title = new Title();
  title.show(1, 10_000);
  assert.equal(page.title, "1 % · Case 7");
  title.show(2, 10_500);
  assert.equal(page.title, "1 % · Case 7");
  title.show(3, 11_000);
  assert.equal(page.title, "3 % · Case 7");
  title.show(undefined, 11_100);
  assert.equal(page.title, "Case 7");
});
