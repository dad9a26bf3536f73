// The simulated world's time and chance: events in a queue, those of one moment in random order, everything from one seed.

/** Events of one life at most. */
const EVENTS = 300_000;

export interface Event {
  at: number; // milliseconds
  order: number;
  run(): void;
}

export class World {
  now = 0;
  calm = false; // nothing goes wrong any more
  #events: Event[] = []; // a heap
  #state: number;

  constructor(readonly seed: number) {
    this.#state = seed * 2654435761;
  }

  /** From 0 to 1 (mulberry32). */
  random = (): number => {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };

  chance(p: number): boolean {
    return this.random() < p;
  }

  between(least: number, most: number): number {
    return least + this.random() * (most - least);
  }

  whole(least: number, most: number): number {
    return Math.floor(this.between(least, most + 1));
  }

  pick<T>(list: readonly T[]): T {
    return list[this.whole(0, list.length - 1)]!;
  }

  after(ms: number, run: () => void): Event {
    const event = { at: this.now + Math.max(0, ms), order: this.random(), run };
    this.#events.push(event);
    for (let i = this.#events.length - 1; i > 0;) {
      const parent = (i - 1) >> 1;
      if (!before(this.#events[i]!, this.#events[parent]!)) break;
      this.#swap(i, parent);
      i = parent;
    }
    return event;
  }

  /** Lets time pass, event by event, until it has been told to end; false when it went on for too many events. */
  async run(ended: () => boolean): Promise<boolean> {
    await settled();
    for (let count = 0; !ended(); count++) {
      const event = this.#next();
      if (!event || count >= EVENTS) return false;
      this.now = Math.max(this.now, event.at);
      event.run();
      await settled();
    }
    return true;
  }

  #next(): Event | undefined {
    const [first] = this.#events;
    const last = this.#events.pop();
    if (!first || !last || first === last) return first;
    this.#events[0] = last;
    for (let i = 0; ;) {
      let least = i;
      for (const child of [2 * i + 1, 2 * i + 2])
        if (child < this.#events.length && before(this.#events[child]!, this.#events[least]!)) least = child;
      if (least === i) return first;
      this.#swap(i, least);
      i = least;
    }
  }

  #swap(a: number, b: number): void {
    [this.#events[a], this.#events[b]] = [this.#events[b]!, this.#events[a]!];
  }
}

const before = (a: Event, b: Event) => a.at < b.at || (a.at === b.at && a.order < b.order);

/** Resolves when everything that can go on without time has gone on. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));
