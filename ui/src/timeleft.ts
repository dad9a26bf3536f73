// The time left as people read it: it counts down, and is only corrected when it was clearly wrong.

/** Share by which an estimate may differ from what was promised before the promise is corrected. */
const DOUBT = 0.2;
/** Milliseconds during which the promise is not corrected again. */
const PATIENCE = 5000;

export class TimeLeft {
  #end: number | undefined; // milliseconds, on the caller's clock
  #corrected = 0;

  /** Tells what is estimated now and returns what to show, both in seconds; undefined while nothing can be told. */
  show(estimate: number | undefined, now: number): number | undefined {
    if (estimate === undefined) {
      this.#end = undefined;
      return undefined;
    }
    const promised = this.#end === undefined ? undefined : (this.#end - now) / 1000;
    const off = promised === undefined ? Infinity : Math.abs(estimate - promised);
    const due = now - this.#corrected >= PATIENCE || (promised ?? 0) < 1;
    if (promised === undefined || (due && off > DOUBT * Math.max(estimate, promised, 5))) {
      this.#end = now + estimate * 1000;
      this.#corrected = now;
      return estimate;
    }
    return Math.max(1, promised);
  }

  forget(): void {
    this.#end = undefined;
  }
}
