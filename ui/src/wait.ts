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

/** Lets at most `limit` hold a turn at once; the others wait in order, the urgent before the rest. */
export class Turns {
  #taken = 0;
  #waiting: { urgency: number; go: () => void }[] = [];

  constructor(private readonly limit: number) {}

  get taken(): number {
    return this.#taken;
  }

  async take(urgency = 0): Promise<void> {
    if (this.#taken < this.limit) {
      this.#taken++;
      return;
    }
    await new Promise<void>((go) => {
      const before = this.#waiting.findIndex((other) => other.urgency < urgency);
      this.#waiting.splice(before < 0 ? this.#waiting.length : before, 0, { urgency, go });
    });
  }

  give(): void {
    const next = this.#waiting.shift();
    if (next) next.go();
    else this.#taken--;
  }
}
