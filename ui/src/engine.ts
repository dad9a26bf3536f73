// The uploader's engine: what becomes of each file, from the moment it is added until it has been received. It knows no
// DOM; transport, checksum, locks and clock are given to it. Planning is done by plan.ts, sending by send.ts.
import {
  type Failure,
  type Checksum,
  type Clock,
  type Gate,
  type Item,
  type Locks,
  type Planned,
  type Relay,
  type RemoteFile,
  type Source,
  type Totals,
  type Transport,
} from "./contract.js";
import type { Connection } from "./connections.js";
import { Course } from "./course.js";
import { patience, Persistence, type Patience } from "./persist.js";
import { Planner } from "./plan.js";
import { Detour } from "./relay.js";
import { Sender } from "./send.js";
import { Upload, type Group } from "./upload.js";
import { realClock } from "./wait.js";
import type { Lanes } from "./window.js";

export interface EngineOptions {
  transport: Transport;
  checksum: Checksum;
  locks?: Locks | undefined;
  clock?: Clock;
  first?: number; // transfers in flight at the beginning
  most?: number; // and at most
  lanes?: Lanes; // to one host at most
  connection?: Connection | undefined; // to the page's host, of those that all tabs share
  origin?: string; // of the page: a store elsewhere may be out of reach
  batchBytes?: number | undefined; // always; else as the line takes them
  patience?: Partial<Patience>;
  onChange?: () => void;
}

/** Of the six connections to one host that browsers open, one is for questions and one for the page's live stream. */
const LANES: Lanes = { page: 4, store: 6 };
/** Milliseconds between two progress reports to the server, and files of one. */
const HEARTBEAT = 2000;
const REPORTED = 1000;
/** Heartbeats without a byte or an answer after which what is being sent is begun anew: five minutes, more than anything may take. */
const STUCK = 150;
/** Files that one call gives up at most. */
const ABANDON_AT_ONCE = 1000;

export class Engine {
  readonly items: Upload[] = [];

  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #changed: () => void;
  readonly #persistence: Persistence;
  readonly #detour: Detour;
  readonly #course: Course;
  readonly #planner: Planner;
  readonly #sender: Sender;
  #groups = new WeakMap<object, Group>(); // of what falls in one drop, bit by bit
  #known = new Map<string, Upload>(); // what a person would call the same file
  #halted = new WeakSet<Group>(); // paused with all the rest: what is still being read of them comes paused
  #given = new Map<string, string[]>(); // case → uploads given up, of which the server is still to be told
  #telling: Promise<void> | undefined;
  #keys = 0;
  #beating = false;
  #moved = { what: "", beats: 0 }; // what has moved so far, and heartbeats since it last did
  #reported = new Map<string, number>();

  constructor(options: EngineOptions) {
    const { transport, checksum } = options;
    this.#transport = transport;
    const clock = (this.#clock = options.clock ?? realClock);
    const onChange = (this.#changed = options.onChange ?? (() => {}));
    const persistence = (this.#persistence = new Persistence(
      clock,
      { ...patience, ...options.patience },
      () => transport.ping(),
      () => this.#gateMoved(),
    ));
    const detour = (this.#detour = new Detour(transport, clock, () => this.#gateMoved()));
    const course = (this.#course = new Course({
      transport,
      checksum,
      locks: options.locks,
      persistence,
      sender: () => this.#sender,
      replan: (upload) => this.#planner.add([upload]),
      onChange,
    }));
    const onFailed = (upload: Upload, failure: Failure) => course.fail(upload, failure);
    this.#planner = new Planner({
      transport,
      checksum,
      persistence,
      given: async () => await this.#telling,
      onPlanned: (upload, file, answer) => this.#planned(upload, file, answer),
      onFailed,
      onChange,
    });
    this.#sender = new Sender({
      transport,
      checksum,
      clock,
      persistence,
      detour,
      first: options.first ?? 3,
      most: options.most ?? 8,
      lanes: options.lanes ?? LANES,
      connection: options.connection,
      origin: options.origin ?? "",
      batchBytes: options.batchBytes,
      onWhole: (upload) => void course.finish(upload),
      onFailed,
      onEnded: (upload, failure) => void course.lookAfter(upload, failure),
      onChange,
    });
  }

  get gate(): Gate {
    return this.#persistence.gate;
  }

  /** Whether nothing gets through at present, though nothing here forbids it; it is tried again by itself. */
  get outage(): boolean {
    return this.#persistence.outage;
  }

  /** Why parts go through the server; undefined while they go directly to the store. */
  get relay(): Relay | undefined {
    return this.#detour.relay;
  }

  /** Transfers that may be in flight at present. */
  get window(): number {
    return this.#sender.limit;
  }

  /** True when something is paused and nothing else is left to be sent. */
  get paused(): boolean {
    const live = this.items.filter((item) => item.live);
    return live.length > 0 && live.every((item) => item.state === "paused");
  }

  /**
   * Takes files for a case. One that is on its way already is not taken twice: its item is returned, and goes on if it
   * was paused or had failed. What is added with the same `drop` belongs together, also before the server has named it.
   */
  add(caseId: string, sources: Iterable<Source>, drop: object = {}): Item[] {
    const group = this.#groups.get(drop) ?? { caseId, drop: "" };
    this.#groups.set(drop, group);
    const fresh: Upload[] = [];
    const items = [...sources].map((source) => {
      const name = [caseId, source.path, source.name, source.size, source.modified, source.replaces ?? ""].join("\n");
      const known = this.#known.get(name);
      if (known && (known.live || known.state === "failed") && !source.again) {
        if (known.state === "failed" || known.state === "paused") known.source = source; // the older one may be stale
        if (known.state === "failed") this.retry(known);
        else this.resume(known);
        return known;
      }
      const upload = new Upload(++this.#keys, source, group);
      upload.since = this.#persistence.tried();
      this.#known.set(name, upload);
      fresh.push(upload);
      return upload;
    });
    this.items.push(...fresh);
    if (this.#halted.has(group)) for (const upload of fresh) upload.state = "paused";
    this.#planner.add(fresh.filter((upload) => upload.wanted));
    void this.#beat();
    this.#changed();
    return items;
  }

  /** Tells of files that are about to be added, so that nothing has to be asked once they are. */
  expect(caseId: string, sources: readonly Source[]): void {
    this.#planner.expect(caseId, sources);
  }

  /** Tells whether the computer has a network. Without one everything waits; nothing fails. */
  setOnline(online: boolean): void {
    if (!online) this.#persistence.gate = "offline";
    else if (this.gate === "offline") this.#persistence.gate = "open";
  }

  /** Stops a file's requests; what has arrived stays. */
  pause(item: Item): void {
    const upload = item as Upload;
    if (!upload.wanted || upload.state === "finishing") return;
    upload.state = "paused";
    upload.halt();
    this.#changed();
  }

  /** Goes on with a paused file. */
  resume(item: Item): void {
    if (item.state === "paused") this.#goOn(item as Upload);
  }

  /** Pauses what is there, and what is still to come of the same drops. */
  pauseAll(): void {
    for (const item of this.items) {
      this.#halted.add(item.group);
      this.pause(item);
    }
  }

  resumeAll(): void {
    this.#halted = new WeakSet();
    for (const item of this.items) this.resume(item);
  }

  cancel(item: Item): void {
    const upload = item as Upload;
    if (!this.#stop(upload)) return;
    this.#giveUp(upload);
  }

  cancelAll(): void {
    for (const upload of this.items) if (this.#stop(upload)) this.#giveUp(upload);
  }

  /** Has the server told that an upload is given up. Who sends the same file again is planned after that, not into what ends. */
  #giveUp({ id, caseId }: Upload): void {
    if (!id) return;
    const ids = this.#given.get(caseId) ?? [];
    this.#given.set(caseId, ids);
    ids.push(id);
    this.#telling ??= this.#tell();
  }

  /** Of thousands in few calls. What the server does not hear its sweep does later. */
  async #tell(): Promise<void> {
    while (this.#given.size > 0) {
      await Promise.resolve(); // whatever is given up in this moment
      const calls: Promise<void>[] = [];
      for (const [caseId, ids] of this.#given)
        for (let from = 0; from < ids.length; from += ABANDON_AT_ONCE) {
          const some = ids.slice(from, from + ABANDON_AT_ONCE);
          const call = some.length === 1 ? this.#transport.abort(some[0]!) : this.#transport.abandon(caseId, some);
          calls.push(call.catch(() => {}));
        }
      this.#given.clear();
      await Promise.all(calls);
    }
    this.#telling = undefined;
  }

  /** Stops what is on its way or has failed; tells whether it was. */
  #stop(upload: Upload): boolean {
    if (!upload.live && upload.state !== "failed") return false;
    this.#course.rest(upload, "cancelled");
    upload.halt();
    return true;
  }

  /** Sends a failed file again: what has arrived of it counts, where the server still knows of it. */
  retry(item: Item): void {
    const upload = item as Upload;
    if (upload.state !== "failed") return;
    if (["not_found", "gone", "conflict"].includes(upload.error?.kind ?? "")) upload.forget();
    this.#goOn(upload);
  }

  /** Sends everything again that failed; whoever was signed out has signed in. */
  retryAll(): void {
    if (this.gate === "signIn") this.#persistence.gate = "open";
    for (const item of this.items) this.retry(item);
  }

  /** Forgets what is finished, failed or cancelled. */
  clear(): void {
    const live = this.items.filter((item) => item.live);
    this.items.splice(0, this.items.length, ...live);
    for (const [name, upload] of this.#known) if (!upload.live) this.#known.delete(name);
    this.#changed();
  }

  get totals(): Totals {
    const t = {
      files: 0,
      live: 0,
      paused: 0,
      done: 0,
      received: 0,
      failed: 0,
      bytes: 0,
      sent: 0,
      resumed: 0,
      resent: 0,
    };
    for (const item of this.items) {
      if (item.state === "cancelled") continue;
      t.files++;
      t.bytes += item.source.size;
      t.sent += item.sent;
      t.resumed += item.state === "received" ? item.source.size : item.resumedBytes;
      t.resent += item.resent;
      if (item.live) t.live++;
      if (item.state === "paused") t.paused++;
      if (item.state === "done") t.done++;
      if (item.state === "received") t.received++;
      if (item.state === "failed") t.failed++;
    }
    return t;
  }

  #gateMoved(): void {
    this.#sender.pump();
    this.#changed();
  }

  #goOn(upload: Upload): void {
    upload.state = "queued";
    upload.error = undefined;
    upload.since = this.#persistence.tried();
    if (!upload.remote) this.#planner.add([upload]);
    else if (upload.whole) void this.#course.finish(upload);
    else void this.#course.begin(upload);
    void this.#beat();
    this.#changed();
  }

  #planned(upload: Upload, file: RemoteFile, { resumed, received }: Planned): void {
    if (received) {
      upload.crc ||= upload.fingerprint;
      if (upload.live) this.#course.rest(upload, "received");
      return;
    }
    upload.remote = file;
    upload.doubted = resumed === true;
    if (upload.state === "cancelled")
      this.#giveUp(upload); // while it was planned
    else if (upload.wanted) void this.#course.begin(upload);
  }

  /**
   * Begins anew what nobody sends any more though nothing forbids it: something the browser has forgotten must not be the
   * end of an upload. The computer's sleep is one heartbeat.
   */
  #revive(): void {
    const { sent, resent, live } = this.totals;
    const what = `${sent} ${resent} ${live}`;
    const waits = this.gate !== "open" || this.#persistence.calm > 0;
    const beats = waits || what !== this.#moved.what ? 0 : this.#moved.beats + 1;
    this.#moved = { what, beats: beats % STUCK };
    if (beats < STUCK) return;
    for (const item of this.items.filter(({ state }) => state === "sending")) {
      this.pause(item);
      this.resume(item);
    }
  }

  /** Tells the server every other second how far each file has got, for everybody who looks. */
  async #beat(): Promise<void> {
    if (this.#beating) return;
    this.#beating = true;
    while (this.items.some((item) => item.wanted)) {
      await this.#clock.sleep(HEARTBEAT);
      this.#persistence.tried(); // so that the computer's sleep is noticed
      this.#revive();
      if (this.gate !== "open") continue;
      void this.#detour.look();
      const news = this.items
        .filter((item) => item.state === "sending" && item.id && this.#reported.get(item.id) !== item.sent)
        .slice(0, REPORTED)
        .map((item) => ({ id: item.id, sent: item.sent }));
      if (news.length === 0) continue;
      for (const { id, sent } of news) this.#reported.set(id, sent);
      await this.#transport.progress(news).catch(() => {}); // display only; the next one tells more
    }
    this.#reported.clear();
    this.#beating = false;
  }
}
