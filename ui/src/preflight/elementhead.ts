// The fixed part of an element: tag, representation, length (PS3.5 7.1); and how to tell in which of the four encodings
// a data set is really written. The rules are those of internal/dicom (elementhead.go, syntax.go).
import { groupOf, isPrivate, traits, wanted } from "./tags.js";

export interface Encoding {
  explicit: boolean;
  bigEndian: boolean;
}

export const implicitLE: Encoding = { explicit: false, bigEndian: false };
export const explicitLE: Encoding = { explicit: true, bigEndian: false };
export const explicitBE: Encoding = { explicit: true, bigEndian: true };
export const implicitBE: Encoding = { explicit: false, bigEndian: true };
const encodings = [explicitLE, implicitLE, explicitBE, implicitBE];

/** The length of a value that ends at a delimiter (PS3.5 7.1.1: FFFFFFFFH). */
export const UNDEFINED = -1;
export const LONGEST_HEAD = 12;

export interface ElementHead {
  tag: number;
  vr: string; // "UN" when nobody knows
  length: number; // bytes, or UNDEFINED
  size: number; // bytes of the head itself: 8 or 12
  explicit: boolean;
  known: boolean; // the representation is one of PS3.5 6.2, or the tag one of ours
}

export function tagAt(b: DataView, at: number, e: Encoding): number {
  return b.getUint16(at, !e.bigEndian) * 0x10000 + b.getUint16(at + 2, !e.bigEndian);
}

export function lengthAt(b: DataView, at: number, e: Encoding): number {
  const length = b.getUint32(at, !e.bigEndian);
  return length === 0xffffffff ? UNDEFINED : length;
}

const capital = (c: number): boolean => c >= 0x41 && c <= 0x5a;

/** An element with explicit representation (PS3.5 7.1.2), or undefined when the bytes cannot be one. */
export function explicitHead(b: DataView, at: number, e: Encoding): ElementHead | undefined {
  const [first, second] = [b.getUint8(at + 4), b.getUint8(at + 5)];
  if (!capital(first) || !capital(second)) return undefined;
  const vr = String.fromCharCode(first, second);
  const trait = traits.get(vr);
  const [tag, known] = [tagAt(b, at, e), trait !== undefined];
  if (trait && !trait.long) {
    return { tag, vr, length: b.getUint16(at + 6, !e.bigEndian), size: 8, explicit: true, known };
  }
  if (b.byteLength < at + LONGEST_HEAD) return undefined;
  const length = lengthAt(b, at + 8, e);
  return { tag, vr: trait ? vr : "UN", length, size: LONGEST_HEAD, explicit: true, known };
}

/** An element with implicit representation (PS3.5 7.1.3). */
export function implicitHead(b: DataView, at: number, e: Encoding): ElementHead {
  const tag = tagAt(b, at, e);
  const vr = wanted.get(tag);
  return { tag, vr: vr ?? "UN", length: lengthAt(b, at + 4, e), size: 8, explicit: false, known: vr !== undefined };
}

const fits = (head: ElementHead, room: number): boolean => head.length === UNDEFINED || head.size + head.length <= room;

/** Tells whether the dictionary may hold the tag: this reader knows only the few it wants. */
const plausible = (tag: number): boolean => groupOf(tag) >= 1 && groupOf(tag) <= 0x7fe0;

/**
 * The element head at `at`: the level's encoding first; where it makes no sense and the other one (explicit for implicit,
 * or back) does, the other. `room` is what encloses the element, in bytes from `at`. Undefined when nothing makes sense.
 */
export function decodeHead(b: DataView, at: number, e: Encoding, room: number): ElementHead | undefined {
  const explicit = explicitHead(b, at, e);
  if (e.explicit && explicit?.known && fits(explicit, room)) return explicit; // nearly always
  const implicit = implicitHead(b, at, e);
  if (!e.explicit) {
    if (!explicit?.known || !fits(explicit, room)) return implicit;
    const expected = wanted.get(explicit.tag);
    return expected === explicit.vr || !fits(implicit, room) ? explicit : implicit;
  }
  const even = implicit.length === UNDEFINED || implicit.length % 2 === 0;
  const implicitSense = even && fits(implicit, room) && plausible(implicit.tag);
  if (explicit?.known) {
    return wanted.get(explicit.tag) === explicit.vr || !implicitSense ? explicit : implicit;
  }
  if (explicit && fits(explicit, room) && b.getUint16(at + 6) === 0) return explicit;
  if (!explicit && implicitSense) return implicit;
  // Two wrong bytes before a 16-bit length, as some converters wrote them.
  const length = b.getUint16(at + 6, !e.bigEndian);
  const short = { ...implicit, size: 8, explicit: true, length };
  return fits(short, room) ? short : undefined;
}

/** The elements a bare data set may begin with, of groups 0002, 0004 and 0008. */
const beginsImplicit = (tag: number): boolean => tag % 0x10000 <= (groupOf(tag) === 4 ? 0x1600 : 0x103f);

/** An element head only if it is beyond doubt in the encoding. */
function strictHead(b: DataView, at: number, e: Encoding): ElementHead | undefined {
  if (b.byteLength < at + 8) return undefined;
  const tag = tagAt(b, at, e);
  if (!plausible(tag)) return undefined;
  if (e.explicit) {
    const head = explicitHead(b, at, e);
    return head?.known ? head : undefined;
  }
  if (traits.has(String.fromCharCode(b.getUint8(at + 4), b.getUint8(at + 5)))) return undefined;
  const head = implicitHead(b, at, e);
  const group = groupOf(tag);
  return group > 8 || isPrivate(tag) || beginsImplicit(tag) ? head : undefined;
}

/** Counts, up to two, how many elements from `at` on make strict sense; an object ending after one counts as two. */
export function readsAs(b: DataView, at: number, remaining: number, e: Encoding): number {
  let last = -1;
  for (let n = 0; n < 2; n++) {
    if (n > 0 && (b.byteLength - at < 8 || remaining === 0)) return 2;
    const head = strictHead(b, at, e);
    if (!head || head.tag <= last) return n;
    if (head.length === UNDEFINED) return n + 1;
    const whole = head.size + head.length;
    if (whole > remaining) return n;
    last = head.tag;
    remaining -= whole;
    if (whole > b.byteLength - at) return n + 1;
    at += whole;
  }
  return 2;
}

/** How the data set at `at` is really written: as declared when that reads, else as its first elements read. */
export function guessEncoding(b: DataView, at: number, remaining: number, declared: Encoding): Encoding {
  for (const e of [declared, ...encodings]) if (readsAs(b, at, remaining, e) >= 2) return e;
  if (strictHead(b, at, declared)) return declared;
  return encodings.find((e) => readsAs(b, at, remaining, e) === 1) ?? declared;
}

/**
 * Where the first element stands in the object beginning with b: after a preamble and "DICM" (PS3.10 7.1), after "DICM"
 * alone, or at the first byte of a bare data set. Undefined when it is no DICOM object. 512 bytes are enough.
 */
export function locate(b: DataView, size: number): number | undefined {
  const magic = (at: number) => b.byteLength >= at + 4 && b.getUint32(at) === 0x4449434d;
  if (magic(128)) return 132;
  if (magic(0)) return 4;
  for (const start of [0, 128]) {
    if (b.byteLength <= start + 8) break;
    for (const e of encodings) {
      const group = groupOf(tagAt(b, start, e));
      if ((group === 2 || group === 4 || group === 8) && readsAs(b, start, size - start, e) >= 2) return start;
    }
  }
  return undefined;
}

/** The encoding a transfer syntax promises, and whether the data set is deflated (PS3.5 A). */
export function syntaxEncoding(uid: string): { encoding: Encoding; deflated: boolean } {
  switch (uid) {
    case "1.2.840.10008.1.2":
    case "1.2.840.113619.5.2":
      return { encoding: implicitLE, deflated: false };
    case "1.2.840.10008.1.2.2":
      return { encoding: explicitBE, deflated: false };
    case "1.2.840.10008.1.2.1.99":
    case "1.2.840.10008.1.2.4.95":
    case "1.2.840.10008.1.2.4.205":
      return { encoding: explicitLE, deflated: true };
  }
  return { encoding: explicitLE, deflated: false };
}
