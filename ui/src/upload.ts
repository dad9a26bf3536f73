// One file's upload: what was planned, which parts are done, under way or to be sent again. State only, no requests.
import {
  stopped,
  type HeldPart,
  type Item,
  type ItemState,
  type Problem,
  type RemoteFile,
  type Source,
} from "./contract.js";
import { combine, fromBase64, toBase64 } from "./crc64.js";
import type { Early } from "./early.js";

/** Bytes a part of the file holds. */
export interface Span {
  number: number; // from 1
  start: number;
  end: number;
}

/** What was added together: planned under one drop, and sent in its order. */
export interface Group {
  caseId: string;
  drop: string; // "" until the server has named it
}

/** What has befallen a part, or a small file, since it last got through. */
export interface Trial {
  attempts: number;
  spoilt: number; // the store found other bytes
  refused: number; // the store refused the signature
  crc: string; // "" when it is to be read again
  last: string; // crc of the reading before, "" when there was none
}

export class Upload implements Item {
  state: ItemState = "queued";
  error: Problem | undefined;
  remote: RemoteFile | undefined;
  fingerprint = "";
  crc = "";
  resumedBytes = 0;
  resent = 0; // bytes that left and did not get through
  vain = 0; // questions in a row, whether unheard bytes arrived, that were not answered
  since = 0; // of trying, in milliseconds: when something last succeeded
  recoveries = 0; // times that Complete found parts missing
  doubted = false; // what the server holds of it is to be looked at first
  release: (() => void) | undefined; // of the lock among tabs
  early: Early | undefined; // what is read of its beginning before it is planned

  #stop = new AbortController();
  #crcs = new Map<number, string>(); // part → base64, of parts that are done
  #finished = 0; // bytes of done parts
  #flying = new Map<number, number>(); // part → bytes sent, of requests that have begun
  #aloft = 0; // sum of flying
  #taken = new Set<number>();
  #next = 1;
  #again: number[] = [];
  #trials = new Map<number, Trial>();
  #unheard = new Map<number, number>(); // part → bytes that left: whether the store holds it nobody has told

  constructor(
    readonly key: number,
    public source: Source,
    readonly group: Group,
  ) {
    this.crc = source.crc ?? "";
  }

  get caseId(): string {
    return this.group.caseId;
  }

  get drop(): string {
    return this.group.drop;
  }

  get id(): string {
    return this.remote?.id ?? "";
  }

  get sent(): number {
    if (this.state === "done" || this.state === "received") return this.source.size;
    return Math.min(this.source.size, this.#finished + this.#aloft);
  }

  /** Not at rest. */
  get live(): boolean {
    return !["done", "received", "failed", "cancelled"].includes(this.state);
  }

  /** Whether it is to go on. */
  get wanted(): boolean {
    return this.live && this.state !== "paused";
  }

  get direct(): boolean {
    return this.remote?.route === "direct";
  }

  /** Parts of this upload; one for the small route. */
  get parts(): number {
    return this.direct ? this.remote!.parts : 1;
  }

  get whole(): boolean {
    return this.#crcs.size === this.parts;
  }

  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** Bytes that nobody has begun to send. */
  get rest(): number {
    return this.source.size - this.#finished - this.#taken.size * (this.remote?.part_size ?? 0);
  }

  get hasPart(): boolean {
    return this.#again.length > 0 || this.#next <= this.parts;
  }

  /** Takes the next part that nobody sends yet. */
  takePart(): Span | undefined {
    const number = this.#again.shift() ?? (this.#next <= this.parts ? this.#next++ : undefined);
    if (number === undefined) return undefined;
    this.#taken.add(number);
    return this.span(number);
  }

  span(number: number): Span {
    if (!this.direct) return { number, start: 0, end: this.source.size };
    const start = (number - 1) * this.remote!.part_size;
    return { number, start, end: Math.min(this.source.size, start + this.remote!.part_size) };
  }

  length(number: number): number {
    const { start, end } = this.span(number);
    return end - start;
  }

  trial(number: number): Trial {
    const trial = this.#trials.get(number) ?? { attempts: 0, spoilt: 0, refused: 0, crc: "", last: "" };
    this.#trials.set(number, trial);
    return trial;
  }

  /** Tells how many bytes of a part have left; returns how many more than before. */
  flying(number: number, bytes: number): number {
    const more = bytes - (this.#flying.get(number) ?? 0);
    this.#flying.set(number, bytes);
    this.#aloft += more;
    return Math.max(0, more);
  }

  /** Bytes of a part that have left and of which nothing was heard. */
  left(number: number): number {
    return this.#flying.get(number) ?? 0;
  }

  landed(number: number, crc: string): void {
    this.#ground(number);
    this.#taken.delete(number);
    this.#again = this.#again.filter((other) => other !== number);
    this.#trials.delete(number);
    this.#unheard.delete(number);
    if (!this.#crcs.has(number)) this.#finished += this.length(number);
    this.#crcs.set(number, crc);
    if (this.whole) this.crc = this.#combined();
  }

  /** A part did not get through, as far as is known; it stays taken until it is released. unheard: there was no answer. */
  missed(number: number, unheard: boolean): void {
    const bytes = this.#ground(number);
    this.resent += bytes;
    if (unheard) this.#unheard.set(number, bytes);
  }

  /** Parts that may have arrived though no answer told so. */
  get unheard(): number[] {
    return [...this.#unheard.keys()];
  }

  /** Takes the word of the store for parts that were unheard: what it holds of them has landed. */
  heard(parts: number[], held: HeldPart[]): void {
    this.vain = 0;
    const found = new Map(held.map((part) => [part.number, part]));
    for (const number of parts) {
      const sent = this.trial(number).last;
      const { size, crc64nvme } = found.get(number) ?? {};
      const bytes = this.#unheard.get(number) ?? 0;
      this.#unheard.delete(number);
      if (sent === undefined || crc64nvme !== sent || size !== this.length(number)) continue;
      this.resent -= bytes;
      this.landed(number, sent);
    }
  }

  /** Whether a part is somebody's to send. */
  taken(number: number): boolean {
    return this.#taken.has(number);
  }

  /** Lets a part be taken again. */
  releasePart(number: number): void {
    if (this.#taken.delete(number)) this.#again.push(number);
  }

  /** Breaks off what is under way; it is to be sent again. */
  halt(): void {
    this.#stop.abort(stopped());
    this.#stop = new AbortController();
    for (const number of [...this.#taken].sort((a, b) => a - b)) {
      this.missed(number, this.#flying.has(number));
      this.releasePart(number);
    }
  }

  /** Takes the word of the store, and of the file on this computer, for which parts are done. */
  reconcile(same: Map<number, string>): void {
    this.#finished = 0;
    this.#crcs.clear();
    this.#taken.clear();
    this.#unheard.clear();
    this.#again = [];
    this.#next = this.parts + 1;
    for (let number = 1; number <= this.parts; number++) {
      const crc = same.get(number);
      if (crc !== undefined) this.landed(number, crc);
      else this.#again.push(number);
    }
  }

  /** The held parts that are those this page sent. */
  sentBefore(held: HeldPart[]): Map<number, string> {
    const same = new Map<number, string>();
    for (const { number, size, crc64nvme } of held) {
      const crc = this.#crcs.get(number);
      if (crc !== undefined && crc === crc64nvme && size === this.length(number)) same.set(number, crc);
    }
    return same;
  }

  /** Forgets what the server planned: the next attempt is a new upload. */
  forget(): void {
    this.remote = undefined;
    this.recoveries = this.resumedBytes = this.#finished = this.#aloft = 0;
    this.crc = this.source.crc ?? "";
    this.doubted = false;
    this.#flying.clear();
    this.#crcs.clear();
    this.#taken.clear();
    this.#trials.clear();
    this.#unheard.clear();
    this.#again = [];
    this.#next = 1;
  }

  #ground(number: number): number {
    const bytes = this.#flying.get(number) ?? 0;
    this.#flying.delete(number);
    this.#aloft -= bytes;
    return bytes;
  }

  #combined(): string {
    let crc = fromBase64(this.#crcs.get(1)!);
    for (let number = 2; number <= this.parts; number++)
      crc = combine(crc, fromBase64(this.#crcs.get(number)!), this.length(number));
    return toBase64(crc);
  }
}
