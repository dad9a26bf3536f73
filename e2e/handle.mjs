// In the page: a file with a handle. Headless Chromium has nobody to ask for leave, so it lies where pages need none.

/** Makes one of random bytes and begins to send it into the page's case. */
export async function sendFromHandle(size) {
  const root = await navigator.storage.getDirectory();
  const handle = await root.getFileHandle("handle.raw", { create: true });
  const out = await handle.createWritable();
  for (let at = 0; at < size; at += 60_000) await out.write(crypto.getRandomValues(new Uint8Array(60_000)));
  await out.close();
  const file = await handle.getFile();
  const source = {
    name: file.name, path: "", size: file.size, type: "", modified: file.lastModified, handle,
    slice: (start, end) => file.slice(start, end),
  };
  document.querySelector("case-uploader").engine.add(location.pathname.split("/").pop(), [source]);
}

/** Its SHA-256. */
export async function sumOfHandle() {
  const handle = await (await navigator.storage.getDirectory()).getFileHandle("handle.raw");
  const digest = await crypto.subtle.digest("SHA-256", await (await handle.getFile()).arrayBuffer());
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
