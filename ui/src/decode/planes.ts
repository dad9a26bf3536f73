// Three planes of a volume whose slices only a browser decodes: the middle slice as it is, and of each slice one row and one column.
// By the same steps as the server's own (internal/pixels/volume.go), which also says how the planes lie. One slice is held at a time.
import { decode, type Decoder } from "./codec.js";
import { Undrawn, type Frame, type Plane, type Volume } from "./frame.js";
import { painted, reader, reduce, resample, windowOf, type Painted, type Sheet } from "./tone.js";

/** One slice as the server sends it. */
export interface Slice {
  frame: Frame;
  bytes: Uint8Array;
}

/** Bytes of a slice and of its description, and slices of a volume, at most. */
const MOST = { bytes: 8 << 20, head: 64 << 10, slices: 64 };

/**
 * The planes of the volume, in the order of its planes. f is its middle frame, by whose size all are measured. A slice that cannot be
 * decoded is stood in for by its neighbour; Undrawn when it is the first or the middle one, when most are, or when there are more
 * or fewer than announced. goesOn is asked between slices.
 */
export async function planes(
  slices: AsyncIterable<Slice>,
  make: () => Decoder,
  volume: Volume,
  f: Frame,
  goesOn: () => boolean,
): Promise<(Painted & { view: string })[]> {
  const n = volume.count;
  if (n < 2 || n > MOST.slices || volume.planes.length !== 3 || volume.middle >= n) throw new Undrawn("claims");
  const rows: Sheet = { width: f.columns, height: n, channels: 1, px: new Float32Array(f.columns * n) };
  const columns: Sheet = { width: f.rows, height: n, channels: 1, px: new Float32Array(f.rows * n) };
  let middle: { sheet: Sheet; frame: Frame } | undefined;
  let [at, decoded] = [0, 0];
  for await (const { frame, bytes } of slices) {
    if (at >= n || !goesOn()) throw new Undrawn("large");
    try {
      const cut = through(make, bytes, frame, f, at === volume.middle);
      rows.px.set(cut.row, at * f.columns);
      columns.px.set(cut.column, at * f.rows);
      if (cut.whole) middle = { sheet: cut.whole, frame };
      decoded++;
    } catch (error) {
      if (!(error instanceof Undrawn) || at === 0 || at === volume.middle) throw error;
      rows.px.copyWithin(at * f.columns, (at - 1) * f.columns, at * f.columns);
      columns.px.copyWithin(at * f.rows, (at - 1) * f.rows, at * f.rows);
    }
    at++;
  }
  if (at !== n || decoded * 2 < n || !middle) throw new Undrawn("damaged");
  const window = windowOf(middle.frame, middle.sheet.px);
  return [middle.sheet, rows, columns].map((sheet, i) => {
    const plane = volume.planes[i]!;
    return { view: plane.view, ...painted(laid(sheet, plane), middle.frame, window) };
  });
}

/** The middle row and column of one slice, and all of it, made small, when it is asked for. */
function through(make: () => Decoder, bytes: Uint8Array, frame: Frame, f: Frame, all: boolean) {
  if (frame.size === 0) throw new Undrawn("damaged");
  if (frame.rows !== f.rows || frame.columns !== f.columns || frame.samples !== 1) throw new Undrawn("claims");
  if (frame.photometric === "PALETTE COLOR") throw new Undrawn("kind");
  const decoder = make();
  try {
    const samples = decode(decoder, bytes, frame);
    const read = reader(samples, frame);
    const row = new Float32Array(f.columns);
    read(row, Math.floor(f.rows / 2) * f.columns);
    const column = new Float32Array(f.rows);
    const one = new Float32Array(1);
    for (let y = 0; y < f.rows; y++) {
      read(one, y * f.columns + Math.floor(f.columns / 2));
      column[y] = one[0]!;
    }
    return { row, column, whole: all ? reduce(samples, frame) : undefined };
  } finally {
    decoder.delete();
  }
}

/** The sheet as the plane lies. */
export function laid(sheet: Sheet, plane: Plane): Sheet {
  const [w, h] = plane.turned ? [plane.height, plane.width] : [plane.width, plane.height];
  if (w < 1 || h < 1 || w > 512 || h > 512) throw new Undrawn("claims");
  const from = w === sheet.width && h === sheet.height ? sheet : resample(sheet, w, h);
  const px = new Float32Array(w * h);
  for (let y = 0; y < plane.height; y++) {
    for (let x = 0; x < plane.width; x++) {
      const across = plane.mirrored ? plane.width - 1 - x : x;
      const down = plane.over ? plane.height - 1 - y : y;
      px[y * plane.width + x] = from.px[plane.turned ? across * w + down : down * w + across]!;
    }
  }
  return { width: plane.width, height: plane.height, channels: 1, px };
}

/** The slices of an answer: of each the length of its description, the description, and its bytes. Undrawn when one is too large or cut. */
export async function* slicesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Slice> {
  const stream = body.getReader();
  let rest = new Uint8Array(0);
  /** The next bytes, or undefined at the end. */
  const take = async (length: number): Promise<Uint8Array | undefined> => {
    const out = new Uint8Array(length);
    let at = 0;
    while (at < length) {
      if (rest.length === 0) {
        const { done, value } = await stream.read();
        if (done && at === 0) return undefined;
        if (done) throw new Undrawn("damaged");
        rest = value as Uint8Array<ArrayBuffer>;
      }
      const piece = rest.subarray(0, length - at);
      out.set(piece, at);
      at += piece.length;
      rest = rest.subarray(piece.length);
    }
    return out;
  };
  for (let head = await take(4); head; head = await take(4)) {
    const length = new DataView(head.buffer).getUint32(0);
    if (length > MOST.head) throw new Undrawn("large");
    const frame = JSON.parse(new TextDecoder().decode(await take(length))) as Frame;
    if (!(frame.size >= 0 && frame.size <= MOST.bytes)) throw new Undrawn("large");
    const bytes = frame.size === 0 ? new Uint8Array(0) : await take(frame.size);
    if (!bytes) throw new Undrawn("damaged");
    yield { frame, bytes };
  }
}
