// The worker that looks at files: several at a time, because most of the time is spent waiting for slices.
import { look, type Look } from "./look.js";

/** A file to look at, or the wish to give up all that are left. */
export type Question = { id: number; blob: Blob } | { stop: number };

export type Answer = { id: number; look: Look } | { id: number; error: string };

const stops = new Map<number, AbortController>();

self.onmessage = (event: MessageEvent<Question>) => {
  const question = event.data;
  if ("stop" in question) {
    stops.get(question.stop)?.abort();
    return;
  }
  const { id, blob } = question;
  const stop = new AbortController();
  stops.set(id, stop);
  look(blob, stop.signal)
    .then((found) => self.postMessage({ id, look: found } satisfies Answer))
    .catch((error: unknown) => self.postMessage({ id, error: String(error) } satisfies Answer))
    .finally(() => stops.delete(id));
};
