// Where the rows of a long list lie: the first ones say why they failed and are higher than the rest. No DOM.

export class Rows {
  count = 0;
  first = 0; // rows at the top that are high

  constructor(
    readonly low: number, // pixels
    readonly high: number,
  ) {}

  /** Pixels from the top of the list to the top of row i. */
  top(i: number): number {
    return i * this.low + Math.min(i, this.first) * (this.high - this.low);
  }

  get height(): number {
    return this.top(this.count);
  }

  /** The row that lies y pixels below the top of the list; the last one when there is none. */
  at(y: number): number {
    const bend = this.top(this.first);
    const i = y < bend ? Math.floor(y / this.high) : this.first + Math.floor((y - bend) / this.low);
    return Math.max(0, Math.min(this.count - 1, i));
  }
}
