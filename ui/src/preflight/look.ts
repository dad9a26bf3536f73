// Looks at one file: what it is, and of DICOM what its header says; of a ZIP, what is inside. Reads a few slices, never
// the whole. Runs in a worker, and in Node for tests.
import { describe, type Facts } from "./describe.js";
import { inflate } from "./inflate.js";
import { HEAD, kindOf, type Kind } from "./kind.js";
import { budget, Walk, type Header, type Need } from "./walk.js";
import { heads, readDirectory, type EntryHead, type Trouble } from "./zip.js";

/** What one file, or one entry of a ZIP, was found to be. */
export interface Found {
  name: string; // of the entry; "" for a file itself
  size: number; // bytes, inflated
  kind: Kind;
  facts?: Facts; // of DICOM
}

export interface Look extends Found {
  inside?: Found[]; // of a ZIP
  junk: number; // inside a ZIP
  trouble?: Trouble; // why (part of) a ZIP could not be looked into
}

/** Bytes of a deflated data set that are looked at, before and after inflating. */
const DEFLATED = 256 << 10;
const INFLATED = 1 << 20;
/** Inflated bytes of an entry: at first, and at most. */
const ENTRY_FIRST = 8 << 10;
const ENTRY_MOST = 1 << 20;
/** Milliseconds spent on the heads of one ZIP; then what was seen must do. */
const PATIENCE = 3000;

/** Rejects when the file cannot be read. */
export async function look(blob: Blob, signal: AbortSignal, patience = PATIENCE): Promise<Look> {
  const first = new Uint8Array(await blob.slice(0, budget.window).arrayBuffer());
  const kind = kindOf(first, blob.size);
  const found = { name: "", size: blob.size, kind, junk: 0 };
  if (kind === "zip") return { ...found, ...(await lookInside(blob, signal, patience)) };
  if (kind !== "dicom") return found;
  const header = await walk(blob.size, async ({ at, bytes, inflated }) => {
    if (inflated) return inflateSet(new Uint8Array(await blob.slice(at, at + DEFLATED).arrayBuffer()));
    if (Math.min(at + bytes, blob.size) <= first.length) return first.subarray(at, at + bytes);
    return new Uint8Array(await blob.slice(at, at + bytes).arrayBuffer());
  });
  return { ...found, ...dicom(header) };
}

/** Runs a walk, fetching what it asks for. */
async function walk(size: number, fetch: (need: Need) => Promise<Uint8Array>): Promise<Header | undefined> {
  const walking = new Walk(size).run();
  let step = walking.next();
  while (!step.done) step = walking.next(await fetch(step.value));
  return step.value;
}

function dicom(header: Header | undefined): { kind: Kind; facts?: Facts } {
  if (!header) return { kind: "other" };
  const facts = describe(header);
  return facts.directory ? { kind: "dicomdir" } : { kind: "dicom", facts };
}

/** A data set is deflated raw (PS3.5 A.5); some writers wrap it as zlib does. */
export function inflateSet(bytes: Uint8Array): Uint8Array {
  const raw = inflate(bytes, INFLATED);
  if (!raw.damaged || raw.bytes.length > 0) return raw.bytes;
  return inflate(bytes.subarray(2), INFLATED).bytes;
}

async function lookInside(
  blob: Blob,
  signal: AbortSignal,
  patience: number,
): Promise<Pick<Look, "inside" | "junk" | "trouble">> {
  const directory = await readDirectory(blob);
  let { trouble } = directory;
  const inside: Found[] = [];
  const late = performance.now() + patience;
  for await (const head of heads(blob, directory.entries, signal)) {
    trouble ??= head.trouble;
    inside.push(await lookAtEntry(head));
    if (performance.now() < late) continue;
    if (inside.length < directory.entries.length) trouble ??= "late";
    break;
  }
  return { inside, junk: directory.junk, ...(trouble && { trouble }) };
}

async function lookAtEntry(head: EntryHead): Promise<Found> {
  const { name, size } = head.entry;
  let bytes = await head.first(ENTRY_FIRST);
  const kind = kindOf(bytes.subarray(0, HEAD), size);
  if (kind !== "dicom") return { name, size, kind };
  const header = await walk(size, async ({ at, least, bytes: most, inflated }) => {
    const wanted = Math.min(ENTRY_MOST, inflated ? at + DEFLATED : at + least, size);
    if (bytes.length < wanted) bytes = await head.first(Math.max(wanted, Math.min(ENTRY_MOST, at + most)));
    return inflated ? inflateSet(bytes.subarray(at)) : bytes.subarray(at, at + most);
  });
  return { name, size, ...dicom(header) };
}
