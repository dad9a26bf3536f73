// A page of the simulated browser: the real engine, its clock, its workers, and requests over a line that does what lines
// do. What the page must not do is noticed while it happens.
import { workerChecksum } from "../../../src/checksums.js";
import { shared } from "../../../src/connections.js";
import {
  Failure,
  stopped,
  type BatchAnswer,
  type BatchFile,
  type Clock,
  type HeldPart,
  type Item,
  type OnProgress,
  type ReceivedFile,
  type SignedRequest,
  type Transport,
} from "../../../src/contract.js";
import { Engine } from "../../../src/engine.js";
import { tabLocks } from "../../../src/locks.js";
import type { Upload } from "../../../src/upload.js";
import { Turns } from "../../../src/wait.js";
import { SimThread, type SimLocks } from "./browser.js";
import type { SimFile, SimSlice } from "./files.js";
import type { SimServer } from "./server.js";
import type { World } from "./world.js";

export const ORIGIN = "https://page.example";
/** The engine's heartbeat: alone it moves nothing. */
const HEARTBEAT = 2000;
const MOST = 8;
const AHEAD = 2;
const LANES = { page: 4, store: 6 };

/** What all pages stand on. */
export interface Ground {
  world: World;
  server: SimServer;
  locks: SimLocks;
  line: Line;
  tabs: boolean; // they have locks
  violated(what: string): void;
  /** Attempts of a part whose end the page could not know, by row and part, and since when: the server may hold it. */
  unknown: Map<string, number>;
  /** When the server was last asked which parts of a row it holds, whether or not it answered. */
  asked: Map<string, number>;
}

export interface Line {
  rate: number; // bytes a millisecond
  trip: number; // milliseconds
  trouble: number; // how often a request comes to grief
  readRate: number; // bytes a millisecond
  offline: boolean;
  flying: number;
}

let pages = 0; // so far

type Grief = "none" | "refused" | "network" | "lost" | "dead" | "spoilt";

export class SimPage {
  readonly engine: Engine;
  gone = false;
  flying = 0;
  #lanes = { page: 0, store: 0 };
  #answering = 0; // requests of which every byte has left
  #arriving = new Set<() => void>(); // requests whose bytes have all left
  #widest = 0;
  #pending = 0; // timers, requests and readings that will end by themselves
  #parts = new Map<string, SimSlice>(); // in the engine's hands
  #questions = new Turns(1);
  #asking = new Set<AbortSignal>(); // of uploads
  #told = new Set<string>(); // small files that the server told of
  #number = ++pages;
  #pause: Engine["pause"];

  constructor(private readonly g: Ground) {
    const { world } = g;
    const clock = this.#clock();
    const reading = {
      world,
      rate: g.line.readRate,
      dies: g.line.trouble / 8,
      silent: g.line.trouble / 8,
      began: () => void this.#pending++,
      ended: (slice: SimSlice, failed: boolean) => {
        this.#pending--;
        if (failed) this.#parts.delete(key(slice));
      },
    };
    const manager = g.locks.of(this);
    this.engine = new Engine({
      transport: this.#transport(),
      checksum: workerChecksum(new URL(ORIGIN), () => new SimThread(reading), clock).checksum,
      clock,
      locks: g.tabs ? tabLocks(manager) : undefined,
      connection: g.tabs ? shared(manager).transfer : undefined,
      origin: ORIGIN,
    });
    this.#pause = this.engine.pause.bind(this.engine);
    this.engine.pause = (item) => {
      g.violated(`"${item.source.name}" was begun anew because nothing moved`);
      this.#pause(item);
    };
  }

  /** What a person does. */
  pause(item: Item): void {
    this.#pause(item);
  }

  pauseAll(): void {
    for (const item of this.engine.items) this.#pause(item);
  }

  add(files: SimFile[]): Item[] {
    const opened = files.map((file) => file.opened());
    for (const file of opened) file.onSlice = (slice) => this.#sliced(slice);
    return this.engine.add("case", opened, this);
  }

  /** The page is reloaded or closed: nothing of it goes on. */
  close(): void {
    this.gone = true;
    this.g.locks.drop(this);
    this.g.line.flying -= this.flying;
    for (const arrive of this.#arriving) arrive();
  }

  #clock(): Clock {
    const { world } = this.g;
    return {
      now: () => {
        this.#atMost(); // every change of the window asks for the time first
        return world.now;
      },
      random: world.random,
      sleep: (ms, signal) =>
        new Promise((resolve) => {
          if (signal?.aborted) return resolve();
          const beat = ms === HEARTBEAT && !signal;
          if (!beat) this.#pending++;
          let over = false;
          const end = (): void => {
            if (over || this.gone) return;
            over = true;
            if (beat) this.#look();
            else this.#pending--;
            signal?.removeEventListener("abort", end);
            resolve();
          };
          world.after(Math.max(1, Math.floor(ms)), end); // as timers of browsers are
          signal?.addEventListener("abort", end);
        }),
    };
  }

  /** At a heartbeat: whoever is to go on has something that will make it go on. */
  #look(): void {
    if (this.#pending > 0) return;
    const stuck = this.engine.items.filter((item) => (item as Upload).wanted && item.state !== "elsewhere");
    if (stuck.length > 0) this.g.violated(`nothing is pending, and "${stuck[0]!.source.name}" is ${stuck[0]!.state}`);
  }

  #sliced(slice: SimSlice): void {
    const upload = this.engine.items.find(({ source }) => source === slice.file) as Upload | undefined;
    if (!upload?.direct || upload.state === "checking" || slice.size > this.g.server.partSize) return; // read, not sent
    this.#parts.set(key(slice), slice);
    upload.signal.addEventListener("abort", () => this.#parts.delete(key(slice)));
    if (this.#parts.size > this.#atMost() + AHEAD) this.g.violated(`${this.#parts.size} parts in memory`);
  }

  /** The widest that the window has been: what was begun in it may still be there. */
  #atMost(): number {
    return (this.#widest = Math.min(MOST, Math.max(this.#widest, this.engine?.window ?? 0)));
  }

  #grief(): Grief {
    const { world, line } = this.g;
    if (world.calm || !world.chance(line.trouble)) return "none";
    return world.pick(["refused", "network", "lost", "dead", "spoilt"] as const);
  }

  /** Time of the line; false when the signal was aborted before. Never comes back to a page that has gone. */
  #wait(ms: number, signal?: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve(false);
      let over = false;
      if (ms !== Infinity) this.#pending++;
      const end = (whole: boolean) => {
        if (over) return;
        over = true;
        if (ms !== Infinity) this.#pending--;
        signal?.removeEventListener("abort", abort);
        if (!this.gone) resolve(whole);
      };
      const abort = () => end(false);
      signal?.addEventListener("abort", abort);
      if (ms !== Infinity) this.g.world.after(ms, () => end(true));
    });
  }

  #trip(): number {
    return this.g.world.between(0.5, 2) * this.g.line.trip;
  }

  /** A question: one at a time unless it has its own turn, with an end however silent the server is. */
  async #ask<T>(within: number, serve: () => T, urgency = 0, inTurn = true): Promise<T> {
    const { world, line, server } = this.g;
    if (inTurn) await this.#questions.take(urgency);
    try {
      const grief = this.#grief();
      await this.#wait(this.#trip());
      if (line.offline || grief === "network") throw new Failure(0);
      if (grief === "dead") {
        await this.#wait(within);
        throw new Failure(0);
      }
      if (!server.signedIn) throw new Failure(401);
      if (grief === "refused") throw refusal(world);
      const answer = serve();
      await this.#wait(this.#trip());
      if (grief === "lost" || line.offline) throw new Failure(0);
      return answer;
    } finally {
      if (inTurn) this.#questions.give();
    }
  }

  /** A request with bytes. serve says whether the bytes were spoilt on the way. */
  async #put<T>(
    whats: string[],
    bodies: SimSlice[],
    elsewhere: boolean,
    onProgress: OnProgress,
    signal: AbortSignal,
    serve: (spoilt: boolean) => T,
  ): Promise<T> {
    const { world, line, server } = this.g;
    if (this.gone) return await new Promise<never>(() => {}); // what was begun before goes no further
    if (signal.aborted) throw stopped();
    const lane = elsewhere ? "store" : "page";
    this.flying++;
    this.#lanes[lane]++;
    const beside = this.#answering > 0 ? 1 : 0; // one that only waits for its answer may be beside the others
    if (this.flying - beside > this.#atMost()) this.g.violated(`${this.flying} transfers at once`);
    if (this.#lanes[lane] - beside > LANES[lane]) this.g.violated(`${this.#lanes[lane]} transfers to the ${lane}`);
    let answering = false;
    line.flying++;
    const abandoned = () => {
      if (!world.chance(0.5)) return;
      const arrive = () => {
        try {
          serve(false); // it got there all the same
          for (const what of whats) this.g.unknown.set(what, Math.max(began, this.g.unknown.get(what) ?? world.now));
        } catch {
          // nobody hears the answer
        }
      };
      const began = world.now;
      if (world.chance(0.7)) arrive();
      else world.after(world.between(0, 4) * line.trip, arrive); // what computers on the way still held
    };
    try {
      const size = bodies.reduce((sum, body) => sum + body.size, 0);
      const grief = this.#grief();
      const diesAt = grief === "none" ? Infinity : world.random() * size;
      for (let sent = 0; sent < size;) {
        const ms = Math.min(world.between(50, 400), ((size - sent) * Math.max(1, line.flying)) / line.rate);
        if (!(await this.#wait(ms, signal))) throw stopped();
        const blocked = elsewhere && server.store !== "fine";
        if (grief === "network" && sent >= diesAt) throw new Failure(0);
        const dead = (grief === "dead" && sent >= diesAt) || (line.offline && world.chance(0.5));
        if (dead || (blocked && server.store === "unreachable")) {
          await this.#wait(Infinity, signal);
          throw stopped();
        }
        if (line.offline || blocked || bodies.some(({ file }) => file.fate !== "there")) throw new Failure(0);
        sent = Math.min(size, sent + Math.max(1, (line.rate * ms) / Math.max(1, line.flying)));
        onProgress(Math.round(sent));
      }
      this.#answering++;
      answering = true;
      this.#arriving.add(abandoned);
      if (!(await this.#wait(this.#trip(), signal))) {
        abandoned();
        throw stopped();
      }
      this.#arriving.delete(abandoned);
      if (grief === "refused") throw refusal(world);
      if (!elsewhere && !server.signedIn) throw new Failure(401);
      const answer = serve(grief === "spoilt");
      for (const what of whats) this.g.unknown.set(what, Infinity); // until the answer is there
      if (grief === "dead") await this.#wait(Infinity, signal);
      else await this.#wait(this.#trip(), signal);
      if (signal.aborted) throw stopped();
      if (grief === "lost" || line.offline) throw new Failure(0);
      for (const what of whats) this.g.unknown.delete(what);
      return answer;
    } finally {
      for (const what of whats) {
        const since = this.g.unknown.get(what);
        if (since !== undefined) this.g.unknown.set(what, Math.min(world.now, since));
      }
      if (!this.gone) {
        this.flying--;
        line.flying--;
        if (answering) this.#answering--;
        this.#lanes[lane]--;
        this.#arriving.delete(abandoned);
        for (const body of bodies) this.#parts.delete(key(body));
      }
    }
  }

  /** Whether a part is sent again that the server holds, though the page could know. */
  #sends(row: string, part: number, crc: string): string {
    const what = `${row} ${part}`;
    const held = this.g.server.rows.get(row)?.parts.get(part)?.crc64nvme === crc;
    const since = this.g.unknown.get(what);
    if (held && since === undefined && this.g.tabs)
      this.g.violated(`part ${part} of ${row} is sent again though the server told that it holds it`);
    if (held && since !== undefined && since > (this.g.asked.get(row) ?? -1) && this.g.tabs)
      this.g.violated(`part ${part} of ${row} is sent again, and nobody has asked whether it arrived`);
    return what;
  }

  /** The same for a small file. Tabs do not lock these: what this page sent and asked is what counts. */
  #sendsSmall(row: string, crc: string): string {
    const what = this.#small(row);
    const { state, crc: kept } = this.g.server.row(row);
    const held = state === "stored" && kept === crc;
    const since = this.g.unknown.get(what);
    if (held && this.#told.has(row)) this.g.violated(`${row} is sent again though the server told that it is there`);
    if (held && since !== undefined && since !== Infinity && since > (this.g.asked.get(what) ?? -1))
      this.g.violated(`${row} is sent again, and nobody has asked whether it arrived`);
    return what;
  }

  #small(row: string): string {
    return `page ${this.#number}: ${row}`;
  }

  #transport(): Transport {
    const { world, server } = this.g;
    const slice = (body: Blob) => body as unknown as SimSlice;
    const part = (id: string, number: number, body: Blob, crc: string, relayed: boolean) => (spoilt: boolean) =>
      server.part(id, number, slice(body), crc, spoilt, relayed);
    return {
      plan: (_case, files, drop) => this.#ask(180_000, () => server.plan(files, drop), 1),
      match: (_case, sizes, ids) => this.#match(sizes, ids),
      file: (id) => this.#ask(180_000, () => server.describe(server.row(id)), 1),
      sign: async (id, parts) => {
        try {
          return await this.#ask(30_000, () => server.sign(id, parts), 2);
        } catch (error) {
          for (const { number } of parts) this.#unsigned(id, number);
          throw error;
        }
      },
      held: (id) => this.#held(id),
      complete: (id, crc) => this.#ask(180_000, () => server.complete(id, crc), 0, false),
      abort: (id) => this.#ask(180_000, () => server.abandon([id])),
      abandon: (_case, ids) => this.#ask(180_000, () => server.abandon(ids)),
      progress: () => this.#ask(10_000, () => {}),
      ping: () => this.#ask(180_000, () => {}, 0, false),
      storeTest: () =>
        this.#ask(180_000, () => ({
          same_origin: server.host === ORIGIN,
          endpoint: server.host,
          request: { part: 1, method: "PUT", url: server.host, headers: {} },
        })),
      probe: async () => {
        await this.#wait(this.#trip());
        if (this.g.line.offline || server.store !== "fine") throw new Failure(0);
        return { status: 404, storeCode: "NoSuchUpload" };
      },
      reaches: async () => {
        await this.#wait(this.#trip());
        return !this.g.line.offline && server.store === "cors";
      },
      storeReport: () => this.#ask(180_000, () => {}),
      putSmall: (id, body, crc, told, signal) => {
        const what = this.#sendsSmall(id, crc);
        return this.#put([what], [slice(body)], false, told, signal, (spoilt) =>
          server.content(id, slice(body), crc, spoilt),
        );
      },
      putBatch: (_case, files, told, signal) => {
        const bodies = files.map(({ body }) => slice(body));
        const whats = files.map(({ id, crc }) => this.#sendsSmall(id, crc));
        return this.#put(whats, bodies, false, told, signal, (spoilt) => this.#batch(files, spoilt));
      },
      putPart: async (request: SignedRequest, body, told, signal) => {
        const id = request.url.split("/").at(-2)!;
        if (world.now >= Number(request.headers.until)) throw new Failure(403, { storeCode: "AccessDenied" });
        const crc = request.headers.crc!;
        const what = this.#sends(id, request.part, crc);
        const elsewhere = server.host !== ORIGIN;
        await this.#put([what], [slice(body)], elsewhere, told, signal, part(id, request.part, body, crc, false));
      },
      relayPart: (id, number, body, crc, told, signal) => {
        const what = this.#sends(id, number, crc);
        return this.#put([what], [slice(body)], false, told, signal, part(id, number, body, crc, true));
      },
    };
  }

  /** Which parts the server holds: one question for all of an upload's parts. What the page has heard it knows. */
  async #held(id: string): Promise<HeldPart[]> {
    const { g } = this;
    const { signal } = this.engine.items.find((item) => item.id === id) as Upload;
    if (this.#asking.has(signal)) g.violated(`two questions at once which parts of ${id} are held`);
    this.#asking.add(signal);
    const began = g.world.now;
    g.asked.set(id, began);
    try {
      const held = await this.#ask(30_000, () => [...g.server.held(id)], 1);
      for (const { number } of held)
        if ((g.unknown.get(`${id} ${number}`) ?? Infinity) <= began) g.unknown.delete(`${id} ${number}`);
      return held;
    } finally {
      this.#asking.delete(signal);
    }
  }

  /** What the server has received, asked before a plan; with ids, which small files have arrived. */
  async #match(sizes: number[], ids?: string[]): Promise<ReceivedFile[]> {
    for (const id of ids ?? []) this.g.asked.set(this.#small(id), this.g.world.now);
    const received = await this.#ask(30_000, () => this.g.server.match(sizes, ids), 1);
    if (ids) for (const { id } of received) this.#told.add(id);
    return received;
  }

  /** Up to some file of a batch; the first may be spoilt. */
  #batch(files: BatchFile[], spoilt: boolean): BatchAnswer[] {
    const until = !this.g.world.calm && this.g.world.chance(this.g.line.trouble) ? 1 : files.length;
    return files.slice(0, until).map(({ id, body, crc }, i) => {
      try {
        return { id, file: this.g.server.content(id, body as unknown as SimSlice, crc, spoilt && i === 0) };
      } catch (error) {
        return { id, error: (error as Failure).problem! };
      }
    });
  }

  #unsigned(id: string, number: number): void {
    const upload = this.engine.items.find((item) => item.id === id) as Upload | undefined;
    if (upload) this.#parts.delete(`${upload.source.path}/${upload.source.name} ${upload.span(number).start}`);
  }
}

const key = ({ file, start }: SimSlice) => `${file.path}/${file.name} ${start}`;

function refusal(world: World): Failure {
  return world.pick([
    new Failure(503),
    new Failure(503, { retryAfter: 1000 * world.pick([0, 1, 5, 8]) }),
    new Failure(500),
    new Failure(429, { retryAfter: 1000 * world.whole(3, 5) }),
  ]);
}
