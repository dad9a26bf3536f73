// A bounded walk through the header of a DICOM object (PS3.10 7, PS3.5 7) up to the pixel data: iteratively, by
// arithmetic, within budgets, never trusting a number the file claims. It keeps the few elements of tags.ts. The walk
// asks for bytes by yielding a Need, so that the same code reads a Blob, a ZIP entry or an array. It never throws; what
// is damaged ends it, and the header holds what was readable before.
import * as head from "./elementhead.js";
import { UNDEFINED, type Encoding } from "./elementhead.js";
import { groupOf, isPixelData, Tag, traits, wanted } from "./tags.js";

/** Bytes the walk wants next: from `at` on; or everything after `at` inflated, as far as allowed. */
export interface Need {
  at: number;
  least: number; // fewer only where the object ends
  bytes: number; // as many as are worth one request
  inflated: boolean;
}

export interface Element {
  tag: number;
  vr: string;
  value: Uint8Array;
  bigEndian: boolean;
  items: Item[]; // of a sequence
}

export type Item = Map<number, Element>;

export interface Header {
  elements: Item;
  syntax: string; // UID; "" when the object does not say
  hasPixels: boolean;
  cutShort: boolean; // damage or a budget ended the walk
}

export interface Budget {
  depth: number; // sequences inside sequences
  elements: number; // walked, kept or not
  value: number; // bytes of one value kept
  kept: number; // bytes of everything kept
  read: number; // bytes asked for
  window: number; // bytes of one request
}

export const budget: Budget = {
  depth: 32,
  elements: 200_000,
  value: 64 << 10,
  kept: 2 << 20,
  read: 4 << 20,
  window: 32 << 10,
};

type Reading<T = void> = Generator<Need, T, Uint8Array>;

/** One open data set, sequence or encapsulated value. */
interface Level {
  kind: "elements" | "items" | "fragments";
  encoding: Encoding;
  end: number; // first byte after it; for the undefined ones, of what encloses them
  undefined: boolean; // ends at a delimiter
  item: Item;
  items: Item[];
  owner: Element;
  keeps: boolean;
}

/** The sequences that are looked into; all others are stepped over. */
const entered = new Set<number>([
  Tag.PlanePositionSequence,
  Tag.PlaneOrientationSequence,
  Tag.PixelMeasuresSequence,
  Tag.SharedFunctionalGroups,
  Tag.PerFrameFunctionalGroups,
]);

const nothing = new Uint8Array();
const META = 0x0002;

export class Walk {
  #bytes: Uint8Array = nothing;
  #view = new DataView(nothing.buffer as ArrayBufferLike);
  #start = 0; // offset of the window in the object
  #whole = false; // the window is all there is: an inflated data set
  #pos = 0;
  #read = 0;
  #kept = 0;
  #seen = 0;
  #depth = 0;
  #stopped = false;
  #stack: Level[] = [];
  #header: Header = { elements: new Map(), syntax: "", hasPixels: false, cutShort: false };

  /** size: bytes of the object. */
  constructor(
    private size: number,
    private readonly limits: Budget = budget,
  ) {}

  /** The header, or undefined when the object is no DICOM. */
  *run(): Reading<Header | undefined> {
    yield* this.#need(0, 512);
    const start = head.locate(this.#view, this.size);
    if (start === undefined) return undefined;
    this.#pos = start;
    yield* this.#open(head.explicitLE, META);
    yield* this.#walk(META);
    this.#header.syntax = plainText(this.#header.elements.get(Tag.TransferSyntaxUID));
    const { encoding, deflated } = head.syntaxEncoding(this.#header.syntax);
    if (!this.#stopped && this.#pos < this.size) {
      if (deflated) yield* this.#inflate(encoding);
      yield* this.#open(encoding, undefined);
      yield* this.#walk(undefined);
    }
    while (this.#stack.length > 1) this.#pop();
    return this.#header;
  }

  /** Makes the bytes at `at` available, as many as there are. */
  *#need(at: number, bytes: number): Reading {
    bytes = Math.min(bytes, this.size - at);
    if (bytes <= 0 || this.#holds(at, bytes)) return;
    if (this.#whole) return; // no more is inflated
    const ask = Math.min(Math.max(bytes, this.limits.window), this.size - at);
    if (this.#read + ask > this.limits.read) {
      this.#stop();
      return;
    }
    this.#read += ask;
    const got = yield { at, least: bytes, bytes: ask, inflated: false };
    this.#show(got.subarray(0, ask), at);
    if (got.length < bytes) this.size = Math.min(this.size, at + got.length);
  }

  #show(bytes: Uint8Array, start: number): void {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#start = start;
  }

  #holds(at: number, bytes: number): boolean {
    return at >= this.#start && at + bytes <= this.#start + this.#bytes.length;
  }

  /** Bytes at hand from `at` on. */
  #ahead(at: number): number {
    return at < this.#start ? 0 : Math.max(0, this.#start + this.#bytes.length - at);
  }

  #stop(): void {
    this.#stopped = true;
    this.#header.cutShort = true;
  }

  /** Goes on in the inflated bytes, unless the data set is not deflated after all. */
  *#inflate(declared: Encoding): Reading {
    yield* this.#need(this.#pos, 512);
    if (head.readsAs(this.#view, this.#pos - this.#start, this.size - this.#pos, declared) >= 2) return;
    const inflated = yield { at: this.#pos, least: 0, bytes: 0, inflated: true };
    this.#show(inflated, 0);
    this.#whole = true;
    this.size = Number.MAX_SAFE_INTEGER; // nobody knows
    this.#pos = 0;
  }

  /** Begins a group of elements and settles their encoding by looking at the first of them. */
  *#open(declared: Encoding, group: number | undefined): Reading {
    yield* this.#need(this.#pos, 512);
    const at = this.#pos - this.#start;
    let encoding = declared;
    if (this.#ahead(this.#pos) >= 8) {
      const guess = head.guessEncoding(this.#view, at, this.size - this.#pos, declared);
      if (group === undefined || groupOf(head.tagAt(this.#view, at, guess)) === group) encoding = guess;
    }
    const owner = bare(0, "", encoding);
    const item = this.#header.elements;
    this.#stack = [
      { kind: "elements", encoding, end: this.size, undefined: true, item, items: [], owner, keeps: true },
    ];
  }

  /** Goes on until the object or the group ends, or the pixel data are found. */
  *#walk(group: number | undefined): Reading {
    while (!this.#stopped) {
      const top = this.#stack.at(-1)!;
      const inside = this.#stack.length > 1;
      if (inside && !top.undefined && this.#pos >= top.end) {
        this.#pop();
        continue;
      }
      if (++this.#seen > this.limits.elements) return this.#stop();
      if (!this.#holds(this.#pos, head.LONGEST_HEAD)) {
        yield* this.#need(this.#pos, head.LONGEST_HEAD);
        if (this.#stopped) return;
        if (this.#ahead(this.#pos) < 8) {
          this.#header.cutShort ||= inside || this.#whole;
          return;
        }
      }
      const at = this.#pos - this.#start;
      if (group !== undefined && !inside && groupOf(head.tagAt(this.#view, at, top.encoding)) !== group) return;
      if (top.kind === "items") this.#item(at, top);
      else if (top.kind === "fragments") this.#fragment(at, top);
      else yield* this.#element(at, top);
    }
  }

  /** The first byte after what encloses the position. */
  #end(): number {
    return this.#stack.length > 1 ? Math.min(this.#stack.at(-1)!.end, this.size) : this.size;
  }

  *#element(at: number, top: Level): Reading {
    const tag = head.tagAt(this.#view, at, top.encoding);
    if (groupOf(tag) === 0xfffe) return this.#delimiter(tag, top);
    const end = this.#end();
    if (tag === 0 && this.#view.getUint32(at + 4) === 0) return this.#padding(top, end);
    const element = head.decodeHead(this.#view, at, top.encoding, end - this.#pos);
    if (!element) return this.#stop();
    if (element.explicit !== top.encoding.explicit) top.encoding = { ...top.encoding, explicit: element.explicit };
    this.#pos += element.size;
    if (isPixelData(tag) && this.#stack.length === 1) {
      this.#header.hasPixels = true;
      this.#stopped = true;
      return;
    }
    const expected = wanted.get(tag);
    const vr = element.vr === "UN" && expected !== undefined && expected !== "SQ" ? expected : element.vr;
    if (element.length === UNDEFINED) return this.#openUndefined(bare(tag, vr, top.encoding), top, end);
    const last = this.#pos + element.length;
    if (last > end) this.#header.cutShort = true;
    const sequence = expected === "SQ" && (vr === "SQ" || vr === "UN");
    if (sequence && entered.has(tag) && top.keeps && last <= end && this.#depth < this.limits.depth) {
      return this.#openSequence(bare(tag, vr, top.encoding), top, last, false);
    }
    yield* this.#value(bare(tag, vr, top.encoding), top, Math.min(last, end), expected !== undefined);
  }

  /** Keeps the value that ends at `last` if it is wanted and affordable, and steps over it. */
  *#value(element: Element, top: Level, last: number, isWanted: boolean): Reading {
    const bytes = last - this.#pos;
    if (isWanted && top.keeps && bytes >= 0 && bytes <= this.limits.value && this.#afford(bytes)) {
      yield* this.#need(this.#pos, bytes);
      const from = this.#pos - this.#start;
      if (from >= 0) element.value = this.#bytes.subarray(from, from + bytes);
      if (element.value.length < bytes) this.#header.cutShort = true;
      if (!top.item.has(element.tag)) top.item.set(element.tag, element);
    }
    this.#pos = Math.max(last, this.#pos);
  }

  /** A value of undefined length: a sequence (UN: in implicit little endian, PS3.5 6.2.2), or bytes in items. */
  #openUndefined(element: Element, top: Level, end: number): void {
    if (element.vr === "SQ" || element.vr === "UN") {
      if (this.#depth >= this.limits.depth) return this.#stop();
      return this.#openSequence(element, top, end, true);
    }
    const trait = traits.get(element.vr);
    if (!trait?.long || trait.text) return this.#stop();
    this.#push({ ...top, kind: "fragments", end, undefined: true, items: [], owner: element, keeps: false });
  }

  #openSequence(owner: Element, top: Level, end: number, undefined: boolean): void {
    const encoding = owner.vr === "UN" && top.encoding.explicit ? head.implicitLE : top.encoding;
    this.#depth++;
    const keeps = top.keeps && entered.has(owner.tag);
    if (this.#stack.length === 1 && owner.tag === Tag.DirectoryRecordSequence) top.item.set(owner.tag, owner);
    this.#push({ kind: "items", encoding, end, undefined, item: top.item, items: [], owner, keeps });
  }

  #push(level: Level): void {
    this.#stack.push(level);
  }

  /** An item head inside a sequence (PS3.5 7.5.1). */
  #item(at: number, top: Level): void {
    let tag = head.tagAt(this.#view, at, top.encoding);
    if (groupOf(tag) !== 0xfffe) {
      const other = { ...top.encoding, bigEndian: !top.encoding.bigEndian };
      if (head.tagAt(this.#view, at, other) === Tag.Item) {
        top.encoding = other;
        tag = Tag.Item;
      }
    }
    const length = head.lengthAt(this.#view, at + 4, top.encoding);
    if (tag === Tag.Item) {
      this.#pos += 8;
      const enclosed = this.#end();
      const end = length === UNDEFINED ? enclosed : Math.min(this.#pos + length, enclosed);
      const { encoding, owner, keeps } = top;
      this.#push({
        kind: "elements",
        encoding,
        end,
        undefined: length === UNDEFINED,
        item: new Map(),
        items: [],
        owner,
        keeps,
      });
    } else if (tag === Tag.SequenceDelimitation) {
      this.#pos += 8;
      if (top.undefined) this.#pop();
    } else if (tag === Tag.ItemDelimitation) {
      this.#pos += 8;
    } else {
      if (!top.undefined) this.#pos = top.end;
      this.#pop();
    }
  }

  /** Group FFFE where an element is due: it closes what is open, also where the delimiter before was forgotten. */
  #delimiter(tag: number, top: Level): void {
    const inside = this.#stack.length > 1;
    if (tag === Tag.ItemDelimitation && inside && top.undefined) {
      this.#pos += 8;
      this.#pop();
    } else if (tag === Tag.Item && inside && top.undefined) {
      this.#pop();
    } else if (tag === Tag.SequenceDelimitation && inside && this.#stack.at(-2)!.undefined) {
      this.#pop();
    } else {
      this.#pos += 8;
    }
  }

  /** Steps over one fragment of an encapsulated value outside the pixel data. */
  #fragment(at: number, top: Level): void {
    const tag = head.tagAt(this.#view, at, top.encoding);
    const length = head.lengthAt(this.#view, at + 4, top.encoding);
    if (tag === Tag.SequenceDelimitation) {
      this.#pos += 8;
      this.#pop();
    } else if (tag === Tag.Item && length !== UNDEFINED && this.#pos + 8 + length <= this.#end()) {
      this.#pos += 8 + length;
    } else {
      this.#stop();
    }
  }

  /** (0000,0000) with length 0: writers fill up to a block. */
  #padding(top: Level, end: number): void {
    if (this.#stack.length > 1 && !top.undefined) this.#pos = end;
    else this.#stopped = true;
  }

  /** Closes the innermost level and hands what it holds to the one around it. */
  #pop(): void {
    const top = this.#stack.pop()!;
    const parent = this.#stack.at(-1)!;
    if (top.kind === "elements") {
      if (top.keeps && this.#afford(128)) parent.items.push(top.item);
      return;
    }
    if (top.kind === "items") this.#depth--;
    top.owner.items = top.items;
    if (top.keeps && !parent.item.has(top.owner.tag)) parent.item.set(top.owner.tag, top.owner);
  }

  #afford(bytes: number): boolean {
    if (this.#kept + bytes > this.limits.kept) {
      this.#header.cutShort = true;
      return false;
    }
    this.#kept += bytes;
    return true;
  }
}

function bare(tag: number, vr: string, encoding: Encoding): Element {
  return { tag, vr, value: nothing, bigEndian: encoding.bigEndian, items: [] };
}

/** An element of plain ASCII, padding removed; "" when absent. */
export function plainText(element: Element | undefined): string {
  return element ? String.fromCharCode(...element.value.subarray(0, 256)).replace(/^ +|[ \0]+$/g, "") : "";
}
