// The uploader's engine: plans in batches, keeps several parts and several files in flight, tries again what fails and
// completes what is whole. It knows no DOM; transport, checksum and clock are given to it.
import {
  Failure,
  type Checksum,
  type Clock,
  type FileSpec,
  type Gate,
  type Item,
  type Planned,
  type Problem,
  type Relay,
  type Source,
  type Totals,
  type Transport,
} from "./contract.js";
import { asFailure, mayHelp, patience, Persistence, type Patience } from "./persist.js";
import { Signer } from "./signer.js";
import { Upload, type Span } from "./upload.js";
import { realClock, Turns } from "./wait.js";

export interface EngineOptions {
  transport: Transport;
  checksum: Checksum;
  clock?: Clock;
  atOnce?: number; // transfers and completions in flight at most; browsers open six connections to one host
  origin?: string; // of the page: what is elsewhere may be out of reach
  patience?: Partial<Patience>;
  onChange?: () => void;
}

/** Files of one plan request. */
const BATCH = 1000;
/** Large files under way at once; the parts of one fill the line, a second hides its start and end. */
const LARGE_AT_ONCE = 3;
/** Parts read ahead of the line: their checksum is ready when a turn is free. */
const AHEAD = 2;
/** Milliseconds between two progress reports to the server. */
const HEARTBEAT = 1000;
/** Unreachable answers of a store elsewhere, before a first success, until parts go through the server instead. */
const RELAY_AFTER = 3;

/** Times a part is read again because the store found other bytes, and signed again because it refused the signature. */
const SPOILT_AT_MOST = 2;
const REFUSED_AT_MOST = 4;

export class Engine {
  readonly items: Upload[] = [];
  relay: Relay | undefined;

  readonly #transport: Transport;
  readonly #checksum: Checksum;
  readonly #clock: Clock;
  readonly #changed: () => void;
  readonly #turns: Turns;
  readonly #most: number;
  readonly #origin: string;
  readonly #signer: Signer;
  readonly #persistence: Persistence;
  #unplanned: Upload[] = [];
  #waiting: Upload[] = []; // planned, with parts to take
  #planning = false;
  #beating = false;
  #jobs = 0;
  #keys = 0;
  #luck = 0; // successes since the window last changed
  #storeReached = false;
  #storeMissed = 0;
  #smallTurn = false;
  #reported = new Map<string, number>();

  constructor(options: EngineOptions) {
    this.#transport = options.transport;
    this.#checksum = options.checksum;
    this.#clock = options.clock ?? realClock;
    this.#changed = options.onChange ?? (() => {});
    this.#most = options.atOnce ?? 3;
    this.#origin = options.origin ?? "";
    this.#turns = new Turns(Math.min(2, this.#most));
    this.#signer = new Signer(this.#transport, this.#clock);
    this.#persistence = new Persistence(
      this.#clock,
      { ...patience, ...options.patience },
      (failure) => this.#slower(failure),
      this.#changed,
    );
  }

  get gate(): Gate {
    return this.#persistence.gate;
  }

  /** Takes files for a case; they are sent in this order, large and small side by side. */
  add(caseId: string, sources: Iterable<Source>, { drop = "" } = {}): Item[] {
    const added: Upload[] = [];
    for (const source of sources) added.push(new Upload(++this.#keys, source, caseId, drop));
    this.items.push(...added);
    this.#unplanned.push(...added);
    void this.#plan();
    void this.#beat();
    this.#changed();
    return added;
  }

  /** Tells whether the computer has a network. Without one everything waits; nothing fails. */
  setOnline(online: boolean): void {
    if (!online) this.#persistence.gate = "offline";
    else if (this.gate === "offline") this.#persistence.gate = "open";
  }

  /** True when something is paused and nothing else is left to be sent. */
  get paused(): boolean {
    const live = this.items.filter((item) => item.live);
    return live.length > 0 && live.every((item) => item.state === "paused");
  }

  /** Stops a file's requests; what has arrived stays. */
  pause(item: Item): void {
    const upload = item as Upload;
    if (!upload.live || upload.state === "paused" || upload.state === "finishing") return;
    upload.state = "paused";
    upload.stop.abort();
    this.#changed();
  }

  /** Goes on with a paused file. */
  resume(item: Item): void {
    const upload = item as Upload;
    if (upload.state !== "paused") return;
    this.#again(upload);
  }

  pauseAll(): void {
    for (const item of this.items) this.pause(item);
  }

  resumeAll(): void {
    for (const item of this.items) this.resume(item);
  }

  cancel(item: Item): void {
    const upload = item as Upload;
    if (!upload.live && upload.state !== "failed") return;
    upload.state = "cancelled";
    upload.stop.abort();
    if (upload.id) this.#transport.abort(upload.id).catch(() => {}); // the server's sweep does it later
    this.#changed();
  }

  cancelAll(): void {
    for (const item of this.items) this.cancel(item);
  }

  /** Sends a failed file again: what has arrived of it counts, where the server still knows of it. */
  retry(item: Item): void {
    const upload = item as Upload;
    if (upload.state !== "failed") return;
    if (["not_found", "gone", "conflict"].includes(upload.error?.kind ?? "")) upload.forget();
    this.#again(upload);
  }

  #again(upload: Upload): void {
    upload.state = "queued";
    upload.error = undefined;
    upload.stop = new AbortController();
    if (!upload.remote) this.#unplanned.push(upload);
    else if (upload.whole) void this.#finish(upload);
    else this.#enqueue(upload);
    void this.#plan();
    void this.#beat();
    this.#pump();
    this.#changed();
  }

  retryAll(): void {
    if (this.gate === "signIn") this.#persistence.gate = "open";
    for (const item of this.items) this.retry(item);
  }

  /** Forgets what is finished, failed or cancelled. */
  clear(): void {
    const live = this.items.filter((item) => item.live);
    this.items.splice(0, this.items.length, ...live);
    this.#changed();
  }

  get totals(): Totals {
    const t: Totals = {
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
      t.resumed += item.resumedBytes;
      if (item.live) t.live++;
      if (item.state === "paused") t.paused++;
      if (item.state === "done") t.done++;
      if (item.state === "received") t.received++;
      if (item.state === "failed") t.failed++;
    }
    return t;
  }

  // Planning: one request for a thousand files, in the order they were added.

  async #plan(): Promise<void> {
    if (this.#planning) return;
    this.#planning = true;
    for (;;) {
      const first = this.#unplanned.find(waits);
      if (!first) break;
      const batch = this.#unplanned.filter((u) => waits(u) && u.caseId === first.caseId).slice(0, BATCH);
      const taken = new Set(batch);
      this.#unplanned = this.#unplanned.filter((u) => u.live && !taken.has(u));
      await this.#planBatch(first.caseId, batch);
      this.#pump();
    }
    this.#planning = false;
  }

  async #planBatch(caseId: string, batch: Upload[]): Promise<void> {
    try {
      const specs = batch.map((upload) => spec(upload.source));
      const never = new AbortController().signal;
      const planned = await this.#persistence.until(() => this.#transport.plan(caseId, specs), never);
      batch.forEach((upload, i) => this.#planned(upload, planned[i]));
    } catch (error) {
      for (const upload of batch) this.#fail(upload, asFailure(error));
    }
    this.#changed();
  }

  #planned(upload: Upload, answer: Planned | undefined): void {
    if (!answer?.file) {
      this.#fail(upload, new Failure(answer?.error?.status ?? 502, answer?.error));
      return;
    }
    upload.remote = answer.file;
    if (upload.state === "paused") return;
    if (upload.live) this.#enqueue(upload);
    else this.#transport.abort(upload.id).catch(() => {}); // cancelled while it was planned
  }

  // Sending: a job is one part, or one small file whole.

  #enqueue(upload: Upload): void {
    if (!this.#waiting.includes(upload)) this.#waiting.push(upload);
  }

  #pump(): void {
    while (this.#jobs < this.#turns.limit + AHEAD) {
      const upload = this.#choose();
      const span = upload?.takePart();
      if (!upload || !span) return;
      if (!upload.hasPart) this.#waiting = this.#waiting.filter((u) => u !== upload);
      this.#jobs++;
      void this.#send(upload, span).finally(() => {
        this.#jobs--;
        this.#pump();
        this.#changed();
      });
    }
  }

  /** The file whose part goes next: small and large ones take turns; few large ones at once, the least sent last. */
  #choose(): Upload | undefined {
    this.#waiting = this.#waiting.filter((upload) => waits(upload) && upload.hasPart);
    const small = this.#waiting.find((upload) => !upload.direct);
    const large = this.#waiting.filter((upload) => upload.direct).slice(0, LARGE_AT_ONCE);
    this.#smallTurn = !this.#smallTurn;
    if (small && (this.#smallTurn || large.length === 0)) return small;
    const next = large[0];
    if (next && large.length > 1) {
      this.#waiting = this.#waiting.filter((upload) => upload !== next);
      this.#waiting.splice(this.#waiting.indexOf(large.at(-1)!) + 1, 0, next);
    }
    return next ?? small;
  }

  async #send(upload: Upload, span: Span): Promise<void> {
    upload.state = "sending";
    const signal = upload.stop.signal;
    const blob = upload.source.slice(span.start, span.end);
    let crc: string | undefined;
    let spoilt = 0;
    let refused = 0;
    const work = async () => {
      crc ??= await this.#checksum(blob);
      try {
        await (upload.direct ? this.#sendPart(upload, span, blob, crc) : this.#sendSmall(upload, span, blob, crc));
      } catch (error) {
        upload.flying(span.number, 0);
        if (asFailure(error).status !== 403) crc = undefined; // the file may have changed: read it again
        throw error;
      }
    };
    const helps = (failure: Failure) =>
      mayHelp(failure) ||
      (failure.status === 400 && ++spoilt <= SPOILT_AT_MOST) || // bytes spoilt on the way
      (failure.status === 403 && upload.direct && ++refused <= REFUSED_AT_MOST); // the signature expired: the next is new
    try {
      await this.#persistence.until(work, signal, helps);
      upload.landed(span);
      this.#faster();
    } catch (error) {
      upload.dropped(span.number);
      if (!signal.aborted) this.#fail(upload, asFailure(error));
      else if (waits(upload)) this.#enqueue(upload); // stopped and taken up again meanwhile
      return;
    }
    if (upload.whole && waits(upload)) await this.#finish(upload);
  }

  async #sendSmall(upload: Upload, span: Span, blob: Blob, crc: string): Promise<void> {
    await this.#inTurn(upload, span, (onProgress, signal) =>
      this.#transport.putSmall(upload.id, blob, crc, onProgress, signal).then(() => {}),
    );
  }

  async #sendPart(upload: Upload, span: Span, blob: Blob, crc: string): Promise<void> {
    if (this.relay) {
      await this.#inTurn(upload, span, (onProgress, signal) =>
        this.#transport.relayPart(upload.id, span.number, blob, crc, onProgress, signal),
      );
      return;
    }
    const request = await this.#signer.sign(upload.id, span.number, crc);
    const elsewhere = this.#origin !== "" && !request.url.startsWith(this.#origin + "/");
    try {
      await this.#inTurn(upload, span, (onProgress, signal) =>
        this.#transport.putPart(request, blob, onProgress, signal),
      );
      this.#storeReached = true;
    } catch (error) {
      const unreachable =
        elsewhere && !this.#storeReached && asFailure(error).reason === "network" && this.gate === "open";
      if (unreachable && ++this.#storeMissed >= RELAY_AFTER) this.relay = { code: "STORE-UNREACHABLE", detail: "" };
      throw error;
    }
  }

  async #inTurn(
    upload: Upload,
    span: Span,
    send: (onProgress: (sent: number) => void, signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    await this.#turns.take();
    try {
      if (upload.stop.signal.aborted) throw new Failure(0, undefined, undefined, "aborted");
      const onProgress = (sent: number) => {
        upload.flying(span.number, Math.min(sent, span.end - span.start));
        this.#changed();
      };
      await this.#persistence.watched(span.end - span.start, upload.stop.signal, onProgress, send);
    } finally {
      this.#turns.give();
    }
  }

  // Finishing: the server looks for itself; where it misses parts, they are sent again.

  async #finish(upload: Upload): Promise<void> {
    const signal = upload.stop.signal;
    try {
      if (upload.direct) {
        upload.state = "finishing";
        this.#changed();
        await this.#persistence.until(() => this.#complete(upload), signal);
      }
      upload.state = "done";
      this.#changed();
    } catch (error) {
      if (!signal.aborted) await this.#recover(upload, asFailure(error));
    }
  }

  /** Takes a turn: some stores copy a large file to complete it, which holds a connection long. */
  async #complete(upload: Upload): Promise<void> {
    await this.#turns.take();
    try {
      if (upload.stop.signal.aborted) throw new Failure(0, undefined, undefined, "aborted");
      await this.#transport.complete(upload.id);
    } finally {
      this.#turns.give();
    }
  }

  async #recover(upload: Upload, failure: Failure): Promise<void> {
    if (upload.live && [400, 409].includes(failure.status) && upload.recoveries++ < 2) {
      try {
        const signal = upload.stop.signal;
        upload.reconcile(await this.#persistence.until(() => this.#transport.held(upload.id), signal));
        if (!upload.whole) {
          upload.state = "sending";
          this.#enqueue(upload);
          this.#pump();
          return;
        }
      } catch {
        // what Complete said tells more than that the parts could not be listed
      }
    }
    this.#fail(upload, failure);
  }

  #fail(upload: Upload, failure: Failure): void {
    if (!upload.live) return;
    upload.state = "failed";
    upload.error = failure.problem ?? problemOf(failure);
    upload.stop.abort(); // its other parts stop; what has arrived stays for another attempt
    this.#changed();
  }

  // The window: one more in flight while all goes well, half as many when the line breaks.

  #faster(): void {
    if (++this.#luck < this.#turns.limit || this.#turns.limit >= this.#most) return;
    this.#luck = 0;
    this.#turns.limit++;
  }

  #slower(failure: Failure): void {
    if (
      failure.reason !== "network" &&
      failure.reason !== "stalled" &&
      failure.status !== 429 &&
      failure.status !== 503
    )
      return;
    this.#luck = 0;
    this.#turns.limit = Math.max(1, Math.floor(this.#turns.limit / 2));
  }

  /** Tells the server once a second how far each file has got, for everybody who looks. */
  async #beat(): Promise<void> {
    if (this.#beating) return;
    this.#beating = true;
    while (this.items.some((item) => item.live)) {
      await this.#clock.sleep(HEARTBEAT);
      const news = this.items
        .filter((item) => item.state === "sending" && item.id && this.#reported.get(item.id) !== item.sent)
        .slice(0, BATCH)
        .map((item) => ({ id: item.id, sent: item.sent }));
      if (news.length === 0 || this.gate !== "open") continue;
      for (const { id, sent } of news) this.#reported.set(id, sent);
      await this.#transport.progress(news).catch(() => {}); // display only; the next one tells more
    }
    this.#reported.clear();
    this.#beating = false;
  }
}

/** Whether an upload is to go on. */
const waits = (upload: Upload): boolean => upload.live && upload.state !== "paused";

function spec(source: Source): FileSpec {
  const modified = source.modified > 0 ? { modified_at: new Date(source.modified).toISOString() } : {};
  return { name: source.name, path: source.path, size: source.size, content_type: source.type, ...modified };
}

/** A failure without the server's words; detail is a key of the catalogue. */
function problemOf(failure: Failure): Problem {
  const detail = failure.reason === "answer" ? "error.server" : `error.${failure.reason}`;
  return { status: failure.status, kind: failure.reason, detail };
}
