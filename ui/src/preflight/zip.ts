// What a ZIP holds, from a few slices of it: the directory from the end, then the beginnings of entries, neighbours
// together. Whatever is wrong is only a mark: the file is sent all the same and the server reads it (its guards are
// those of internal/archive). Format: PKWARE APPNOTE 6.3.10.
import { inflate } from "./inflate.js";
import { isJunkEntry, readNames, type RawName } from "./zipnames.js";

/** Why a ZIP, or an entry of it, is not looked into here. */
export type Trouble = "broken" | "encrypted" | "method" | "many" | "late";

export interface Entry {
  name: string;
  method: number;
  compressed: number; // bytes in the archive
  size: number; // bytes inflated, as claimed
  offset: number; // of the local header, in the file
  folder: boolean;
  encrypted: boolean;
}

export interface Directory {
  entries: Entry[]; // folders and junk left out
  junk: number;
  trouble: Trouble | undefined;
}

export const limits = { entries: 20_000, directory: 8 << 20, run: 1 << 20, gap: 8 << 10, head: 16 << 10 };

const END = 22;
const LOCATOR = 20;
const END64 = 56;
const ITEM = 46;
const LOCAL = 30;

const signature = (b: DataView, at: number, low: number, high: number): boolean =>
  b.getUint16(at, true) === 0x4b50 && b.getUint8(at + 2) === low && b.getUint8(at + 3) === high;

const uint64 = (b: DataView, at: number): number => Number(b.getBigUint64(at, true));

async function viewOf(blob: Blob, start: number, end: number): Promise<DataView> {
  return new DataView(await blob.slice(Math.max(0, start), end).arrayBuffer());
}

/** Reads the list of contents. Rejects only when the file itself cannot be read. */
export async function readDirectory(blob: Blob): Promise<Directory> {
  const none = (trouble: Trouble): Directory => ({ entries: [], junk: 0, trouble });
  const tailStart = Math.max(0, blob.size - (END + 0xffff));
  const tail = await viewOf(blob, tailStart, blob.size);
  const place = await findDirectory(blob, tail, tailStart);
  if (place === undefined) return none("broken");
  if (place.entries > limits.entries || place.size > limits.directory) return none("many");
  const start = place.stop - place.size;
  const base = start - place.offset; // bytes before the archive proper
  if (start < 0 || base < 0) return none("broken");
  const held = start >= tailStart;
  const b = held
    ? new DataView(tail.buffer, start - tailStart, place.size)
    : await viewOf(blob, start, start + place.size);
  return parse(b, base, start) ?? none("broken");
}

interface Place {
  stop: number; // first byte after the directory
  size: number;
  offset: number; // as written
  entries: number;
}

/** The end record, and the Zip64 one before it where there is one (APPNOTE 4.3.14 to 4.3.16). */
async function findDirectory(blob: Blob, tail: DataView, start: number): Promise<Place | undefined> {
  for (let at = tail.byteLength - END; at >= 0; at--) {
    if (!signature(tail, at, 5, 6) || at + END + tail.getUint16(at + 20, true) > tail.byteLength) continue;
    const place = {
      stop: start + at,
      entries: tail.getUint16(at + 10, true),
      size: tail.getUint32(at + 12, true),
      offset: tail.getUint32(at + 16, true),
    };
    const large = place.entries === 0xffff || place.size === 0xffffffff || place.offset === 0xffffffff;
    if (!large || at < LOCATOR || !signature(tail, at - LOCATOR, 6, 7)) return place;
    for (const stop of [uint64(tail, at - LOCATOR + 8), start + at - LOCATOR - END64]) {
      if (stop < 0 || stop + END64 > start + at) continue;
      const record = await viewOf(blob, stop, stop + END64);
      if (record.byteLength < END64 || !signature(record, 0, 6, 6)) continue;
      return { stop, entries: uint64(record, 32), size: uint64(record, 40), offset: uint64(record, 48) };
    }
    return undefined;
  }
  return undefined;
}

/** The central directory (APPNOTE 4.3.12); undefined when it is damaged. */
function parse(b: DataView, base: number, end: number): Directory | undefined {
  const names: RawName[] = [];
  const entries: Entry[] = [];
  for (let at = 0; at + ITEM <= b.byteLength && signature(b, at, 1, 2);) {
    const [nameLength, extraLength] = [b.getUint16(at + 28, true), b.getUint16(at + 30, true)];
    const next = at + ITEM + nameLength + extraLength + b.getUint16(at + 32, true);
    if (next > b.byteLength || entries.length >= limits.entries) return undefined;
    const flags = b.getUint16(at + 8, true);
    const sizes = zip64(b, at, at + ITEM + nameLength, extraLength);
    if (!sizes || sizes.offset + base > end) return undefined;
    names.push({
      bytes: new Uint8Array(b.buffer, b.byteOffset + at + ITEM, nameLength),
      flagged: (flags & 0x0800) !== 0,
    });
    const method = b.getUint16(at + 10, true);
    entries.push({
      ...sizes,
      name: "",
      method,
      offset: sizes.offset + base,
      folder: false,
      encrypted: (flags & 0x2041) !== 0 || method === 99,
    });
    at = next;
  }
  readNames(names).forEach((name, i) => Object.assign(entries[i]!, { name, folder: name.endsWith("/") }));
  const kept = entries.filter(({ name, folder }) => !folder && !isJunkEntry(name));
  const junk = entries.filter(({ name, folder }) => !folder && isJunkEntry(name)).length;
  return { entries: kept, junk, trouble: undefined };
}

/** The sizes and the offset of an item, from the Zip64 field where the 32-bit ones are all ones (APPNOTE 4.5.3). */
function zip64(b: DataView, at: number, extra: number, length: number) {
  const values = {
    size: b.getUint32(at + 24, true),
    compressed: b.getUint32(at + 20, true),
    offset: b.getUint32(at + 42, true),
  };
  let [from, until] = [0, 0];
  for (let field = extra; field + 4 <= extra + length;) {
    const end = field + 4 + b.getUint16(field + 2, true);
    if (end > extra + length) break;
    if (b.getUint16(field, true) === 1) [from, until] = [field + 4, end];
    field = end;
  }
  for (const name of ["size", "compressed", "offset"] as const) {
    if (values[name] !== 0xffffffff) continue;
    if (from + 8 > until) return undefined;
    values[name] = uint64(b, from);
    from += 8;
  }
  return values.size < 2 ** 52 && values.compressed < 2 ** 52 && values.offset < 2 ** 52 ? values : undefined;
}

/** The beginning of an entry; reads on when more is wanted. */
export class EntryHead {
  constructor(
    readonly entry: Entry,
    private readonly blob: Blob,
    private start: number, // of the entry's bytes in the file; -1 when its own header is damaged
    private bytes: Uint8Array, // the first of them as stored
  ) {}

  get trouble(): Trouble | undefined {
    if (this.entry.encrypted) return "encrypted";
    if (![0, 8, 9].includes(this.entry.method)) return "method";
    return this.start < 0 ? "broken" : undefined;
  }

  /** The first `most` inflated bytes, fewer where the entry is shorter or damaged. */
  async first(most: number): Promise<Uint8Array> {
    if (this.trouble) return new Uint8Array();
    most = Math.min(most, this.entry.size);
    if (this.entry.method === 0) {
      await this.#more(most);
      return this.bytes.subarray(0, most);
    }
    for (;;) {
      const { bytes, starved } = inflate(this.bytes, most, this.entry.method === 9);
      if (!starved || this.bytes.length >= this.entry.compressed) return bytes;
      if (!(await this.#more(Math.max(limits.head, 2 * this.bytes.length)))) return bytes;
    }
  }

  /** Makes the first n stored bytes available; false when there are no more. */
  async #more(n: number): Promise<boolean> {
    n = Math.min(n, this.entry.compressed);
    if (n <= this.bytes.length) return false;
    const before = this.bytes.length;
    this.bytes = new Uint8Array(await this.blob.slice(this.start, this.start + n).arrayBuffer());
    return this.bytes.length > before;
  }
}

/** The heads of the entries in the archive's order, a few slices ahead of what is used; first: bytes of each. */
export async function* heads(blob: Blob, entries: readonly Entry[], signal: AbortSignal): AsyncGenerator<EntryHead> {
  const runs: { start: number; end: number; entries: Entry[] }[] = [];
  for (const entry of [...entries].sort((a, b) => a.offset - b.offset)) {
    const end = entry.offset + LOCAL + 512 + Math.min(entry.compressed, limits.head);
    const last = runs.at(-1);
    if (last && entry.offset - last.end <= limits.gap && end - last.start <= limits.run) {
      last.end = Math.max(last.end, end);
      last.entries.push(entry);
    } else {
      runs.push({ start: entry.offset, end, entries: [entry] });
    }
  }
  const ahead = 4;
  const reading = runs.slice(0, ahead).map(({ start, end }) => viewOf(blob, start, end));
  for (const [i, run] of runs.entries()) {
    const b = await reading.shift()!;
    if (signal.aborted) return;
    const next = runs[i + ahead];
    if (next) reading.push(viewOf(blob, next.start, next.end));
    for (const entry of run.entries) yield headOf(entry, blob, b, entry.offset - run.start);
  }
}

/** Checks the local header (APPNOTE 4.3.7). */
function headOf(entry: Entry, blob: Blob, b: DataView, at: number): EntryHead {
  const whole = at >= 0 && at + LOCAL <= b.byteLength;
  if (!whole || !signature(b, at, 3, 4) || b.getUint16(at + 8, true) !== entry.method) {
    return new EntryHead(entry, blob, -1, new Uint8Array());
  }
  const start = at + LOCAL + b.getUint16(at + 26, true) + b.getUint16(at + 28, true);
  const end = Math.min(b.byteLength, start + Math.min(entry.compressed, limits.head));
  const bytes = new Uint8Array(b.buffer, b.byteOffset + Math.min(start, end), Math.max(0, end - start));
  return new EntryHead(entry, blob, entry.offset - at + start, bytes);
}
