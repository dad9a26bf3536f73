// Persistence: a request is tried again while that may help, waits while the network or the session is gone, and is
// broken off when it stands still. Giving up is a matter of a day without success, not of attempts.
import { Failure, stopped, type Clock, type Gate, type OnProgress, type Reason } from "./contract.js";
import { backoff } from "./wait.js";

export interface Patience {
  giveUpAfter: number; // milliseconds of trying without success
  stallAfter: number; // milliseconds without a byte
  answerWithin: number; // milliseconds at most for the answer after the last byte
}

export const patience: Patience = { giveUpAfter: 24 * 3600_000, stallAfter: 20_000, answerWithin: 180_000 };

/** A gap between two looks at the clock beyond which the computer slept; hidden pages look once a minute. Milliseconds. */
const SLEPT = 90_000;
/** A timer this late means that the computer slept or the page was hidden: stillness is looked at once more, after… */
const LATE = 2_000;
const DOUBT = 5_000;
/** Bytes the computer may hold after the browser has given them away. */
const BUFFERED = 4 << 20;
/** Failures of the line in a row that one may call an outage. */
const OUTAGE = 3;
/** Milliseconds between two questions whether what closed the gate has passed: doubled from the first to the last. */
const PROBE_FIRST = 5_000;
const PROBE_LAST = 30_000;

/** Tells whether the same request may succeed later. */
export function mayHelp(failure: Failure): boolean {
  if (failure.reason !== "answer") return failure.reason === "network" || failure.reason === "stalled";
  return [408, 425, 429].includes(failure.status) || (failure.status >= 500 && ![501, 507].includes(failure.status));
}

/** Tells whether a failure is the line's or a server's want of room, not this request's own. */
export function ofTheLine(failure: Failure): boolean {
  return failure.reason === "network" || failure.reason === "stalled" || [429, 502, 503, 504].includes(failure.status);
}

export class Persistence {
  #gate: Gate = "open";
  #waiting: (() => void)[] = [];
  #probing = false;
  #tried = 0;
  #looked: number;
  #missed = 0; // failures of the line since the last success
  #calmUntil = 0; // because the line is down: until something gets through
  #notBefore = 0; // because a server said so

  constructor(
    private readonly clock: Clock,
    readonly limits: Patience,
    private readonly ping: () => Promise<void>,
    private readonly onOpen: () => void, // something may be begun again, or not any more
  ) {
    this.#looked = clock.now();
  }

  get gate(): Gate {
    return this.#gate;
  }

  set gate(gate: Gate) {
    if (gate === this.#gate) return;
    this.tried();
    this.#gate = gate;
    if (gate === "open") {
      this.#calmUntil = 0;
      for (const go of this.#waiting.splice(0)) go();
    } else void this.#probe();
    this.onOpen();
  }

  /** Resolves when the gate is open; rejects when the signal is aborted. */
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
    if (signal.aborted) throw stopped();
  }

  /** Milliseconds of trying so far: neither the computer's sleep nor a closed gate counts. */
  tried(): number {
    const now = this.clock.now();
    if (this.#gate === "open") this.#tried += Math.min(now - this.#looked, SLEPT);
    this.#looked = now;
    return this.#tried;
  }

  /** Whether so much has been tried in vain since then that it is given up. */
  hopeless(since: number): boolean {
    return this.tried() - since >= this.limits.giveUpAfter;
  }

  /** Milliseconds for which nothing new should be begun, because the line is down. */
  get calm(): number {
    return Math.max(0, Math.max(this.#calmUntil, this.#notBefore) - this.clock.now());
  }

  /** Whether the line, or what stands at its end, fails again and again though there is a network and a session. */
  get outage(): boolean {
    return this.#gate === "open" && this.#missed >= OUTAGE;
  }

  succeeded(): void {
    const outage = this.#calmUntil > this.clock.now();
    this.#missed = 0;
    this.#calmUntil = 0;
    if (outage) this.onOpen();
  }

  /** Takes note of a failure of the line, or of being signed out. */
  failed(failure: Failure): void {
    if (failure.status === 401) this.gate = "signIn";
    if (this.#gate !== "open" || !ofTheLine(failure)) return;
    const now = this.clock.now();
    this.#notBefore = Math.max(this.#notBefore, now + (failure.retryAfter ?? 0));
    if (this.#calmUntil > now || ++this.#missed < OUTAGE) return; // of the same outage, or none
    this.#calmUntil = now + backoff(this.#missed - OUTAGE + 1, this.clock.random());
  }

  /** Asks again and again while that helps; rejects when the signal is aborted. */
  async until<T>(question: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const since = this.tried();
    for (let attempt = 1; ; attempt++) {
      await this.open(signal);
      try {
        const answer = await question();
        this.succeeded();
        return answer;
      } catch (error) {
        if (signal.aborted) throw stopped();
        const failure = asFailure(error);
        this.failed(failure);
        if (this.#gate !== "open" && (failure.status === 401 || ofTheLine(failure))) continue;
        if (!mayHelp(failure) || this.hopeless(since)) throw failure;
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
    const began = this.clock.now();
    let last = began;
    let sent = 0;
    let stalled = false;
    const watch = async () => {
      for (let doubted = false; ;) {
        const limit = sent < length ? this.limits.stallAfter : this.#answerTime(length, last - began);
        const pause = doubted ? DOUBT : limit - (this.clock.now() - last);
        const due = this.clock.now() + pause;
        await this.clock.sleep(pause, finished.signal);
        if (finished.signal.aborted) return;
        const still = this.clock.now() - last >= limit;
        if (still && (doubted || this.clock.now() - due < LATE)) break;
        doubted = still;
      }
      stalled = true;
      request.abort();
    };
    void watch();
    try {
      return await send((bytes) => {
        if (bytes > sent) last = this.clock.now();
        sent = bytes;
        onProgress(bytes);
      }, request.signal);
    } catch (error) {
      if (signal.aborted) throw stopped();
      throw stalled ? new Failure(0, { reason: "stalled" }) : asFailure(error);
    } finally {
      finished.abort();
      signal.removeEventListener("abort", follow);
    }
  }

  /** The bytes the browser gave away last are still in the computer's buffers: they need as long as those before. */
  #answerTime(length: number, elapsed: number): number {
    const draining = 2 * elapsed * Math.min(1, BUFFERED / Math.max(1, length));
    return Math.min(this.limits.answerWithin, 2 * this.limits.stallAfter + draining);
  }

  /** The event that tells of a network, or of a sign-in elsewhere, may never come. */
  async #probe(): Promise<void> {
    if (this.#probing) return;
    this.#probing = true;
    for (let pause = PROBE_FIRST; this.#gate !== "open"; pause = Math.min(PROBE_LAST, pause * 2)) {
      await this.clock.sleep(pause);
      if (this.gate === "open") break;
      const failure = await this.ping().then(() => undefined, asFailure);
      if (failure?.status === 401) this.gate = "signIn";
      else if (failure?.status !== 0) this.gate = "open";
    }
    this.#probing = false;
  }
}

/** What browsers call the ways in which a file can no longer be read (File API, section 7.2). */
const reading: Record<string, Reason> = { NotFoundError: "vanished", NotReadableError: "changed" };

/** Anything thrown, as a Failure. What is none is a fault on this side: the file could not be read. */
export function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  return new Failure(0, { reason: reading[(error as Error | undefined)?.name ?? ""] ?? "unreadable" });
}
