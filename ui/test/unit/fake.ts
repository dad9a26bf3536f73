// A transport, a clock, files and tabs that cause what real ones rarely do. Nothing here takes real time.
import {
  Failure,
  stopped,
  type BatchAnswer,
  type BatchFile,
  type Clock,
  type FileSpec,
  type HeldPart,
  type Locks,
  type OnProgress,
  type PlanAnswer,
  type Planned,
  type ReceivedFile,
  type RemoteFile,
  type SignedRequest,
  type Source,
  type StoreTest,
  type Transport,
} from "../../src/contract.js";
import { combine, crc64, fromBase64, toBase64 } from "../../src/crc64.js";

export const PART = 100;
export const DIRECT_FROM = 250;

/** A clock whose time passes as soon as everybody waits. */
export class FakeClock implements Clock {
  #now = 0;
  #sleepers: { at: number; wake: () => void }[] = [];
  #armed = false;

  now(): number {
    return this.#now;
  }

  random(): number {
    return 0.5;
  }

  /** The computer sleeps: time passes, and nothing happens in it. */
  jump(ms: number): void {
    this.#now += ms;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const wake = () => {
        signal?.removeEventListener("abort", wake);
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
        resolve();
      };
      const sleeper = { at: this.#now + Math.max(0, ms), wake };
      this.#sleepers.push(sleeper);
      signal?.addEventListener("abort", wake);
      this.#arm();
    });
  }

  #arm(): void {
    if (this.#armed) return;
    this.#armed = true;
    setImmediate(() => {
      this.#armed = false;
      if (this.#sleepers.length === 0) return;
      this.#sleepers.sort((a, b) => a.at - b.at);
      const next = this.#sleepers.shift()!;
      this.#now = Math.max(this.#now, next.at);
      next.wake();
      this.#arm();
    });
  }
}

/** Counts the pieces of files that are in somebody's hands: from the slice until the request with it has ended. */
export class Memory {
  pieces = new Set<Slice>();
  most = 0;
  taken = 0;

  take(slice: Slice): void {
    this.taken++;
    this.pieces.add(slice);
    this.most = Math.max(this.most, this.pieces.size);
  }
}

export class Slice {
  constructor(
    readonly file: FakeFile,
    readonly start: number,
    readonly end: number,
  ) {}

  get size(): number {
    return this.end - this.start;
  }

  get crc(): string {
    const bytes = new Uint8Array(this.size);
    for (let i = 0; i < bytes.length; i++) bytes[i] = this.file.byte(this.start + i);
    return toBase64(crc64(bytes));
  }
}

export class FakeFile implements Source {
  path = "";
  type = "";
  modified = 1;
  again = false;
  broken: string | undefined; // the name of what reading throws
  byte = (at: number): number => (at * 7 + (at >> 8) + (this.seed >> (8 * (at & 3)))) & 255;
  #planned = false;

  constructor(
    readonly name: string,
    readonly size: number,
    readonly memory = new Memory(),
    public seed = 0,
  ) {}

  slice(start: number, end: number): Blob {
    const slice = new Slice(this, start, end);
    if (this.#planned || start > 0) this.memory.take(slice);
    this.#planned = true; // the first piece is read for the plan
    return slice as unknown as Blob;
  }

  /** Its checksum. */
  whole(): string {
    return new Slice(this, 0, this.size).crc;
  }
}

/** What went through the checksum worker. */
export class Reader {
  readonly read: Slice[] = [];
  atOnce = 0;
  mostAtOnce = 0;

  checksum = async (blob: Blob): Promise<string> => {
    const slice = blob as unknown as Slice;
    this.read.push(slice);
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.atOnce);
    try {
      await Promise.resolve();
      if (slice.file.broken) throw Object.assign(new Error("gone"), { name: slice.file.broken });
      return slice.crc;
    } finally {
      this.atOnce--;
    }
  };
}

export type Fault = (what: {
  method: string;
  file: string;
  part: number;
  attempt: number;
  body: Blob | undefined;
  hang: () => Promise<never>;
}) => void | Promise<void>;

interface Row {
  id: string;
  caseId: string;
  spec: FileSpec;
  state: string;
  parts: Map<number, HeldPart>;
}

/** How fast bytes move: all together, one connection at most, and the time of an answer. Bytes per ms, ms. */
export interface Line {
  rate: number;
  each: number;
  trip: number;
}

/** A server and a store in memory. `fault` may throw a Failure, or hang, before anything happens. */
export class FakeTransport implements Transport {
  calls: string[] = [];
  plans: FileSpec[][] = [];
  signed: number[][] = [];
  rows = new Map<string, Row>();
  aborted: string[] = [];
  abandonings: { caseId: string; files: number }[] = [];
  reports: { id: string; sent: number }[][] = [];
  storeReports: { code: string; detail: string; case: string }[] = [];
  batches: string[][] = [];
  flying = 0;
  mostFlying = 0;
  order: string[] = [];
  bytes = 0; // that left
  endedAt = 0; // when bytes last moved
  relayed = 0;
  expired = 0; // signatures that were used too late
  host = "https://page.example";
  partSize = PART;
  directFrom = DIRECT_FROM;
  freshFor = 900_000;
  checks = true;
  store: "fine" | "cors" | "unreachable" | "intercepted" | "refused" = "fine";
  #attempts = new Map<string, number>();
  #named = new Map<string, Row[]>();
  #received = new Map<string, Row>(); // by checksum

  constructor(
    readonly clock: FakeClock,
    public fault: Fault = () => {},
    readonly line: Line = { rate: Infinity, each: Infinity, trip: 50 },
  ) {}

  /** Names of what was received. */
  get stored(): string[] {
    return [...this.rows.values()].filter(({ state }) => state === "stored").map(({ spec }) => spec.name);
  }

  count(call: string): number {
    return this.calls.filter((other) => other === call).length;
  }

  async plan(caseId: string, files: FileSpec[], drop: string): Promise<PlanAnswer> {
    await this.#step("plan", "", 0);
    await this.clock.sleep(this.line.trip);
    this.plans.push(files);
    return { drop: drop || `drop-${this.plans.length}`, files: files.map((spec) => this.#planned(caseId, spec)) };
  }

  #planned(caseId: string, spec: FileSpec): Planned {
    if (spec.size === 0) return { error: { status: 400, kind: "invalid", detail: "The file is empty." } };
    const same = this.#received.get(spec.crc64nvme ?? "");
    if (same && !spec.again) return { file: this.#file(same), received: true };
    for (const row of this.#named.get(spec.name) ?? []) {
      const alike =
        row.spec.name === spec.name && row.spec.size === spec.size && row.spec.fingerprint === spec.fingerprint;
      if (["planned", "sending"].includes(row.state) && alike) return { file: this.#file(row), resumed: true };
    }
    const row: Row = { id: `id-${this.rows.size + 1}`, caseId, spec, state: "planned", parts: new Map() };
    this.rows.set(row.id, row);
    this.#named.set(spec.name, [...(this.#named.get(spec.name) ?? []), row]);
    return { file: this.#file(row) };
  }

  #whole(row: Row): string {
    const parts = [...row.parts.values()].sort((a, b) => a.number - b.number);
    return toBase64(parts.reduce((crc, part) => combine(crc, fromBase64(part.crc64nvme), part.size), 0n));
  }

  #file({ id, spec, state }: Row): RemoteFile {
    const direct = spec.size >= this.directFrom;
    const parts = direct ? Math.ceil(spec.size / this.partSize) : 0;
    const crc64nvme = ["stored", "reading"].includes(state) ? this.#whole(this.rows.get(id)!) : "";
    return { id, state, route: direct ? "direct" : "small", part_size: direct ? this.partSize : 0, parts, crc64nvme };
  }

  async match(_caseId: string, sizes: number[], ids?: string[]): Promise<ReceivedFile[]> {
    await this.#step(ids ? "arrived" : "match", "", 0);
    return [...this.rows.values()]
      .filter((row) => row.state === "stored" && sizes.includes(row.spec.size) && (ids?.includes(row.id) ?? true))
      .map((row) => ({ id: row.id, size: row.spec.size, crc64nvme: this.#whole(row) }));
  }

  async file(file: string): Promise<RemoteFile> {
    await this.#step("file", file, 0);
    return this.#file(this.rows.get(file)!);
  }

  async sign(file: string, parts: { number: number; crc64nvme: string }[]): Promise<SignedRequest[]> {
    await this.#step("sign", file, parts[0]!.number);
    await this.clock.sleep(this.line.trip);
    this.signed.push(parts.map(({ number }) => number));
    const until = this.clock.now() + this.freshFor;
    return parts.map(({ number, crc64nvme }) => ({
      part: number,
      method: "PUT",
      url: `${this.host}/${file}/${number}`,
      headers: { crc: crc64nvme, until: String(until) },
      freshFor: this.freshFor,
    }));
  }

  async held(file: string): Promise<HeldPart[]> {
    await this.#step("held", file, 0);
    return [...this.rows.get(file)!.parts.values()];
  }

  async complete(file: string, crc: string): Promise<RemoteFile> {
    await this.#step("complete", file, 0);
    const row = this.rows.get(file)!;
    const other = (detail: string) => new Failure(409, { problem: { status: 409, kind: "conflict", detail } });
    if (row.state === "stored" && this.#whole(row) !== crc) throw other("Other bytes were already received.");
    if (row.state === "stored") return this.#file(row);
    const held = [...row.parts.values()].reduce((sum, { size }) => sum + size, 0);
    if (held !== row.spec.size) throw other("Parts are missing.");
    if (this.#whole(row) !== crc) throw other("The parts held are not all of this file.");
    this.#store(row);
    return this.#file(row);
  }

  #store(row: Row): void {
    row.state = "stored";
    this.#received.set(this.#whole(row), row);
  }

  async abort(file: string): Promise<void> {
    this.aborted.push(file);
    this.rows.get(file)!.state = "abandoned";
  }

  async abandon(caseId: string, files: string[]): Promise<void> {
    this.abandonings.push({ caseId, files: files.length });
    for (const file of files) await this.abort(file);
  }

  async progress(files: { id: string; sent: number }[]): Promise<void> {
    this.reports.push(files);
  }

  async putSmall(
    file: string,
    body: Blob,
    crc: string,
    onProgress: OnProgress,
    signal: AbortSignal,
  ): Promise<RemoteFile> {
    this.order.push(this.rows.get(file)!.spec.name);
    await this.#bytes("small", file, 0, [body], onProgress, signal);
    const received = this.#receive(file, crc, body);
    await this.#step("answerSmall", file, 0, signal);
    return received;
  }

  #receive(file: string, crc: string, body: Blob): RemoteFile {
    const row = this.rows.get(file)!;
    if (this.checks && crc !== (body as unknown as Slice).crc) throw new Failure(400);
    row.parts.set(1, { number: 1, size: body.size, crc64nvme: crc });
    this.#store(row);
    return this.#file(row);
  }

  async putBatch(
    _case: string,
    files: BatchFile[],
    onProgress: OnProgress,
    signal: AbortSignal,
  ): Promise<BatchAnswer[]> {
    this.batches.push(files.map(({ id }) => this.rows.get(id)!.spec.name));
    for (const { id } of files) this.order.push(this.rows.get(id)!.spec.name);
    const bodies = files.map(({ body }) => body);
    await this.#bytes("batch", "", 0, bodies, onProgress, signal);
    const answers: BatchAnswer[] = [];
    for (const { id, crc, body } of files) {
      try {
        await this.#step("inBatch", id, 0);
        answers.push({ id, file: this.#receive(id, crc, body) });
      } catch (error) {
        const { status, problem } = error as Failure;
        if (status !== 0) answers.push({ id, error: problem ?? { status, kind: "invalid", detail: "" } }); // else not looked at
      }
    }
    await this.#step("answerBatch", "", 0, signal);
    return answers;
  }

  async putPart(request: SignedRequest, body: Blob, onProgress: OnProgress, signal: AbortSignal): Promise<void> {
    const file = request.url.split("/").at(-2)!;
    if (this.clock.now() >= Number(request.headers.until)) {
      this.expired++;
      throw new Failure(403, { storeCode: "AccessDenied" });
    }
    this.order.push(this.rows.get(file)!.spec.name);
    await this.#bytes("part", file, request.part, [body], onProgress, signal);
    this.#took(file, request.part, request.headers.crc!, body);
    await this.#answer(file, request.part, signal);
  }

  async relayPart(
    file: string,
    part: number,
    body: Blob,
    crc: string,
    onProgress: OnProgress,
    signal: AbortSignal,
  ): Promise<void> {
    this.relayed++;
    this.order.push(this.rows.get(file)!.spec.name);
    await this.#bytes("relay", file, part, [body], onProgress, signal);
    this.#took(file, part, crc, body);
    await this.#answer(file, part, signal);
  }

  /** The fault "answer" comes after the store has taken a part; attempts are not counted. */
  async #answer(file: string, part: number, signal: AbortSignal): Promise<void> {
    await this.fault({ method: "answer", file, part, attempt: 0, body: undefined, hang: hanging(signal) });
  }

  #took(file: string, number: number, crc: string, body: Blob): void {
    if (this.checks && crc !== (body as unknown as Slice).crc) throw new Failure(400, { storeCode: "BadDigest" });
    const row = this.rows.get(file)!;
    if (!["planned", "sending"].includes(row.state)) throw new Failure(404, { storeCode: "NoSuchUpload" });
    row.state = "sending";
    row.parts.set(number, { number, size: body.size, crc64nvme: crc });
  }

  async ping(): Promise<void> {
    await this.#step("ping", "", 0);
  }

  async storeTest(): Promise<StoreTest> {
    await this.#step("storeTest", "", 0);
    return {
      same_origin: false,
      endpoint: this.host,
      request: { part: 1, method: "PUT", url: this.host, headers: {} },
    };
  }

  async probe(): Promise<{ status: number; storeCode: string | undefined }> {
    if (this.store === "cors" || this.store === "unreachable") throw new Failure(0);
    if (this.store === "intercepted") return { status: 403, storeCode: undefined };
    return this.store === "fine"
      ? { status: 404, storeCode: "NoSuchUpload" }
      : { status: 403, storeCode: "AccessDenied" };
  }

  async reaches(): Promise<boolean> {
    return this.store === "cors";
  }

  async storeReport(report: { code: string; detail: string; case: string }): Promise<void> {
    this.storeReports.push(report);
  }

  async #bytes(
    method: string,
    file: string,
    part: number,
    bodies: Blob[],
    onProgress: OnProgress,
    signal: AbortSignal,
  ): Promise<void> {
    this.flying++;
    this.mostFlying = Math.max(this.mostFlying, this.flying);
    const size = bodies.reduce((sum, body) => sum + body.size, 0);
    let sent = size / 2;
    try {
      if (this.line.rate === Infinity) onProgress(sent);
      await this.#step(method, file, part, signal, bodies[0]);
      if (this.line.rate === Infinity) sent = size;
      for (sent = this.line.rate === Infinity ? size : 0; sent < size;) {
        const rate = Math.min(this.line.each, this.line.rate / this.flying);
        const ms = Math.min(50, (size - sent) / rate);
        await this.clock.sleep(ms, signal);
        if (signal.aborted) throw stopped();
        sent = Math.min(size, sent + rate * ms);
        if (size - sent < 0.5) sent = size;
        onProgress(sent);
      }
      await this.clock.sleep(this.line.trip, signal);
      if (signal.aborted) throw stopped();
      onProgress(size);
    } finally {
      this.bytes += sent;
      this.endedAt = this.clock.now();
      this.flying--;
      for (const body of bodies) {
        const slice = body as unknown as Slice;
        slice.file.memory.pieces.delete(slice);
      }
    }
  }

  async #step(method: string, file: string, part: number, signal?: AbortSignal, body?: Blob): Promise<void> {
    const call = part > 0 ? `${method} ${file} ${part}` : `${method} ${file}`.trim();
    this.calls.push(call);
    const attempt = (this.#attempts.get(call) ?? 0) + 1;
    this.#attempts.set(call, attempt);
    await this.fault({ method, file, part, attempt, body, hang: hanging(signal) });
  }
}

/** What never ends by itself. */
const hanging = (signal?: AbortSignal) => () =>
  new Promise<never>((_, reject) => {
    if (signal?.aborted) reject(stopped());
    signal?.addEventListener("abort", () => reject(stopped()));
  });

/** Locks as the tabs of one browser have them. */
export function fakeTabs(): Locks {
  const queues = new Map<string, (() => void)[]>();
  return async (name, signal, elsewhere) => {
    const queue = queues.get(name) ?? [];
    queues.set(name, queue);
    const free = queue.length === 0;
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    const mine = new Promise<void>((resolve) => queue.push(resolve));
    void held.then(() => {
      queue.shift();
      queue[0]?.();
    });
    if (free) queue[0]!();
    else {
      elsewhere();
      await Promise.race([mine, new Promise((resolve) => signal.addEventListener("abort", resolve))]);
      if (signal.aborted) {
        queue.splice(1, 1);
        throw stopped();
      }
    }
    return release;
  };
}
