// The bytes of a blob, piece by piece, through one piece of memory: what a stream hands out of its own piles up until it
// is collected, a hundred megabytes for a large file (decision 028).

/** Bytes read at a time. */
const ROOM = 1 << 20;

/**
 * Readers at work. Chromium throws a stream away together with whoever waits for it when nothing else holds it: between its
 * last byte and its end nothing does, and the end never comes (docs/decisions/088-readers-are-held.md).
 */
const held = new Set<ReadableStreamBYOBReader | ReadableStreamDefaultReader>();

/** Reads blobs one after another, never two at once. A piece is good until take returns. */
export class Pieces {
  #room: ArrayBuffer | undefined;

  async each(blob: Blob, take: (bytes: Uint8Array) => void): Promise<void> {
    const stream = blob.stream();
    const reader = filling(stream);
    if (!reader) return asTheyCome(stream, take);
    let room = this.#room ?? new ArrayBuffer(ROOM);
    this.#room = undefined; // while it is filled it belongs to the stream
    held.add(reader);
    try {
      for (;;) {
        const { done, value } = await reader.read(new Uint8Array(room));
        if (value) room = value.buffer as ArrayBuffer;
        if (done) break;
        take(value);
      }
    } finally {
      held.delete(reader);
    }
    this.#room = room;
  }
}

/** A reader that fills memory of ours (https://streams.spec.whatwg.org/#byob-readers), where the browser's blobs allow one. */
function filling(stream: ReadableStream<Uint8Array>): ReadableStreamBYOBReader | undefined {
  try {
    return stream.getReader({ mode: "byob" });
  } catch {
    return undefined;
  }
}

async function asTheyCome(stream: ReadableStream<Uint8Array>, take: (bytes: Uint8Array) => void): Promise<void> {
  const reader = stream.getReader();
  held.add(reader);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      take(value);
    }
  } finally {
    held.delete(reader);
  }
}
