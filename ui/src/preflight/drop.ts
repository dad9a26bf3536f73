// One drop, from the moment it falls until all of it has gone out: read, compared with the case, and handed to the
// engine, by itself in the normal case. No DOM.
import type { Clock, Item, Source } from "../contract.js";
import type { Dropped } from "../dropped.js";
import { questionOf, verdict, type CasePatient, type Question } from "./decide.js";
import { group, isNamed, type Contents, type Looked, type Patient } from "./group.js";
import type { Kind } from "./kind.js";
import type { Look } from "./look.js";
import { displayName, type Verdict } from "./person.js";
import { Unreadable, type Reader } from "./readers.js";

/** What becomes of a file before the engine has it: ready means read, and not sent yet. */
export type Fate = "unread" | "ready" | "sent" | "left" | "empty" | "large" | "unreadable";

export interface DropFile {
  readonly index: number;
  readonly source: Source;
  fate: Fate;
  look?: Look;
  item?: Item; // once the engine has it
}

export type Phase = "reading" | "asking" | "sending" | "over";

/** What the engine does for a drop. */
export interface Sending {
  /** Tells of files that will be added, unless pre-flight finds a reason not to. */
  expect(caseId: string, sources: readonly Source[]): void;
  /** drop: an object of which there is one for each drop. */
  add(caseId: string, sources: Iterable<Source>, drop: object): Item[];
  cancel(item: Item): void;
}

export interface DropOptions {
  reader: Reader;
  engine: Sending;
  clock: Clock;
  limit: Promise<number>; // bytes of the largest file that is taken
  room: Promise<number>; // bytes the organization may still keep
  known: Promise<CasePatient["known"]>;
  beforeSending: () => void;
  onChange: () => void;
}

/** Milliseconds after which sending begins with what has been read, and then goes on as more is. */
const BEGIN = 500;
/** The unit of all files that are neither images nor ZIPs. */
export const OTHERS = "others";
export const zipUnit = (index: number): string => `zip ${index}`;

const nobodyLooked = (size: number): Look => ({ name: "", size, kind: "other", junk: 0 });

export class Drop {
  readonly files: DropFile[];
  readonly junk: number;
  readonly unreadable: readonly string[]; // paths of folders and files the browser could not open
  question: Question | undefined;
  limit = Infinity;
  room = Infinity; // as it was when the files were dropped

  #left = new Set<string>(); // units that are left out
  #reading = true;
  #answered = false;
  #casePatient: CasePatient;
  #contents: Contents = group([]);
  #verdicts: Verdict[] = [];
  #units = new Map<number, string[]>(); // of each file
  #grouped = -1; // files that were read when grouped
  #stop = new AbortController(); // of reading
  #done = new AbortController(); // aborted once everything has been: nobody waits longer

  constructor(
    readonly key: number,
    readonly caseId: string,
    readonly number: string, // of the case, for people
    label: string,
    dropped: Dropped,
    private readonly o: DropOptions,
  ) {
    this.files = dropped.sources.map((source, index) => ({ index, source, fate: "unread" }));
    this.junk = dropped.junk;
    this.unreadable = dropped.unreadable;
    this.#casePatient = { label, known: [] };
  }

  get phase(): Phase {
    if (this.#reading) return "reading";
    if (this.question && !this.#answered) return "asking";
    return this.files.some(({ item, fate }) => fate === "sent" && item && !atRest(item)) ? "sending" : "over";
  }

  /** Files that have been looked at, and how many there are to look at. */
  get progress(): { read: number; files: number } {
    return { read: this.files.filter(({ fate }) => fate !== "unread").length, files: this.files.length };
  }

  get contents(): Contents {
    return this.#contents;
  }

  /** How each of the contents' patients compares with the case. */
  get verdicts(): readonly Verdict[] {
    return this.#verdicts;
  }

  /** Whose case it is: whose images it holds, else what is written on it. */
  get whose(): string {
    const { known, label } = this.#casePatient;
    const names = [...new Set(known.map(({ name, ids }) => displayName(name) || (ids[0] ?? "")))].filter(Boolean);
    return names.join("; ") || label;
  }

  /** Other files by what they are, without what ZIPs hold. */
  get looseKinds(): Map<Kind, number> {
    const kinds = new Map<Kind, number>();
    for (const index of this.#contents.others) {
      const { kind } = this.files[index]!.look!;
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    }
    return kinds;
  }

  /** Bytes of all files that are to be sent. */
  get needs(): number {
    return this.files.reduce(
      (sum, { fate, source }) => (fate === "large" || fate === "empty" ? sum : sum + source.size),
      0,
    );
  }

  /** Reads and sends; resolves when everything has been read. Never rejects. */
  async run(): Promise<void> {
    const clock = this.o.clock;
    const late = clock.sleep(BEGIN, this.#done.signal);
    const limited = Promise.race([this.o.limit, late]).then((limit) => this.#limited(limit ?? Infinity));
    for (const file of this.files) if (file.source.size === 0) file.fate = "empty";
    void this.o.room.then((room) => {
      this.room = room;
      this.o.onChange();
    });
    const unread = this.files.filter(({ fate }) => fate === "unread");
    this.o.engine.expect(
      this.caseId,
      unread.map(({ source }) => source),
    );
    const reading = unread.map((file) => this.#read(file));
    void this.o.known.then((known) => {
      this.#casePatient = { ...this.#casePatient, known };
      this.#grouped = -1;
    });
    void Promise.all([late, limited]).then(() => this.#early());
    await Promise.all([...reading, limited]);
    this.regroup();
    if (this.#contents.patients.some(isNamed)) await Promise.race([this.o.known, late]); // else there is nobody to compare
    this.#reading = false;
    this.#done.abort();
    this.regroup();
    this.#release();
  }

  /** Nothing has gone out before the limit is known, or late. */
  #limited(limit: number): void {
    this.limit = limit;
    for (const file of this.files) {
      if (file.source.size <= limit) continue;
      file.fate = "large";
      delete file.look;
      this.#grouped = -1;
    }
  }

  async #read(file: DropFile): Promise<void> {
    const { source } = file;
    try {
      const look = await this.o.reader(source.slice(0, source.size), this.#stop.signal);
      if (file.fate === "large") return;
      file.look = look;
      file.fate = this.#stop.signal.aborted ? "left" : "ready";
    } catch (error) {
      if (file.fate === "large") return;
      if (this.#stop.signal.aborted) {
        file.fate = "left";
      } else if (error instanceof Unreadable) {
        file.fate = "unreadable";
      } else {
        file.look = nobodyLooked(source.size); // it is sent all the same; the server reads it
        file.fate = "ready";
      }
    }
    this.o.onChange();
  }

  /** What has been read goes out while the rest is being read. */
  async #early(): Promise<void> {
    while (this.#reading) {
      this.regroup();
      this.#release();
      await this.o.clock.sleep(BEGIN, this.#done.signal);
    }
  }

  /** Sorts what has been read so far, if there is more than before. */
  regroup(): void {
    const looked = this.files.filter((file): file is DropFile & { look: Look } => file.look !== undefined);
    if (looked.length === this.#grouped) return;
    this.#grouped = looked.length;
    const plain = looked.map(({ index, source, look }): Looked => ({
      index,
      name: source.name,
      size: source.size,
      look,
    }));
    this.#contents = group(plain);
    const { patients, zips, others } = this.#contents;
    this.#verdicts = patients.map((patient) => verdict(patient, this.#casePatient));
    const before = this.question;
    this.question = questionOf(patients, this.#verdicts);
    this.#units.clear();
    for (const { key, files } of patients.flatMap(({ series }) => series))
      for (const index of files) this.#unit(index, key);
    for (const { index } of zips) this.#unit(index, zipUnit(index));
    for (const index of others) this.#unit(index, OTHERS);
    if (this.question && !before && !this.#answered && this.#verdicts.includes("same")) this.#leaveOutOthers();
  }

  #unit(index: number, key: string): void {
    this.#units.set(index, [...(this.#units.get(index) ?? []), key]);
  }

  /** Where the case's own patient is among several, the proposal is to send only that one. */
  #leaveOutOthers(): void {
    this.#contents.patients.forEach((patient, i) => {
      if (this.#verdicts[i] === "other") for (const { key } of patient.series) this.#left.add(key);
    });
  }

  #release(): void {
    if (this.#stop.signal.aborted || (this.question && !this.#answered)) return this.o.onChange();
    const ready = this.files.filter(({ index, fate }) => fate === "ready" && this.#isWanted(index));
    this.#send(ready);
    if (!this.#reading) for (const file of this.files) if (file.fate === "ready") file.fate = "left";
    this.o.onChange();
  }

  /** A file goes out unless all it belongs to is left out. */
  #isWanted(index: number): boolean {
    const units = this.#units.get(index);
    return units !== undefined && units.some((unit) => !this.#left.has(unit));
  }

  #send(files: readonly DropFile[]): void {
    if (files.length === 0) return;
    this.o.beforeSending();
    const items = this.o.engine.add(
      this.caseId,
      files.map(({ source }) => source),
      this,
    );
    files.forEach((file, i) => {
      file.fate = "sent";
      if (items[i]) file.item = items[i];
    });
  }

  isTicked(unit: string): boolean {
    return !this.#left.has(unit);
  }

  /** The files of a unit: a series, a ZIP, or all others. */
  filesOf(unit: string): DropFile[] {
    return this.files.filter(({ index }) => this.#units.get(index)?.includes(unit));
  }

  /** Leaves out units, or takes them in again; what is on its way is cancelled. */
  tick(units: readonly string[], on: boolean): void {
    for (const unit of units) {
      if (on) this.#left.delete(unit);
      else this.#left.add(unit);
    }
    if (this.phase === "asking") return this.o.onChange();
    const concerned = units.flatMap((unit) => this.filesOf(unit));
    const again: DropFile[] = [];
    for (const file of concerned) {
      const wanted = this.#isWanted(file.index);
      if (!wanted && file.fate === "sent" && file.item && !isKept(file.item)) {
        this.o.engine.cancel(file.item);
        file.fate = "left";
      } else if (wanted && file.fate === "left") {
        again.push(file);
      }
    }
    this.#send(again);
    this.o.onChange();
  }

  /** Answers the question: everything goes out, what is ticked, or nothing. */
  answer(what: "all" | "ticked" | "none"): void {
    if (what === "all") this.#left.clear();
    if (what === "none") for (const units of this.#units.values()) for (const unit of units) this.#left.add(unit);
    this.#answered = true;
    this.#release();
  }

  /** Patients who are not like the case's. */
  get strangers(): Patient[] {
    return this.#contents.patients.filter((_, i) => this.#verdicts[i] === "other");
  }

  /** Gives up reading; what was not read is not sent. */
  stop(): void {
    this.#stop.abort();
  }

  /** Everything is cancelled: what has not arrived is left out, until it is ticked again. */
  giveUp(): void {
    this.stop();
    this.regroup();
    this.#answered = true; // there is nothing to ask about
    for (const units of this.#units.values()) for (const unit of units) this.#left.add(unit);
    for (const file of this.files)
      if (file.fate === "ready" || (file.fate === "sent" && file.item && !isKept(file.item))) file.fate = "left";
    this.o.onChange();
  }
}

const isKept = ({ state }: Item): boolean => state === "done" || state === "received";

const atRest = (item: Item): boolean => isKept(item) || item.state === "failed" || item.state === "cancelled";
