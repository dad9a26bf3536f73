// Persistence: a request is tried again while that may help, waits while the network or the session is gone, and is
// broken off when it stands still.
import { Failure, type Clock, type Gate, type OnProgress } from "./contract.js";
import { backoff } from "./wait.js";

export interface Patience {
  attempts: number; // of one request that is answered with an error, before it counts as failed
  lineAttempts: number; // of one request that gets no answer
  stallAfter: number; // milliseconds without a byte
  answerWithin: number; // milliseconds for the answer after the last byte
}

export const patience: Patience = { attempts: 8, lineAttempts: 40, stallAfter: 30_000, answerWithin: 180_000 };

/** Tells whether the same request may succeed later. */
export function mayHelp(failure: Failure): boolean {
  switch (failure.reason) {
    case "network":
    case "stalled":
      return true;
    case "answer":
      return (
        [408, 425, 429].includes(failure.status) || (failure.status >= 500 && ![501, 507].includes(failure.status))
      );
    default:
      return false;
  }
}

export class Persistence {
  #gate: Gate = "open";
  #waiting: (() => void)[] = [];

  constructor(
    private readonly clock: Clock,
    private readonly limits: Patience,
    private readonly onFailure: (failure: Failure) => void,
    private readonly onGate: () => void,
  ) {}

  get gate(): Gate {
    return this.#gate;
  }

  set gate(gate: Gate) {
    if (gate === this.#gate) return;
    this.#gate = gate;
    if (gate === "open") for (const go of this.#waiting.splice(0)) go();
    this.onGate();
  }

  /** Resolves when the gate is open or the signal aborted. */
  async open(signal: AbortSignal): Promise<void> {
    while (this.#gate !== "open" && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const go = () => {
          signal.removeEventListener("abort", go);
          resolve();
        };
        this.#waiting.push(go);
        signal.addEventListener("abort", go);
      });
    }
  }

  /** Does the work, again and again while that helps. */
  async until<T>(work: () => Promise<T>, signal: AbortSignal, helps = mayHelp): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      await this.open(signal);
      if (signal.aborted) throw new Failure(0, undefined, undefined, "aborted");
      try {
        return await work();
      } catch (error) {
        const failure = asFailure(error);
        if (signal.aborted) throw new Failure(0, undefined, undefined, "aborted");
        if (failure.status === 401) this.gate = "signIn";
        if (this.#gate !== "open") {
          attempt--; // waiting for the network or the session is no attempt
          continue;
        }
        this.onFailure(failure);
        const most = failure.reason === "answer" ? this.limits.attempts : this.limits.lineAttempts;
        if (!helps(failure) || attempt >= most) throw failure;
        await this.clock.sleep(failure.retryAfter ?? backoff(attempt, this.clock.random()), signal);
      }
    }
  }

  /** Sends bytes and breaks off when none has moved for too long. */
  async watched<T>(
    length: number,
    signal: AbortSignal,
    onProgress: OnProgress,
    send: (onProgress: OnProgress, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const request = new AbortController();
    const finished = new AbortController();
    const follow = () => request.abort();
    signal.addEventListener("abort", follow);
    let last = this.clock.now();
    let sent = 0;
    let stalled = false;
    const watch = async () => {
      while (!finished.signal.aborted) {
        const limit = sent < length ? this.limits.stallAfter : this.limits.answerWithin;
        const still = this.clock.now() - last;
        if (still >= limit) {
          stalled = true;
          request.abort();
          return;
        }
        await this.clock.sleep(limit - still, finished.signal);
      }
    };
    void watch();
    try {
      return await send((bytes) => {
        if (bytes > sent) last = this.clock.now();
        sent = bytes;
        onProgress(bytes);
      }, request.signal);
    } catch (error) {
      throw stalled ? new Failure(0, undefined, undefined, "stalled") : asFailure(error);
    } finally {
      finished.abort();
      signal.removeEventListener("abort", follow);
    }
  }
}

/** Anything thrown, as a Failure. What is none is a fault on this side: the file could not be read. */
export function asFailure(error: unknown): Failure {
  return error instanceof Failure ? error : new Failure(0, undefined, undefined, "unreadable");
}
