// One life of the uploader, from a seed: files, a line, a server, pages and what befalls them for some minutes. Then
// nothing goes wrong any more, and everything must come to its end.
import type { Item } from "../../../src/contract.js";
import { SimLocks } from "./browser.js";
import { watchFairness } from "./fairness.js";
import { MIB, SimFile } from "./files.js";
import { ORIGIN, SimPage, type Ground } from "./page.js";
import { SimServer, whole } from "./server.js";
import { World } from "./world.js";

/** Milliseconds in which things go wrong at most, and then until everything must have ended. */
const TROUBLED = 180_000;
const PATIENCE = 40 * 60_000;
/** Milliseconds between two looks of the person at what has failed, once all is calm. */
const LOOKS = 60_000;

export interface Told {
  violations: string[];
  ended: number; // milliseconds
  actions: string[];
  rows: number; // uploads that the server came to know
}

/** Lives through a seed. only: which of its actions happen, by their place; all without it. */
export async function live(seed: number, only?: ReadonlySet<number>): Promise<Told> {
  const world = new World(seed);
  const violations: string[] = [];
  const actions: string[] = [];
  const elsewhere = world.chance(0.4);
  const server = new SimServer(
    world,
    world.whole(1, 3) * MIB,
    world.pick([2.5, 4]) * MIB,
    world.pick([5_000, 30_000, 900_000]),
    elsewhere ? "https://store.example" : ORIGIN,
  );
  const ground: Ground = {
    world,
    server,
    locks: new SimLocks(world),
    tabs: world.chance(0.8),
    line: {
      rate: world.pick([1_500, 8_000, 50_000]),
      trip: world.pick([2, 25, 80]),
      trouble: world.pick([0, 0.02, 0.1, 0.3]),
      readRate: world.pick([20_000, 300_000]),
      offline: false,
      flying: 0,
    },
    unknown: new Map(),
    asked: new Map(),
    violated: (what) => void (violations.length < 5 && violations.push(`${Math.round(world.now)} ms: ${what}`)),
  };
  watchFairness(ground.violated);
  const files = filesOf(world);
  const touched = new Set<string>(); // changed, gone, or given up by the person
  const pages: SimPage[] = [];
  const open = () => {
    const page = new SimPage(ground);
    if (ground.line.offline) page.engine.setOnline(false);
    pages.push(page);
    page.add(files.filter(({ fate }) => fate === "there"));
    return page;
  };
  const close = (page: SimPage) => {
    page.close();
    pages.splice(pages.indexOf(page), 1);
  };
  const online = (is: boolean) => {
    ground.line.offline = !is;
    for (const { engine } of pages) engine.setOnline(is);
  };
  const items = () => pages.flatMap((page) => page.engine.items.map((item) => ({ page, item })));
  const some = (act: (page: SimPage, item: Item) => void) => () => {
    const all = items();
    if (all.length > 0) {
      const { page, item } = world.pick(all);
      act(page, item);
    }
  };
  const later = (ms: number, run: () => void) => void world.after(ms, run);
  const spoil = (fate: "vanished" | "changed") =>
    some((_page, { source }) => {
      const file = source as SimFile;
      touched.add(full(file));
      file.fate = fate;
    });
  const everything: Record<string, () => void> = {
    pause: some((page, item) => page.pause(item)),
    resume: some((page, item) => page.engine.resume(item)),
    "pause and resume at once": some((page, item) => (page.pause(item), page.engine.resume(item))),
    "pause all": () => pages.forEach((page) => page.pauseAll()),
    "resume all": () => pages.forEach(({ engine }) => engine.resumeAll()),
    retry: () => pages.forEach(({ engine }) => engine.retryAll()),
    cancel: some(({ engine }, item) => {
      touched.add(full(item.source));
      engine.cancel(item);
    }),
    offline: () => (online(false), later(world.between(100, 60_000), () => online(true))),
    "signed out": () => {
      server.signedIn = false;
      later(world.between(100, 60_000), () => (server.signedIn = true));
    },
    "store out of reach": () => {
      server.store = world.pick(["cors", "unreachable"] as const);
      later(world.between(1_000, 90_000), () => (server.store = "fine"));
    },
    reload: () => {
      const [page] = pages;
      if (!page) return;
      close(page);
      later(world.between(10, 20_000), open);
    },
    "second tab": () => {
      if (pages.length > 1) return;
      const page = open();
      if (world.chance(0.5)) later(world.between(100, 60_000), () => pages.includes(page) && close(page));
    },
    "same files again": () => pages.forEach((page) => page.add(files.filter(({ fate }) => fate === "there"))),
    vanish: spoil("vanished"),
    change: spoil("changed"),
    sweep: some((_page, item) => server.abandon([item.id])),
    sleep: () => void (world.now += world.between(10_000, 3 * 3600_000)),
  };
  const names = Object.keys(everything);
  const count = world.pick([0, 1, 3, 8, 20]);
  for (let i = 0; i < count; i++) {
    const name = world.pick(names);
    const at = world.between(0, world.pick([2_000, 20_000, TROUBLED]));
    if (only && !only.has(i)) continue;
    actions.push(`${i} at ${Math.round(at)} ms: ${name}`);
    later(at, () => world.calm || everything[name]!());
  }

  let over = false;
  let lookedTimes = 0;
  const look = () => {
    if (pages.length === 0) open();
    for (const page of pages) {
      page.engine.resumeAll();
      page.engine.retryAll();
    }
    lookedTimes++;
    later(LOOKS, check);
  };
  const good = (item: Item) => item.state === "done" || item.state === "received";
  const excused = (item: Item) => touched.has(full(item.source)) || item.source.size === 0;
  const check = () => {
    const all = items().map(({ item }) => item);
    const due = all.filter((item) => !good(item) && !excused(item));
    const still = all.filter((item) => !good(item) && !["failed", "cancelled"].includes(item.state));
    if (due.length === 0 && still.length === 0) {
      over = true;
      return;
    }
    if (still.length > 0 && world.now < deadline) return later(LOOKS, check);
    if (still.length === 0 && lookedTimes < 4) return look();
    over = true;
    for (const item of still.length > 0 ? still : due)
      ground.violated(`"${item.source.name}" is ${item.state} in the end (${item.error?.detail ?? "no error"})`);
  };
  let deadline = Infinity;
  later(TROUBLED, () => {
    world.calm = true;
    server.signedIn = true;
    server.store = "fine";
    online(true);
    deadline = world.now + PATIENCE;
    look();
  });
  open();
  if (!(await world.run(() => over || violations.length > 0))) ground.violated("it goes on and on");

  const { now } = world;
  if (violations.length === 0) {
    for (const { item } of items()) {
      if (item.state === "failed" && !item.error?.detail)
        ground.violated(`"${item.source.name}" failed without a word`);
      if (!good(item)) continue;
      const row = server.rows.get(item.id);
      const file = item.source as SimFile;
      if (item.state === "done" && row?.state !== "stored") ground.violated(`"${file.name}" is done and not stored`);
      if (item.state === "done" && row && whole(row) !== file.whole) ground.violated(`"${file.name}" has other bytes`);
    }
    if (ground.line.flying !== 0) ground.violated(`${ground.line.flying} transfers in the end`);
    if (ground.tabs && ground.locks.count > 0) ground.violated(`${ground.locks.count} locks in the end`);
  }
  for (const page of [...pages]) close(page);
  return { violations, ended: now, actions, rows: server.rows.size };
}

const full = ({ path, name }: { path: string; name: string }) => `${path}/${name}`;

/** Some files of all kinds; one name in two folders, the same bytes twice, an empty one. */
function filesOf(world: World): SimFile[] {
  const files: SimFile[] = [];
  const count = world.pick([1, 2, 3, 6]);
  for (let i = 0; i < count; i++) {
    const tail = world.pick([0, 0, 777]);
    const size = world.chance(0.6) ? world.whole(3, 14) * MIB + tail : world.pick([1000, 50_000, 600_000, 2 * MIB]);
    files.push(new SimFile(`file-${i}`, "", size, world.whole(0, 3)));
  }
  if (world.chance(0.2)) files.push(new SimFile("file-0", "folder", files[0]!.size, 4));
  if (world.chance(0.1)) files.push(new SimFile("empty", "", 0, 0));
  if (world.chance(0.2)) for (let i = 0; i < 30; i++) files.push(new SimFile(`slice-${i}`, "scan", 300_000 + i, 1));
  return files;
}
