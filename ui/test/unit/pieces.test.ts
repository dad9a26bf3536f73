// Blobs read piece by piece: all bytes in order, through one piece of memory where the browser allows it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Pieces } from "../../src/pieces.js";

const bytes = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8)) & 0xff);

async function whole(pieces: Pieces, blob: Blob): Promise<{ got: Uint8Array; rooms: Set<number> }> {
  const parts: Uint8Array[] = [];
  const rooms = new Set<number>();
  await pieces.each(blob, (piece) => {
    parts.push(piece.slice());
    rooms.add(piece.buffer.byteLength);
  });
  return { got: new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer()), rooms };
}

test("a blob comes whole and in order, one after another, through the same memory", async () => {
  const pieces = new Pieces();
  for (const length of [3_000_001, 0, 1, 1 << 20, 70_000]) {
    const { got, rooms } = await whole(pieces, new Blob([bytes(length)]));
    assert.deepEqual(got, bytes(length), `${length} bytes`);
    for (const room of rooms) assert.equal(room, 1 << 20, "a piece lay in other memory");
  }
});

test("where blobs fill no memory of ours they are read as they come", async () => {
  const stream = () =>
    new ReadableStream<Uint8Array>({
      start(controller) {
        for (let at = 0; at < 200_000; at += 50_000) controller.enqueue(bytes(200_000).subarray(at, at + 50_000));
        controller.close();
      },
    });
  const { got } = await whole(new Pieces(), { stream } as unknown as Blob);
  assert.deepEqual(got, bytes(200_000));
});

test("a blob that cannot be read says so, and the next one is read", async () => {
  const pieces = new Pieces();
  const broken = () =>
    new ReadableStream({ type: "bytes", pull: (c) => c.error(new DOMException("gone", "NotFoundError")) });
  await assert.rejects(
    pieces.each({ stream: broken } as unknown as Blob, () => {}),
    { name: "NotFoundError" },
  );
  assert.deepEqual((await whole(pieces, new Blob([bytes(10)]))).got, bytes(10));
});
