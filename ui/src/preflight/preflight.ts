// All drops of this page's life, kept outside of what navigation exchanges. It takes what falls on a case, and tells
// panels and tray when something about it has changed. No DOM.
import type { Clock } from "../contract.js";
import type { Dropped } from "../dropped.js";
import { realClock } from "../wait.js";
import { Drop, type Sending } from "./drop.js";
import type { Person } from "./group.js";
import type { Reader } from "./readers.js";

/** What the server knows that pre-flight needs. Each rejects when it does not answer. */
export interface Server {
  /** Bytes of the largest file that is taken. */
  limit(): Promise<number>;
  /** Bytes the organization may still keep; Infinity without a quota. */
  room(): Promise<number>;
  /** Whose images the case holds. */
  patients(caseId: string): Promise<Person[]>;
}

export interface PreflightOptions {
  engine: Sending;
  reader: Reader;
  server: Server;
  clock?: Clock;
  beforeSending: () => void;
  onChange: () => void;
}

/** What the drop target tells: files for a case. */
export interface SendDetail {
  caseId: string;
  number: string; // the case's, for people
  patient: string; // what is written on the case
  dropped: Dropped;
}

export class Preflight {
  #drops: Drop[] = [];
  #keys = 0;
  #limit: Promise<number> | undefined;
  #listeners = new Set<() => void>();

  constructor(private readonly o: PreflightOptions) {}

  /** Asks what is the same for every drop, so that none waits for it. */
  ready(): void {
    void this.#largest();
  }

  #largest(): Promise<number> {
    return (this.#limit ??= this.o.server.limit().catch(() => {
      this.#limit = undefined;
      return Infinity; // the server refuses what is too large
    }));
  }

  take({ caseId, number, patient, dropped }: SendDetail): Drop {
    this.#drops = this.#drops.filter((drop) => drop.caseId !== caseId || drop.phase !== "over");
    const drop = new Drop(++this.#keys, caseId, number, patient, dropped, {
      reader: this.o.reader,
      engine: this.o.engine,
      clock: this.o.clock ?? realClock,
      limit: this.#largest(),
      room: this.o.server.room().catch(() => Infinity),
      known: this.o.server.patients(caseId).catch(() => []),
      beforeSending: this.o.beforeSending,
      onChange: () => this.changed(),
    });
    this.#drops.push(drop);
    this.changed();
    void drop.run();
    return drop;
  }

  /** The drops on a case, oldest first. */
  of(caseId: string): Drop[] {
    return this.#drops.filter((drop) => drop.caseId === caseId);
  }

  /** The first drop that waits for an answer. */
  get asking(): Drop | undefined {
    return this.#drops.find(({ phase }) => phase === "asking");
  }

  /** True while something dropped has not been handed to the engine: leaving the page would lose it. */
  get busy(): boolean {
    return this.#drops.some(({ phase }) => phase === "reading" || phase === "asking");
  }

  /** Everything is cancelled: nothing more goes out of what is still being read. */
  giveUp(): void {
    for (const drop of this.#drops) if (drop.phase === "reading") drop.giveUp();
  }

  dismiss(drop: Drop): void {
    drop.stop();
    this.#drops = this.#drops.filter((other) => other !== drop);
    this.changed();
  }

  /** Calls back whenever something may have changed, until the returned function is called. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  changed(): void {
    this.moved();
    this.o.onChange();
  }

  /** Tells the panels that what the engine has of the drops has moved on. */
  moved(): void {
    for (const listener of this.#listeners) listener();
  }
}
