// The bytes of a stored file, to be looked at in the page: from the store by a signed link; or, where this browser does not reach
// the store, through the server (docs/decisions/084-looking-through-the-server.md). It runs in pages and in workers.

/** Milliseconds until the store must have begun to answer, and between two pieces of its answer. */
const SILENCE = 10_000;

/** What is told meanwhile. */
export interface Told {
  /** So many bytes are here; it begins at 0 again when the way changes. */
  loaded(bytes: number): void;
  /** The store is not reached from here: the server sends the file. */
  relayed(): void;
}

/** All bytes of the file, exactly size of them. It throws when it may not be had, or neither way leads to it. */
export async function contentOf(file: string, size: number, told: Told): Promise<Uint8Array<ArrayBuffer>> {
  const answer = await fetch(`/api/v1/files/${file}/link`, { credentials: "same-origin" });
  if (!answer.ok) throw new Error(`answered ${answer.status}`);
  const { url } = (await answer.json()) as { url: string };
  try {
    return await whole(url, { credentials: "omit" }, size, told);
  } catch (error) {
    if (new URL(url, location.href).origin === location.origin) throw error; // the server is the store
  }
  told.relayed();
  const bytes = await whole(`/api/v1/files/${file}/relay`, { credentials: "same-origin" }, size, told);
  await report(new URL(url).origin).catch(() => {}); // for administrators; not needed here
  return bytes;
}

/** One answer of size bytes that never stands still. */
async function whole(address: string, how: RequestInit, size: number, told: Told): Promise<Uint8Array<ArrayBuffer>> {
  const broken = new AbortController();
  let still = setTimeout(() => broken.abort(), SILENCE);
  const moved = () => {
    clearTimeout(still);
    still = setTimeout(() => broken.abort(), SILENCE);
  };
  try {
    const response = await fetch(address, { ...how, signal: broken.signal });
    if (!response.ok || !response.body) throw new Error(`answered ${response.status}`);
    const data = new Uint8Array(size);
    let at = 0;
    for (const reader = response.body.getReader(); ;) {
      const { done, value } = await reader.read();
      if (done) break;
      if (at + value.length > size) throw new Error("another size");
      data.set(value, at);
      at += value.length;
      moved();
      told.loaded(at);
    }
    if (at !== size) throw new Error("another size");
    return data;
  } finally {
    clearTimeout(still);
    broken.abort(); // what is left of an answer that was too long
  }
}

/** Tells the server that its store was not reached from here, as the uploader does (relay.ts). */
async function report(store: string): Promise<void> {
  const soon = AbortSignal.timeout(SILENCE);
  const answers = await fetch(store, { mode: "no-cors", cache: "no-store", signal: soon }).then(
    () => true,
    () => false,
  );
  await fetch("/api/v1/store-reports", {
    method: "POST",
    credentials: "same-origin",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({
      code: answers ? "STORE-CORS" : "STORE-UNREACHABLE",
      detail: "a file could not be fetched to be looked at",
    }),
  });
}
