// Browsers open six connections to one host over HTTP/1.1, for all tabs together. Two tabs that send and listen would fill
// them, and every click would wait until a part has ended. Tabs share five by Web Locks: a transfer to the page's host
// holds one, and so does a live stream; the sixth is for the page and its questions (docs/decisions/050-connections.md).
import { stopped } from "./contract.js";

const SHARED = 5;
/** Of these, live streams hold the first three at most: transfers always find one. */
const STREAMS = 3;

/** Resolves to a release when the caller may use a connection; rejects when the signal is aborted before. */
export type Connection = (signal: AbortSignal) => Promise<() => void>;

/** What transfers and live streams of this tab ask for; undefined where nothing is to be shared or tabs cannot. */
export interface Connections {
  transfer: Connection;
  stream: Connection;
}

export function connections(manager: LockManager | undefined): Connections | undefined {
  if (!manager || manyAtOnce()) return undefined;
  return shared(manager);
}

/** Whether the page came over HTTP/2 or 3, where requests share one connection. */
export function manyAtOnce(): boolean {
  const [page] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
  return ["h2", "h3"].includes(page?.nextHopProtocol ?? "");
}

export function shared(manager: Pick<LockManager, "request">): Connections {
  const names = Array.from({ length: SHARED }, (_, i) => `caseload-connection-${i + 1}`);
  return {
    transfer: (signal) => oneOf(manager, [...names].reverse(), signal),
    stream: (signal) => oneOf(manager, names.slice(0, STREAMS), signal),
  };
}

/** Holds the first of the names that is free. */
function oneOf(manager: Pick<LockManager, "request">, names: string[], signal: AbortSignal): Promise<() => void> {
  return new Promise((resolve, reject) => {
    const waiting = new AbortController();
    const give = () => (waiting.abort(), reject(stopped()));
    if (signal.aborted) return give();
    signal.addEventListener("abort", give, { once: true });
    const take = () => {
      if (waiting.signal.aborted) return undefined; // another name was free at the same time
      waiting.abort();
      signal.removeEventListener("abort", give);
      return new Promise<void>((release) => resolve(release));
    };
    for (const name of names) manager.request(name, { signal: waiting.signal }, take).catch(() => {}); // no longer wanted
  });
}
