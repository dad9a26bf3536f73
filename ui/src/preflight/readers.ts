// The pool of workers that look at files, with a bounded number of files under way.
import type { Look } from "./look.js";
import type { Answer, Question } from "./reader.js";

/** The file itself cannot be read: it is gone, locked, or not permitted. */
export class Unreadable extends Error {}

/** Looks at a file; rejects with Unreadable, or otherwise when nobody could look. */
export type Reader = (blob: Blob, signal: AbortSignal) => Promise<Look>;

/** Files one worker looks at together: they wait for slices most of the time. */
const TOGETHER = 12;
const WORKERS_AT_MOST = 4;

interface Waiting {
  blob: Blob;
  signal: AbortSignal;
  resolve(look: Look): void;
  reject(error: Error): void;
}

interface Place {
  worker: Worker;
  asked: Map<number, Waiting>;
}

/** start: loads the first worker, so that it is there when something is to be looked at. */
export function workerReader(
  address: URL,
  cores = navigator.hardwareConcurrency || 2,
): { reader: Reader; start(): void } {
  const places: Place[] = [];
  const queue: Waiting[] = [];
  const heard = new WeakSet<AbortSignal>(); // of whole drops: a listener for each of their files would be thousands
  const most = Math.max(1, Math.min(WORKERS_AT_MOST, cores));
  let ids = 0;

  const another = (): Place => {
    const place: Place = { worker: new Worker(address, { type: "module" }), asked: new Map() };
    place.worker.onmessage = ({ data }: MessageEvent<Answer>) => {
      const waiting = place.asked.get(data.id);
      place.asked.delete(data.id);
      if ("look" in data) waiting?.resolve(data.look);
      else waiting?.reject(new Unreadable(data.error));
      pump();
    };
    place.worker.onerror = () => {
      places.splice(places.indexOf(place), 1);
      place.worker.terminate();
      for (const { reject } of place.asked.values()) reject(new Error("the reading worker failed"));
      pump();
    };
    places.push(place);
    return place;
  };

  const pump = (): void => {
    while (queue.length > 0) {
      let place = places.find(({ asked }) => asked.size === 0);
      if (!place && places.length < most) place = another();
      place ??= places.reduce((a, b) => (b.asked.size < a.asked.size ? b : a));
      if (place.asked.size >= TOGETHER) return;
      const waiting = queue.shift()!;
      if (waiting.signal.aborted) {
        waiting.reject(new Error("given up"));
        continue;
      }
      const id = ++ids;
      place.asked.set(id, waiting);
      place.worker.postMessage({ id, blob: waiting.blob } satisfies Question);
    }
  };

  const stop = (signal: AbortSignal): void => {
    for (const { worker, asked } of places)
      for (const [id, waiting] of asked)
        if (waiting.signal === signal) worker.postMessage({ stop: id } satisfies Question);
  };

  const reader: Reader = (blob, signal) =>
    new Promise((resolve, reject) => {
      if (!heard.has(signal)) signal.addEventListener("abort", () => stop(signal), { once: true });
      heard.add(signal);
      queue.push({ blob, signal, resolve, reject });
      pump();
    });
  return { reader, start: () => void (places.length > 0 || another()) };
}
