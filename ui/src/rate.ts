// How fast bytes travel and how long the rest will take, smoothed so that people can read it.

/** Milliseconds over which the rate is smoothed. */
const MEMORY = 8000;

export class Rate {
  #last = 0;
  #at: number | undefined; // of the last sample; undefined at the beginning and while nothing moves on purpose
  #began: number | undefined;
  #rate = 0;

  /** Tells how many bytes have left in all at a moment in milliseconds. Fewer than before: some are sent again. */
  sample(total: number, now: number): void {
    this.#began ??= now;
    if (this.#at === undefined || total < this.#last) {
      this.#at = now;
      this.#last = total;
      return;
    }
    const span = now - this.#at;
    if (span < 200) return;
    const current = ((total - this.#last) * 1000) / span;
    // Early on the plain mean is the best guess; later, exponential forgetting.
    const weight = Math.max(1 - Math.exp(-span / MEMORY), span / (now - this.#began));
    this.#rate += (current - this.#rate) * Math.min(1, weight);
    this.#at = now;
    this.#last = total;
  }

  /** Nothing moves for a known reason (paused, no network): the time counts neither for nor against the line. */
  rest(): void {
    this.#at = undefined;
  }

  /** Forgets everything: a new batch begins. */
  reset(): void {
    this.#at = this.#began = undefined;
    this.#last = 0;
    this.#rate = 0;
  }

  /** Bytes per second; 0 while unknown. */
  get perSecond(): number {
    return this.#rate;
  }

  /** Seconds until `rest` more bytes have left; undefined while that cannot be told. */
  secondsFor(rest: number): number | undefined {
    if (this.#rate < 1 || rest <= 0) return undefined;
    return rest / this.#rate;
  }
}
