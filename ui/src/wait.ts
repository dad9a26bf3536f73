// Waiting: a clock that can be aborted, backoff with jitter, and turns for a limited number at once.
import type { Clock } from "./contract.js";

export const realClock: Clock = {
  now: () => performance.now(),
  random: Math.random,
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const timer = setTimeout(done, ms);
      function done() {
        clearTimeout(timer);
        signal?.removeEventListener("abort", done);
        resolve();
      }
      signal?.addEventListener("abort", done);
    }),
};

/** Milliseconds to wait before attempt n (from 1): doubling from half a second to 30 s, half of it by chance. */
export function backoff(attempt: number, random: number): number {
  const ceiling = Math.min(30_000, 500 * 2 ** (attempt - 1));
  return ceiling / 2 + (ceiling / 2) * random;
}

/** Lets at most `limit` hold a turn at once; the others wait in order. The limit may change meanwhile. */
export class Turns {
  #taken = 0;
  #waiting: (() => void)[] = [];
  #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get taken(): number {
    return this.#taken;
  }

  get limit(): number {
    return this.#limit;
  }

  set limit(limit: number) {
    this.#limit = limit;
    this.#next();
  }

  async take(): Promise<void> {
    if (this.#taken < this.#limit && this.#waiting.length === 0) {
      this.#taken++;
      return;
    }
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  give(): void {
    this.#taken--;
    this.#next();
  }

  #next(): void {
    while (this.#taken < this.#limit && this.#waiting.length > 0) {
      this.#taken++;
      this.#waiting.shift()!();
    }
  }
}
