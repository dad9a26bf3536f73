// The stock Uppy plugin, as npm has it, against the real program: in one piece and in parts, interrupted in every way, in
// its current version and its older ones.
import assert from "node:assert/strict";
import { test } from "node:test";
import { bundle, documented, frontDoor } from "./frontdoor.mjs";
import { download, firstRun, folder, newCase, open, row, scan, site, skip, sum, until } from "./house.mjs";

const MiB = 1 << 20;
const options = { skip, timeout: 180_000 };

// world is a signed-in person on a page with Uppy, at an address shared with Caseload.
async function world(t, { separate = false, major = 6, script } = {}) {
  const door = await frontDoor(t);
  const house = await site(t, { separate, origins: door.origin });
  door.to(house.origin);
  const at = { ...house, origin: door.origin };
  const { page, faults } = await open(t, at);
  await firstRun(page);
  const address = await newCase(page, "김민수");
  const id = address.split("/").at(-1);
  const made = await bundle(script ?? start(major), major);
  door.pages["/app"] = `<!doctype html><title>App</title><link rel="icon" href="data:,"><style>${made.style}</style>
    <body data-case="${id}"><div id="files"></div><script>${made.script}</script>`;
  await page.goto("/app");
  return { door, house, page, faults, address, id, storePath: separate ? "/separate-bucket" : "/caseload-files" };
}

// start is a page's script that makes Uppy with the options of a test and tells how each file ended.
const start = (major) => `
  import Uppy from "@uppy/core";
  import AwsS3 from "@uppy/aws-s3";
  ${major === 6 ? 'import GoldenRetriever from "@uppy/golden-retriever"; import "@uppy/dashboard";' : ""}
  window.make = ({ chunk, multipart, size, retriever, target = document.body.dataset.case, ...more } = {}) => {
    const uppy = new Uppy({ id: "test" });
    if (retriever) uppy.use(${major === 6 ? "GoldenRetriever" : "null"});
    const endpoint = "/companion/cases/" + target;
    uppy.use(AwsS3, {
      ${{ 6: "companionEndpoint: endpoint", 5: "endpoint", 4: "endpoint", 3: "companionUrl: endpoint" }[major]},
      ...(multipart !== undefined && { shouldUseMultipart: multipart }), ...(chunk && { getChunkSize: () => chunk }), ...more,
    });
    if (size) uppy.on("file-added", (file) => uppy.setFileMeta(file.id, { size: file.data.size }));
    window.ended = {};
    uppy.on("upload-success", (file, response) => (window.ended[file.name] = { ok: true, at: response.uploadURL }));
    uppy.on("upload-error", (file, error) => (window.ended[file.name] = { ok: false, error: error.message }));
    return (window.uppy = uppy);
  };
  // bytes differ from part to part, so that one in another's place would show
  window.bytes = (n, seed) => {
    const b = new Uint32Array(Math.ceil(n / 4));
    for (let i = 0, x = seed; i < b.length; i++) b[i] = x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    return new Uint8Array(b.buffer, 0, n);
  };
  window.add = async (name, n, seed = 7) => {
    const data = window.bytes(n, seed);
    window.uppy.addFile({ name, type: "application/octet-stream", data: new Blob([data]) });
    if (!crypto.subtle) return "";
    return [...new Uint8Array(await crypto.subtle.digest("SHA-256", data))].map((x) => x.toString(16).padStart(2, "0")).join("");
  };
`;

const make = (page, opts) => page.evaluate((o) => void window.make(o), opts);
const add = (page, name, n, seed) => page.evaluate(([name, n, seed]) => window.add(name, n, seed), [name, n, seed]);
const go = (page) => page.evaluate(() => void window.uppy.upload().catch(() => {}));
const ended = async (page, name) => {
  await page.waitForFunction((name) => window.ended[name], name, { timeout: 60_000 });
  return page.evaluate((name) => window.ended[name], name);
};
const isPart = (n) => (method, url) => method === "PUT" && url.includes(`partNumber=${n}&`);
const asked = (door, method, pattern) => door.seen.filter((s) => s.method === method && pattern.test(s.url));

// arrived looks at the case as a person does: the file is there, under its name, with its bytes.
async function arrived(page, address, name, digest) {
  await page.goto(address);
  await row(page, name).waitFor({ timeout: 60_000 });
  const got = await download(page, name);
  assert.equal(got.name, name);
  assert.equal(got.sum, digest, `${name} came back with other bytes`);
}

test("the documented lines send two files, one by its Korean name", options, async (t) => {
  const { page, address, door, faults } = await world(t, { script: `${documented()}; window.uppy = uppy;` });
  const dir = folder(t);
  const paths = [scan(dir, "임대석 사진.jpg", 2), scan(dir, "slice.dcm", 1)];
  await page.locator("#files input[type=file]").first().setInputFiles(paths);
  await page.locator("button.uppy-StatusBar-actionBtn--upload").click();
  await page.waitForFunction(() => window.uppy.getFiles().length === 2 && window.uppy.getFiles().every((f) => f.progress.uploadComplete));
  assert.equal(asked(door, "POST", /^\/caseload-files\/?$/).length, 2, "each file is one form to the store");
  await arrived(page, address, "임대석 사진.jpg", sum(paths[0]));
  await arrived(page, address, "slice.dcm", sum(paths[1]));
  assert.deepEqual(faults, []);
});

for (const separate of [false, true]) {
  const where = separate ? "a separate store" : "the embedded store";
  test(`a file goes in one piece to ${where}`, options, async (t) => {
    const { page, address } = await world(t, { separate });
    await make(page, {});
    const digest = await add(page, "one.bin", 3 * MiB + 17);
    await go(page);
    assert.equal((await ended(page, "one.bin")).ok, true);
    await arrived(page, address, "one.bin", digest);
  });

  test(`a file goes in parts to ${where}, paused and resumed on the way`, options, async (t) => {
    const { page, address, door, faults } = await world(t, { separate });
    await make(page, { multipart: true, chunk: 5 * MiB, size: true });
    const digest = await add(page, "parts.bin", 11 * MiB + 5);
    const second = door.hold((method, url) => method === "GET" && /\/multipart\/[^/]+\/2\?/.test(url));
    await go(page);
    await second.reached;
    await page.evaluate(() => window.uppy.pauseAll());
    second.letGo();
    await page.evaluate(() => window.uppy.resumeAll());
    const end = await ended(page, "parts.bin");
    assert.equal(end.ok, true, end.error);
    assert.match(end.at, new RegExp(`^${door.origin}/files/[0-9a-v]{26}$`), "the upload's address is the file's page");
    assert.equal(asked(door, "GET", /\/multipart\/[^/]+\/1\?/).length, 1, "the first part was sent again");
    assert.ok(asked(door, "GET", /\/multipart\/[^/?]+\?key=/).length >= 1, "resumed without asking for the parts");
    await arrived(page, address, "parts.bin", digest);
    assert.deepEqual(faults.filter((f) => !/abort/i.test(f)), []);
  });
}

test("101 MiB at the plugin's defaults: twenty-one parts, and the pages tell how far it is", options, async (t) => {
  const { page, address, door } = await world(t);
  await make(page, { size: true });
  const digest = await add(page, "large.bin", 101 * MiB);
  const late = door.hold((method, url) => method === "GET" && /\/multipart\/[^/]+\/18\?/.test(url));
  await go(page);
  await late.reached;
  const onlooker = await page.context().newPage();
  await onlooker.goto(address);
  assert.match(await row(onlooker, "large.bin", "sending").innerText(), /sending 7\d\s?%/, "16 of 21 parts are there");
  late.letGo();
  assert.equal((await ended(page, "large.bin")).ok, true);
  assert.equal(asked(door, "PUT", /partNumber=/).length, 21);
  await arrived(page, address, "large.bin", digest);
});

test("a 503 of the store is tried again; many are a person's to retry, and only what is missing is sent", options, async (t) => {
  const { page, address, door } = await world(t);
  await make(page, { multipart: true, chunk: 5 * MiB });
  const digest = await add(page, "retry.bin", 11 * MiB);
  let left = 1;
  door.rule = (method, url) => (isPart(1)(method, url) && left-- > 0 ? 503 : isPart(2)(method, url) && left > -100 ? 503 : undefined);
  await go(page);
  assert.equal((await ended(page, "retry.bin")).ok, false);
  assert.equal(asked(door, "PUT", /partNumber=1&/).map((s) => s.status).join(), "503,200", "the first part was tried again by itself");
  door.rule = () => undefined;
  await page.evaluate(() => (window.ended = {}));
  await page.evaluate(() => void window.uppy.retryAll());
  const end = await ended(page, "retry.bin");
  assert.equal(end.ok, true, end.error);
  assert.equal(asked(door, "PUT", /partNumber=1&/).length, 2, "what the store held was sent again");
  await arrived(page, address, "retry.bin", digest);
});

test("Golden Retriever goes on after a reload, even when the page told us that it gives up", options, async (t) => {
  const { page, address, door, id } = await world(t);
  await make(page, { multipart: true, chunk: 5 * MiB, size: true, retriever: true });
  const digest = await add(page, "golden.bin", 9 * MiB); // its IndexedDB takes up to 10 MiB a file
  const second = door.hold((method, url) => method === "GET" && /\/multipart\/[^/]+\/2\?/.test(url));
  await go(page);
  await second.reached;
  const upload = await page.evaluate(() => window.uppy.getFiles()[0].s3Multipart);
  await until(() => page.evaluate(remembered, upload));
  // what the plugin sends when it is uninstalled while a page is left
  const said = await page.evaluate(async ([id, upload]) => (await fetch(`/companion/cases/${id}/s3/multipart/${upload.uploadId}?key=${upload.key}`, { method: "DELETE" })).status, [id, upload]);
  assert.equal(said, 200);
  await page.goto("about:blank");
  second.letGo();
  await page.goto("/app");
  await make(page, { multipart: true, chunk: 5 * MiB, size: true, retriever: true });
  await page.waitForFunction(() => window.uppy.getFiles()[0]?.isRestored && window.uppy.getState().recoveredState, undefined, { timeout: 20_000 });
  assert.deepEqual(await page.evaluate(() => window.uppy.getFiles()[0].s3Multipart), upload, "the upload was not remembered");
  await page.evaluate(() => window.uppy.emit("restore-confirmed"));
  const end = await ended(page, "golden.bin");
  assert.equal(end.ok, true, end.error);
  assert.equal(asked(door, "PUT", /partNumber=1&/).length, 1, "the first part was sent again");
  assert.equal(asked(door, "POST", /\/s3\/multipart$/).length, 1, "a second upload was begun");
  await arrived(page, address, "golden.bin", digest);
});

// remembered tells, in the page, whether Golden Retriever has written down all that it reads after a reload: the file's
// bytes, the batch, and the file with this very upload. It writes the upload up to half a second after it was begun.
async function remembered(upload) {
  const db = await new Promise((resolve, reject) => {
    const r = indexedDB.open("uppy-blobs");
    r.onsuccess = () => resolve(r.result);
    r.onerror = () => reject(r.error);
  });
  const all = (store) => new Promise((resolve, reject) => {
    const r = db.transaction(store).objectStore(store).getAll();
    r.onsuccess = () => resolve(r.result);
    r.onerror = () => reject(r.error);
  });
  const [blobs, states] = [await all("files"), await all("metadata")];
  db.close();
  const { id, size } = window.uppy.getFiles()[0];
  const state = JSON.parse(states.find((s) => s.id === window.uppy.getID())?.metadata ?? "{}");
  const kept = state.files?.[id]?.s3Multipart;
  return (
    blobs.some((b) => b.fileID === id && b.data.size === size) &&
    Object.values(state.currentUploads ?? {}).some((u) => u.fileIDs.includes(id)) &&
    kept !== undefined && kept.key === upload.key && kept.uploadId === upload.uploadId
  );
}

test("cancelling ends the upload; the case still tells of it", options, async (t) => {
  const { page, address, door } = await world(t);
  await make(page, { multipart: true, chunk: 5 * MiB });
  await add(page, "cancel.bin", 11 * MiB);
  const second = door.hold((method, url) => method === "GET" && /\/multipart\/[^/]+\/2\?/.test(url));
  await go(page);
  await second.reached;
  await page.evaluate(() => window.uppy.cancelAll());
  await page.waitForFunction(() => window.uppy.getFiles().length === 0);
  second.letGo();
  await until(() => asked(door, "DELETE", /\/multipart\//).some((s) => s.status === 200));
  assert.equal(asked(door, "PUT", /partNumber=2&/).length, 0);
  await page.goto(address);
  await row(page, "cancel.bin", "sending").waitFor();
});

for (const major of [6, 5, 4, 3]) {
  test(`version ${major} shows why a case cannot be sent to`, options, async (t) => {
    const { page } = await world(t, { major });
    for (const multipart of [true, false]) {
      await make(page, { multipart, target: "0000000000000000000000000a" });
      await add(page, "lost.bin", 6 * MiB);
      await go(page);
      const end = await ended(page, "lost.bin");
      assert.equal(end.ok, false);
      assert.match(end.error, major === 6 ? /Not Found/ : /There is no such case|Could not (POST|GET)/);
    }
  });
}

for (const major of [5, 4, 3]) {
  test(`version ${major} sends in parts and in one piece`, options, async (t) => {
    const { page, address, door } = await world(t, { major });
    await make(page, { multipart: true, chunk: 5 * MiB });
    const parts = await add(page, "parts.bin", 11 * MiB + 1);
    await go(page);
    let end = await ended(page, "parts.bin");
    assert.equal(end.ok, true, end.error);
    assert.equal(asked(door, "PUT", /partNumber=/).length, 3);
    await make(page, { multipart: false });
    const one = await add(page, "one.bin", MiB, 9);
    await go(page);
    end = await ended(page, "one.bin");
    assert.equal(end.ok, true, end.error);
    await arrived(page, address, "parts.bin", parts);
    await arrived(page, address, "one.bin", one);
  });
}

test("parts signed by batch, as versions before 3 ask for them, are taken from version 3", options, async (t) => {
  const script = `${start(3)}
    window.batched = 0;
    const ask = async (path) => (window.batched++, (await fetch("/companion/cases/" + document.body.dataset.case + "/s3/multipart/" + path)).json());
    window.makeBatched = () => window.make({ multipart: true, chunk: 5 * 1024 * 1024, prepareUploadParts: (file, { uploadId, key, parts }) =>
      ask(encodeURIComponent(uploadId) + "/batch?key=" + encodeURIComponent(key) + "&partNumbers=" + parts.map((p) => p.number).join(",")) });`;
  const { page, address, door } = await world(t, { major: 3, script });
  await page.evaluate(() => void window.makeBatched());
  const digest = await add(page, "batch.bin", 11 * MiB);
  await go(page);
  const end = await ended(page, "batch.bin");
  assert.equal(end.ok, true, end.error);
  assert.equal(asked(door, "GET", /\/batch\?/).length, 3);
  await arrived(page, address, "batch.bin", digest);
});

