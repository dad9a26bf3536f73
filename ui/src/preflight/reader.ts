// The worker that looks at files: several at a time, because most of the time is spent waiting for slices.
import { fastest } from "../hasher.js";
import { FINGERPRINT } from "../plan.js";
import { look, type Look } from "./look.js";

/** A file to look at, or the wish to give up all that are left. */
export type Question = { id: number; blob: Blob } | { stop: number };

export type Answer = { id: number; look: Look } | { id: number; error: string };

const stops = new Map<number, AbortController>();
const hasher = fastest();

/** Looks at a file; its first MiB, of a slice all, is read once for what it says and for what tells it from others. */
async function read(blob: Blob, signal: AbortSignal): Promise<Look> {
  const first = blob.size <= FINGERPRINT ? blob : blob.slice(0, FINGERPRINT);
  const bytes = new Uint8Array(await first.arrayBuffer());
  const crc = await hasher;
  crc.init();
  crc.update(bytes);
  const fingerprint = crc.base64(); // nothing was awaited meanwhile: the hasher is shared
  return { ...(await look(blob, signal, undefined, bytes)), fingerprint };
}

self.onmessage = (event: MessageEvent<Question>) => {
  const question = event.data;
  if ("stop" in question) {
    stops.get(question.stop)?.abort();
    return;
  }
  const { id, blob } = question;
  const stop = new AbortController();
  stops.set(id, stop);
  read(blob, stop.signal)
    .then((found) => self.postMessage({ id, look: found } satisfies Answer))
    .catch((error: unknown) => self.postMessage({ id, error: String(error) } satisfies Answer))
    .finally(() => stops.delete(id));
};
