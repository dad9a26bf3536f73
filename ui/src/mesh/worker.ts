// Fetches a mesh and reads it, beside the page, which stays alive meanwhile and can end it.
import { contentOf } from "../stored.js";
import { MOST, surface, Unshown, type Kind, type Surface } from "./surface.js";

export interface Question {
  file: string; // id
  kind: Kind;
  size: number; // bytes
}

/** loaded: bytes so far. relayed: they come through the server, and begin again. */
export type Answer =
  { loaded: number } | { relayed: true } | { surface: Surface } | { error: "large" | "damaged" | "unreached" };

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

async function read({ file, kind, size }: Question): Promise<Surface> {
  if (size > MOST.binary) throw new Unshown("large");
  const data = await contentOf(file, size, {
    loaded: (loaded) => self.postMessage({ loaded } satisfies Answer),
    relayed: () => self.postMessage({ relayed: true } satisfies Answer),
  });
  return surface(kind, data.buffer);
}
