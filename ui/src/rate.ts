// How fast bytes travel and how long the rest will take, smoothed so that people can read it.

/** Milliseconds over which the rate is smoothed. */
const MEMORY = 8000;
/** Milliseconds of moving bytes before a rate is told, and before the time that is left is: a line gathers speed first. */
const TOLD = 1000;
const FOUNDED = 4000;

export class Rate {
  #last = 0;
  #at: number | undefined; // of the last sample; undefined at the beginning and while nothing moves on purpose
  #moved = 0; // milliseconds looked at since the first byte left
  #rate = 0;

  /** Tells how many bytes have left in all at a moment in milliseconds. Fewer than before: some are sent again. */
  sample(total: number, now: number): void {
    const still = total === this.#last && this.#moved === 0; // files are read, nothing has left yet
    if (this.#at === undefined || total < this.#last || still) {
      this.#at = now;
      this.#last = total;
      return;
    }
    const span = now - this.#at;
    if (span < 200) return;
    this.#moved += span;
    const current = ((total - this.#last) * 1000) / span;
    // Early on the plain mean, without the slow first second, is the best guess; later, exponential forgetting.
    const weight = Math.max(1 - Math.exp(-span / MEMORY), span / Math.max(span, this.#moved - TOLD));
    this.#rate += (current - this.#rate) * weight;
    this.#at = now;
    this.#last = total;
  }

  /** Nothing moves for a known reason (paused, no network): the time counts neither for nor against the line. */
  rest(): void {
    this.#at = undefined;
  }

  /** Forgets everything: a new batch begins. */
  reset(): void {
    this.#at = undefined;
    this.#last = this.#moved = this.#rate = 0;
  }

  /** Bytes per second; 0 while unknown. */
  get perSecond(): number {
    return this.#moved < TOLD ? 0 : this.#rate;
  }

  /** Seconds until `rest` more bytes have left; undefined while that cannot be told. */
  secondsFor(rest: number): number | undefined {
    if (this.#moved < FOUNDED || this.#rate < 1 || rest <= 0) return undefined;
    return rest / this.#rate;
  }
}
