// What pages of the simulated browser share, and what it does for them: locks (Web Locks API), and workers that read files.
import type { Thread } from "../../../src/checksums.js";
import type { Question } from "../../../src/worker.js";
import type { SimSlice } from "./files.js";
import type { World } from "./world.js";

interface Wanting {
  page: object;
  go(): void;
}

/** Locks of one browser; those of a page that goes are free after a moment. */
export class SimLocks {
  #queues = new Map<string, Wanting[]>();
  #gone = new Set<object>(); // pages

  constructor(private readonly world: World) {}

  /** How many hold or want a lock. */
  get count(): number {
    return [...this.#queues.values()].reduce((sum, { length }) => sum + length, 0);
  }

  of(page: object): LockManager {
    const request = async (name: string, a: unknown, b?: unknown): Promise<unknown> => {
      const options = (b ? a : {}) as LockOptions;
      const take = (b ?? a) as (lock: object | null) => unknown;
      const queue = this.#queues.get(name) ?? [];
      this.#queues.set(name, queue);
      await this.#moment();
      if (this.#gone.has(page)) return await new Promise<never>(() => {});
      if (options.signal?.aborted) throw new DOMException("aborted", "AbortError");
      if (options.ifAvailable && queue.length > 0) return await take(null);
      await new Promise<void>((resolve, reject) => {
        const wanting: Wanting = { page, go: () => (options.signal?.removeEventListener("abort", abort), resolve()) };
        const abort = () => {
          queue.splice(queue.indexOf(wanting), 1);
          reject(new DOMException("aborted", "AbortError"));
        };
        options.signal?.addEventListener("abort", abort);
        queue.push(wanting);
        if (queue.length === 1) wanting.go();
      });
      try {
        return await take({ name });
      } finally {
        if (!this.#gone.has(page)) {
          queue.shift();
          queue[0]?.go();
        }
      }
    };
    return { request } as unknown as LockManager;
  }

  /** A page has gone. */
  drop(page: object): void {
    this.#gone.add(page);
    this.world.after(this.world.between(0, 300), () => {
      for (const queue of this.#queues.values()) {
        const [first] = queue;
        queue.splice(0, queue.length, ...queue.filter((wanting) => wanting.page !== page));
        if (queue[0] !== first) queue[0]?.go();
      }
    });
  }

  #moment(): Promise<void> {
    return new Promise((resolve) => this.world.after(this.world.between(0, 5), resolve));
  }
}

export interface Reading {
  world: World;
  /** Bytes a millisecond. */
  rate: number;
  /** How often a worker dies or falls silent, for each question. */
  dies: number;
  silent: number;
  /** Tells of a read that begins, and of its end. */
  began(slice: SimSlice): void;
  ended(slice: SimSlice, failed: boolean): void;
}

/** A worker: reads one slice after another. */
export class SimThread implements Thread {
  onmessage: Thread["onmessage"] = null;
  onerror: Thread["onerror"] = null;
  #waiting: Question[] = [];
  #busy = false;
  #ended = false;
  #reading: SimSlice | undefined;

  constructor(private readonly o: Reading) {}

  postMessage(question: Question): void {
    this.#waiting.push(question);
    if (!this.#busy) this.#next();
  }

  terminate(): void {
    this.#ended = true;
    this.#over(false);
  }

  #next(): void {
    const question = this.#waiting.shift();
    this.#busy = question !== undefined;
    if (!question) return;
    const { world, rate, dies, silent } = this.o;
    const slice = question.blob as unknown as SimSlice;
    if (!world.calm && world.chance(silent)) return; // for good
    this.#reading = slice;
    this.o.began(slice);
    world.after(world.between(1, 10) + slice.size / rate, () => {
      if (this.#ended) return;
      const { fate } = slice.file;
      this.#over(fate !== "there");
      if (!world.calm && world.chance(dies)) {
        this.#ended = true;
        this.onerror?.call(undefined as never, {} as ErrorEvent);
        return;
      }
      const error = fate === "vanished" ? "NotFoundError" : "NotReadableError";
      const data = fate === "there" ? { id: question.id, crc: slice.crc } : { id: question.id, error };
      this.onmessage?.call(undefined as never, { data } as MessageEvent);
      this.#next();
    });
  }

  #over(failed: boolean): void {
    const slice = this.#reading;
    this.#reading = undefined;
    if (slice) this.o.ended(slice, failed);
  }
}
