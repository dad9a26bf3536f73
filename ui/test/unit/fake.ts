// A transport, a clock and files that cause what real ones rarely do.
import {
  Failure,
  type Clock,
  type OnProgress,
  type Planned,
  type RemoteFile,
  type SignedRequest,
  type Source,
  type Transport,
} from "../../src/contract.js";

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

/** Counts the slices that are in somebody's hands. */
export class Memory {
  held = 0;
  most = 0;
  slices = 0;
}

class Slice {
  constructor(
    readonly file: FakeFile,
    readonly start: number,
    readonly end: number,
  ) {}

  get size(): number {
    return this.end - this.start;
  }
}

export class FakeFile implements Source {
  path = "";
  type = "";
  modified = 1;
  readable = true;

  constructor(
    readonly name: string,
    readonly size: number,
    readonly memory = new Memory(),
  ) {}

  slice(start: number, end: number): Blob {
    this.memory.slices++;
    this.memory.held++;
    this.memory.most = Math.max(this.memory.most, this.memory.held);
    return new Slice(this, start, end) as unknown as Blob;
  }
}

export type Fault = (what: {
  method: string;
  file: string;
  part: number;
  attempt: number;
  hang: () => Promise<never>;
}) => void | Promise<void>;

/** A server and a store in memory. `fault` may throw a Failure, or hang, before anything happens. */
export class FakeTransport implements Transport {
  calls: string[] = [];
  plans: number[] = [];
  signed: number[][] = [];
  stored = new Map<string, string>(); // id → name
  aborted: string[] = [];
  reports: { id: string; sent: number }[][] = [];
  flying = 0;
  mostFlying = 0;
  names = new Map<string, string>();
  parts = new Map<string, Map<number, number>>();
  order: string[] = [];
  relayed = 0;
  host = "https://page.example";
  #sizes = new Map<string, number>();
  #attempts = new Map<string, number>();

  constructor(
    private readonly clock: FakeClock,
    private readonly fault: Fault = () => {},
    private readonly memory = new Memory(),
  ) {}

  async plan(_caseId: string, files: { name: string; size: number }[]): Promise<Planned[]> {
    await this.#step("plan", "", 0);
    this.plans.push(files.length);
    return files.map(({ name, size }) => {
      if (size === 0) return { error: { status: 400, kind: "invalid", detail: "The file is empty." } };
      const id = `id-${this.names.size + 1}`;
      this.names.set(id, name);
      this.#sizes.set(id, size);
      this.parts.set(id, new Map());
      const direct = size >= DIRECT_FROM;
      const file: RemoteFile = {
        id,
        state: "planned",
        route: direct ? "direct" : "small",
        part_size: direct ? PART : 0,
        parts: direct ? Math.ceil(size / PART) : 0,
      };
      return { file };
    });
  }

  async sign(file: string, parts: { number: number; crc64nvme: string }[]): Promise<SignedRequest[]> {
    await this.#step("sign", file, parts[0]!.number);
    this.signed.push(parts.map(({ number }) => number));
    return parts.map(({ number }) => ({
      part: number,
      method: "PUT",
      url: `${this.host}/${file}/${number}`,
      headers: {},
    }));
  }

  async held(file: string): Promise<{ number: number; size: number; crc64nvme: string }[]> {
    return [...this.parts.get(file)!].map(([number, size]) => ({ number, size, crc64nvme: "" }));
  }

  async complete(file: string): Promise<RemoteFile> {
    await this.#step("complete", file, 0);
    const held = [...this.parts.get(file)!.values()].reduce((sum, size) => sum + size, 0);
    if (held !== this.#sizes.get(file))
      throw new Failure(409, { status: 409, kind: "conflict", detail: "Parts are missing." });
    this.stored.set(file, this.names.get(file)!);
    return { id: file, state: "stored", route: "direct", part_size: PART, parts: 0 };
  }

  async abort(file: string): Promise<void> {
    this.aborted.push(file);
  }

  async progress(files: { id: string; sent: number }[]): Promise<void> {
    this.reports.push(files);
  }

  async putSmall(
    file: string,
    body: Blob,
    _crc: string,
    onProgress: OnProgress,
    signal: AbortSignal,
  ): Promise<RemoteFile> {
    await this.#bytes("small", file, 0, body, onProgress, signal);
    this.stored.set(file, this.names.get(file)!);
    this.memory.held--;
    return { id: file, state: "stored", route: "small", part_size: 0, parts: 0 };
  }

  async putPart(request: SignedRequest, body: Blob, onProgress: OnProgress, signal: AbortSignal): Promise<void> {
    const file = request.url.split("/").at(-2)!;
    await this.#bytes("part", file, request.part, body, onProgress, signal);
    this.parts.get(file)!.set(request.part, body.size);
    this.memory.held--;
  }

  async relayPart(
    file: string,
    part: number,
    body: Blob,
    _crc: string,
    onProgress: OnProgress,
    signal: AbortSignal,
  ): Promise<void> {
    this.relayed++;
    await this.#bytes("relay", file, part, body, onProgress, signal);
    this.parts.get(file)!.set(part, body.size);
    this.memory.held--;
  }

  async #bytes(
    method: string,
    file: string,
    part: number,
    body: Blob,
    onProgress: OnProgress,
    signal: AbortSignal,
  ): Promise<void> {
    this.flying++;
    this.mostFlying = Math.max(this.mostFlying, this.flying);
    try {
      this.order.push(this.names.get(file)!);
      onProgress(body.size / 2);
      await this.#step(method, file, part, signal);
      await this.clock.sleep(50, signal);
      if (signal.aborted) throw new Failure(0, undefined, undefined, "aborted");
      onProgress(body.size);
    } finally {
      this.flying--;
    }
  }

  async #step(method: string, file: string, part: number, signal?: AbortSignal): Promise<void> {
    const call = `${method} ${file} ${part}`.trim();
    this.calls.push(call);
    const attempt = (this.#attempts.get(call) ?? 0) + 1;
    this.#attempts.set(call, attempt);
    const hang = () =>
      new Promise<never>((_, reject) =>
        signal?.addEventListener("abort", () => reject(new Failure(0, undefined, undefined, "aborted"))),
      );
    await this.fault({ method, file, part, attempt, hang });
  }
}
