// Checksums in workers: two, so that the next part is ready while one is being read.
import type { Checksum } from "./contract.js";
import type { Answer, Question } from "./worker.js";

const WORKERS = 2;

interface Waiting {
  resolve(crc: string): void;
  reject(error: Error): void;
}

/** start: loads the workers, so that they are there when something is to be read. */
export function workerChecksum(address: URL): { checksum: Checksum; start(): void } {
  const workers: { worker: Worker; waiting: Map<number, Waiting> }[] = [];
  let id = 0;
  const another = () => {
    const worker = new Worker(address, { type: "module" });
    const waiting = new Map<number, Waiting>();
    worker.onmessage = (event: MessageEvent<Answer>) => {
      const answer = event.data;
      const asked = waiting.get(answer.id);
      waiting.delete(answer.id);
      if ("crc" in answer) asked?.resolve(answer.crc);
      else asked?.reject(Object.assign(new Error("the file could not be read"), { name: answer.error }));
    };
    worker.onerror = () => {
      for (const { reject } of waiting.values()) reject(new Error("the checksum worker failed"));
      waiting.clear();
    };
    const entry = { worker, waiting };
    workers.push(entry);
    return entry;
  };
  const checksum: Checksum = (blob) =>
    new Promise((resolve, reject) => {
      const idle = workers.find(({ waiting }) => waiting.size === 0);
      const entry =
        idle ??
        (workers.length < WORKERS ? another() : workers.reduce((a, b) => (b.waiting.size < a.waiting.size ? b : a)));
      entry.waiting.set(++id, { resolve, reject });
      entry.worker.postMessage({ id, blob } satisfies Question);
    });
  return {
    checksum,
    start: () => {
      while (workers.length < WORKERS) another();
    },
  };
}
