// The window: how many transfers are in flight. The line's goodput is measured while the number varies, and a number is
// kept when it pays (docs/decisions/020-window.md). Browsers open six connections to one host over HTTP/1.1, so each of
// the two hosts, page and store, is a lane with a limit of its own.
import { stopped } from "./contract.js";

export type Lane = "page" | "store";

export type Lanes = Record<Lane, number>;

/** Milliseconds after a change in which new connections gather speed, and then of one measurement. */
const SETTLE = 300;
const MEASURE = 600;
/** Share of the window that must have been in use, or its size was not what held the line back. */
const USED = 0.85;
/** Of the gain that one more would bring on an idle line, the part that makes it worth keeping. */
const WORTH = 0.25;
/** A fall in goodput that one less may cost. */
const CHEAP = 0.97;
/** Milliseconds until the next trial: doubled after each that did not pay. */
const HOLD_FIRST = 5_000;
const HOLD_LAST = 60_000;
/** Milliseconds within which failures are one event: what breaks the line breaks all that is on it. */
const ONE_EVENT = 2_000;

/** The number in flight, which follows what the line bears. Times in milliseconds of one clock. */
export class Climb {
  #limit: number;
  #trial: "none" | "more" | "less" = "none";
  #down = false; // the next trial takes one away
  #goodput = 0; // bytes per ms at the number that was kept
  #doubted = 0; // bytes per ms of a trial that did not seem to pay and is measured once more
  #hold = HOLD_FIRST;
  #holdUntil = 0;
  #brokeAt = -Infinity;

  #from = 0; // when the measurement began
  #bytes = 0;
  #flying = 0;
  #used = 0; // transfers × milliseconds of the measurement
  #usedAt = 0;

  constructor(
    private readonly first: number,
    private readonly most: number,
  ) {
    this.#limit = Math.min(first, most);
  }

  get limit(): number {
    return this.#limit;
  }

  /** Tells how many transfers are in flight from now on. */
  flying(count: number, now: number): void {
    this.#account(now);
    this.#flying = count;
  }

  /** Tells of bytes that left; returns true when the limit has changed. */
  moved(bytes: number, now: number): boolean {
    if (now <= this.#from) return false; // still settling
    this.#bytes += bytes;
    const span = now - this.#from;
    if (span < MEASURE) return false;
    this.#account(now);
    const goodput = this.#bytes / span;
    const used = this.#used / (span * this.#limit);
    this.#restart(now);
    return used >= USED && this.#judge(goodput, now);
  }

  /** Tells that the line broke, stood still or was refused for want of room. */
  broke(now: number): void {
    if (now - this.#brokeAt < ONE_EVENT) return;
    this.#brokeAt = now;
    this.#goodput = this.#doubted = 0;
    this.#trial = "none";
    this.#holdUntil = 0; // once it bears again, find out how much
    this.#change(Math.max(1, this.#limit >> 1), now);
  }

  #judge(goodput: number, now: number): boolean {
    const trial = this.#trial;
    this.#trial = "none";
    if (trial === "more") {
      const measured = this.#doubted > 0 ? (this.#doubted + goodput) / 2 : goodput;
      const pays = measured >= this.#goodput * (1 + WORTH / (this.#limit - 1));
      if (!pays && this.#doubted === 0) {
        this.#doubted = goodput;
        this.#trial = "more";
        return false;
      }
      this.#doubted = 0;
      if (!pays) return this.#back(-1, now);
      this.#goodput = measured;
      this.#hold = HOLD_FIRST;
      return this.#try(now);
    }
    if (trial === "less") {
      if (goodput < this.#goodput * CHEAP) return this.#back(1, now);
      this.#goodput = goodput;
      this.#holdUntil = now + this.#hold;
      return false;
    }
    this.#goodput = this.#goodput === 0 ? goodput : 0.7 * this.#goodput + 0.3 * goodput;
    return now >= this.#holdUntil && this.#try(now);
  }

  #try(now: number): boolean {
    if (this.#down && this.#limit > this.first) {
      this.#trial = "less";
      return this.#change(this.#limit - 1, now);
    }
    this.#down = this.#limit >= this.most;
    if (this.#down) {
      this.#holdUntil = now + this.#hold;
      return false;
    }
    this.#trial = "more";
    return this.#change(this.#limit + 1, now);
  }

  #back(step: number, now: number): boolean {
    this.#down = !this.#down;
    this.#holdUntil = now + this.#hold;
    this.#hold = Math.min(HOLD_LAST, this.#hold * 2);
    return this.#change(this.#limit + step, now);
  }

  #change(limit: number, now: number): boolean {
    const changed = limit !== this.#limit;
    this.#limit = limit;
    this.#restart(now + SETTLE);
    return changed;
  }

  #restart(from: number): void {
    this.#from = from;
    this.#bytes = 0;
    this.#used = 0;
    this.#usedAt = from;
  }

  #account(now: number): void {
    if (now <= this.#usedAt) return;
    this.#used += this.#flying * (now - this.#usedAt);
    this.#usedAt = now;
  }
}

interface Waiting {
  lane: Lane;
  go(): void;
}

/** Gives transfers their turn: in order, never more than the window at once, nor than a lane takes. */
export class Slots {
  #taken: Lanes = { page: 0, store: 0 };
  #waiting: Waiting[] = [];

  constructor(
    private readonly limit: () => number,
    private readonly lanes: Lanes,
    private readonly onTaken: (count: number) => void,
  ) {}

  get taken(): number {
    return this.#taken.page + this.#taken.store;
  }

  /** Resolves when it is the caller's turn; rejects when the signal is aborted before. */
  async take(lane: Lane, signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw stopped();
    await new Promise<void>((resolve, reject) => {
      const abort = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        reject(stopped());
      };
      const waiting = { lane, go: () => (signal.removeEventListener("abort", abort), resolve()) };
      signal.addEventListener("abort", abort, { once: true });
      this.#waiting.push(waiting);
      this.next();
    });
  }

  give(lane: Lane): void {
    this.#taken[lane]--;
    this.onTaken(this.taken);
    this.next();
  }

  /** Lets go whoever may; to be called when the limit has grown. */
  next(): void {
    for (let i = 0; i < this.#waiting.length && this.taken < this.limit();) {
      const { lane, go } = this.#waiting[i]!;
      if (this.#taken[lane] >= this.lanes[lane]) {
        i++;
        continue;
      }
      this.#waiting.splice(i, 1);
      this.#taken[lane]++;
      this.onTaken(this.taken);
      go();
    }
  }
}
