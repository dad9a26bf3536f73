// One file's upload: what was planned, which parts are done, under way or to be sent again. State only, no requests.
import type { Item, ItemState, Problem, RemoteFile, Source } from "./contract.js";

/** Bytes a part of the file holds. */
export interface Span {
  number: number; // from 1
  start: number;
  end: number;
}

export class Upload implements Item {
  state: ItemState = "queued";
  error: Problem | undefined;
  remote: RemoteFile | undefined;
  stop = new AbortController();
  recoveries = 0; // times that Complete found parts missing
  crc = "";
  resumedBytes = 0;

  #finished = 0; // bytes of done parts
  #flying = new Map<number, number>(); // part → bytes sent
  #done = new Set<number>();
  #taken = new Set<number>();
  #next = 1;
  #again: number[] = [];

  constructor(
    readonly key: number,
    readonly source: Source,
    readonly caseId: string,
    public drop = "",
  ) {}

  get id(): string {
    return this.remote?.id ?? "";
  }

  get sent(): number {
    let flying = 0;
    for (const bytes of this.#flying.values()) flying += bytes;
    return Math.min(this.source.size, this.#finished + flying);
  }

  get live(): boolean {
    return !["done", "received", "failed", "cancelled"].includes(this.state);
  }

  get direct(): boolean {
    return this.remote?.route === "direct";
  }

  /** Parts of this upload; one for the small route. */
  get parts(): number {
    return this.direct ? this.remote!.parts : 1;
  }

  get whole(): boolean {
    return this.#done.size === this.parts;
  }

  /** Takes the next part that nobody sends yet. */
  takePart(): Span | undefined {
    const number = this.#again.shift() ?? (this.#next <= this.parts ? this.#next++ : undefined);
    if (number === undefined) return undefined;
    this.#taken.add(number);
    return this.span(number);
  }

  get hasPart(): boolean {
    return this.#again.length > 0 || this.#next <= this.parts;
  }

  span(number: number): Span {
    if (!this.direct) return { number, start: 0, end: this.source.size };
    const start = (number - 1) * this.remote!.part_size;
    return { number, start, end: Math.min(this.source.size, start + this.remote!.part_size) };
  }

  flying(number: number, bytes: number): void {
    this.#flying.set(number, bytes);
  }

  landed(span: Span): void {
    this.#flying.delete(span.number);
    this.#taken.delete(span.number);
    if (!this.#done.has(span.number)) {
      this.#done.add(span.number);
      this.#finished += span.end - span.start;
    }
  }

  /** A part did not get through; it may be taken again. */
  dropped(number: number): void {
    this.#flying.delete(number);
    if (this.#taken.delete(number)) this.#again.push(number);
  }

  /** Sends again what the store does not hold. */
  reconcile(held: { number: number; size: number }[]): void {
    const kept = new Set(held.filter((p) => p.size === this.#length(p.number)).map((p) => p.number));
    this.#finished = 0;
    this.#done.clear();
    this.#again = [];
    this.#next = this.parts + 1;
    for (let number = 1; number <= this.parts; number++) {
      if (kept.has(number)) this.landed(this.span(number));
      else this.#again.push(number);
    }
  }

  #length(number: number): number {
    const { start, end } = this.span(number);
    return end - start;
  }

  /** Forgets what the server planned: the next attempt is a new upload. */
  forget(): void {
    this.remote = undefined;
    this.recoveries = 0;
    this.#finished = 0;
    this.#flying.clear();
    this.#done.clear();
    this.#taken.clear();
    this.#again = [];
    this.#next = 1;
  }
}
