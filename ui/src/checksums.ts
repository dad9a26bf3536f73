// Checksums in workers: two, so that the next part is ready while one is being read. A worker that fails or falls silent is
// replaced, and what it was asked is asked again: the stream of a file has been seen to stop for good.
import type { Checksum, Clock } from "./contract.js";
import { realClock } from "./wait.js";
import type { Answer, Question } from "./worker.js";

const WORKERS = 2;
/** Milliseconds between two looks at a worker, and without a sign of life until it is replaced: slow disks have bad moments. */
const LOOK = 5_000;
const SILENT = 30_000;
/** Workers that are tried for one question. */
const TRIED_AT_MOST = 5;

/** What is used of a Worker. */
export type Thread = Pick<Worker, "onmessage" | "onerror" | "postMessage" | "terminate">;

interface Asked extends Question {
  tries: number;
  resolve(crc: string): void;
  reject(error: Error): void;
}

interface Place {
  thread: Thread;
  asked: Map<number, Asked>;
  heard: number; // when it last gave a sign of life, or was asked something while idle
  watched: boolean;
}

const worker = (address: URL): Thread => new Worker(address, { type: "module" });

/** start: loads the workers, so that they are there when something is to be read. */
export function workerChecksum(
  address: URL,
  make = worker,
  clock: Clock = realClock,
): { checksum: Checksum; start(): void } {
  const places: Place[] = [];
  let id = 0;

  const another = (): Place => {
    const place: Place = { thread: make(address), asked: new Map(), heard: 0, watched: false };
    place.thread.onmessage = ({ data }: MessageEvent<Answer>) => {
      place.heard = clock.now();
      const asked = place.asked.get(data.id);
      if (!asked || "alive" in data) return;
      place.asked.delete(data.id);
      if ("crc" in data) asked.resolve(data.crc);
      else asked.reject(Object.assign(new Error("the file could not be read"), { name: data.error }));
    };
    place.thread.onerror = () => replace(place);
    places.push(place);
    return place;
  };

  const ask = (asked: Asked): void => {
    const idle = places.find((place) => place.asked.size === 0);
    const place =
      idle ?? (places.length < WORKERS ? another() : places.reduce((a, b) => (b.asked.size < a.asked.size ? b : a)));
    if (place.asked.size === 0) place.heard = clock.now();
    place.asked.set(asked.id, asked);
    place.thread.postMessage({ id: asked.id, blob: asked.blob } satisfies Question);
    void watch(place);
  };

  /** Looks at a worker for as long as it has something to do. */
  const watch = async (place: Place): Promise<void> => {
    if (place.watched) return;
    place.watched = true;
    while (place.asked.size > 0) {
      await clock.sleep(LOOK);
      if (place.asked.size > 0 && clock.now() - place.heard >= SILENT) replace(place);
    }
    place.watched = false;
  };

  const replace = (place: Place): void => {
    place.thread.terminate();
    places.splice(places.indexOf(place), 1);
    const left = [...place.asked.values()];
    place.asked.clear();
    for (const asked of left) {
      if (++asked.tries < TRIED_AT_MOST) ask(asked);
      else asked.reject(new Error("the checksum worker failed"));
    }
  };

  return {
    checksum: (blob) => new Promise((resolve, reject) => ask({ id: ++id, blob, tries: 0, resolve, reject })),
    start: () => {
      while (places.length < WORKERS) another();
    },
  };
}
