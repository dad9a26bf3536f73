// Fetches a mesh from the store and reads it, beside the page, which stays alive meanwhile and can end it.
import { MOST, surface, Unshown, type Kind, type Surface } from "./surface.js";

export interface Question {
  address: string; // signed, of the store
  kind: Kind;
  size: number; // bytes
}

/** loaded: bytes so far. */
export type Answer = { loaded: number } | { surface: Surface } | { error: "large" | "damaged" | "unreached" };

self.onmessage = (event: MessageEvent<Question>) => {
  read(event.data).then(
    (found) => {
      const buffers = [found.positions, found.index, found.colours].flatMap((a) =>
        a ? [a.buffer as ArrayBuffer] : [],
      );
      self.postMessage({ surface: found } satisfies Answer, { transfer: buffers });
    },
    (error: unknown) =>
      self.postMessage({ error: error instanceof Unshown ? error.code : "unreached" } satisfies Answer),
  );
};

async function read({ address, kind, size }: Question): Promise<Surface> {
  if (size > MOST.binary) throw new Unshown("large");
  const response = await fetch(address);
  if (!response.ok || !response.body) throw new Error(`answered ${response.status}`);
  const data = new Uint8Array(size);
  let at = 0;
  for (const reader = response.body.getReader(); ;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (at + value.length > size) throw new Error("another size");
    data.set(value, at);
    at += value.length;
    self.postMessage({ loaded: at } satisfies Answer);
  }
  if (at !== size) throw new Error("another size");
  return surface(kind, data.buffer);
}
