// Of the six connections to one host, all tabs together leave one to the page.
import assert from "node:assert/strict";
import { test } from "node:test";
import { shared } from "../../src/connections.js";

/** Web Locks as the browser has them, exclusive and in order: https://www.w3.org/TR/web-locks/ */
class FakeLocks {
  readonly held = new Set<string>();
  #waiting: { name: string; go: () => void }[] = [];

  request = (async (name: string, { signal }: { signal: AbortSignal }, hold: (lock: null) => unknown) => {
    await new Promise<void>((go, reject) => {
      const waiting = { name, go };
      signal.addEventListener("abort", () => {
        this.#waiting = this.#waiting.filter((other) => other !== waiting);
        reject(new DOMException("", "AbortError"));
      });
      this.#waiting.push(waiting);
      queueMicrotask(() => this.#next(name));
    });
    await hold(null);
    this.held.delete(name);
    this.#next(name);
  }) as unknown as LockManager["request"];

  #next(name: string): void {
    const first = this.#waiting.find((waiting) => waiting.name === name);
    if (!first || this.held.has(name)) return;
    this.held.add(name);
    this.#waiting = this.#waiting.filter((other) => other !== first);
    first.go();
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

function desk() {
  const locks = new FakeLocks();
  const tabs = [shared(locks), shared(locks)];
  const releases: (() => void)[] = [];
  const ask = async (kind: "transfer" | "stream", tab: number, signal = new AbortController().signal) => {
    const got = tabs[tab]![kind](signal).then((release) => releases.push(release));
    await turn();
    return got;
  };
  return { locks, ask, releases };
}

test("two tabs that send and listen hold five connections, however much they want to send", async () => {
  const { locks, ask, releases } = desk();
  for (const tab of [0, 1]) await ask("stream", tab);
  for (let i = 0; i < 8; i++) void ask("transfer", i % 2);
  await turn();
  assert.deepEqual([releases.length, locks.held.size], [5, 5]);
  for (let i = 0; i < releases.length; i++) {
    releases[i]!();
    await turn();
  }
  assert.deepEqual([releases.length, locks.held.size], [10, 0], "each had its turn, and nothing is left held");
});

test("tabs that listen leave two for those that send", async () => {
  const { ask, releases } = desk();
  for (let i = 0; i < 6; i++) void ask("stream", i % 2);
  await turn();
  assert.equal(releases.length, 3);
  for (let i = 0; i < 4; i++) void ask("transfer", i % 2);
  await turn();
  assert.equal(releases.length, 5);
});

test("who no longer wants one leaves the queue", async () => {
  const { locks, ask, releases } = desk();
  for (let i = 0; i < 5; i++) await ask("transfer", 0);
  const stop = new AbortController();
  const asked = shared(locks).transfer(stop.signal);
  stop.abort();
  await assert.rejects(asked);
  for (const release of releases.splice(0)) release();
  await turn();
  assert.equal(locks.held.size, 0);
});
