// What the browser keeps so that an upload goes on with one click: the handles of what a person really dropped or chose.
// They are gone once all has arrived, and when the person signs out.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import { drop, firstRun, folder, handlesKept, kept, newCase, open, openProfile, row, scan, signIn, site, skip, sum, until } from "./house.mjs";
import { sendFromHandle, sumOfHandle } from "./handle.mjs";

const MB = 1_000_000;
const SIZE = 50; // MB
const settings = { CASELOAD_PART_SIZE: "5MiB", CASELOAD_DIRECT_THRESHOLD: "20MB" };

test("handles of what was dropped or chosen last until it has arrived", { skip, timeout: 300_000 }, async (t) => {
  const house = await site(t, { watched: true, settings });
  const { line } = house;
  const dir = folder(t);
  const { page, context } = await open(t, house);
  await firstRun(page);
  page.on("dialog", (dialog) => dialog.accept()); // leaving while sending asks

  /** Begins to send a file in the way given, until some of it has arrived and a handle lies in the browser's storage. */
  async function begin(name, send) {
    const address = await newCase(page, name);
    const inner = join(dir, name, "upper");
    mkdirSync(inner, { recursive: true });
    const file = scan(inner, `${name}.raw`, SIZE);
    const before = { passed: line.passed, lost: line.lost };
    const reached = line.holdAfter(0.4 * SIZE * MB);
    await send(file);
    await reached;
    await handlesKept(page, 1);
    return { address, file, name: basename(file), before };
  }

  /** Reloads the page in the middle, and goes on with one click. */
  async function reloadAndGoOn(name, send) {
    const sent = await begin(name, send);
    await page.reload();
    line.release();
    await page.locator("case-uploader", { hasText: "1 upload unfinished" }).getByRole("button", { name: "Go on" }).click();
    await row(page, sent.name).waitFor({ timeout: 90_000 });
    const got = await kept(page, sent.address, sent.name);
    assert.deepEqual([got.rows, got.sha256], [1, sum(sent.file)]);
    const net = line.passed - sent.before.passed - (line.lost - sent.before.lost);
    assert.ok(net <= 1.05 * SIZE * MB, `${net} bytes arrived in all`);
    await handlesKept(page, 0); // nothing is kept of what has arrived
  }

  await t.test("a file that was dropped", () => reloadAndGoOn("dropped", (file) => drop(page, context, file)));

  await t.test("a folder that was dropped", () => reloadAndGoOn("folder", () => drop(page, context, join(dir, "folder"))));

  await t.test("a file that was chosen", () =>
    reloadAndGoOn("chosen", async (file) => {
      await page.evaluate(choosing); // headless Chromium shows nobody its window for choosing: this drop answers it
      await drop(page, context, file);
      await page.waitForFunction(() => globalThis.choice);
      await page.click("[data-choose=files]");
    }));

  await t.test("a file that is dropped once more after a reload", async () => {
    const sent = await begin("twice", (file) => drop(page, context, file));
    const root = await page.evaluate(rootOfFile);
    await page.reload();
    await page.locator("case-uploader", { hasText: "1 upload unfinished" }).waitFor();
    await drop(page, context, sent.file);
    await until(async () => (await page.evaluate(rootOfFile)) !== root); // it is kept by what was dropped last
    await handlesKept(page, 1);
    line.release();
    await row(page, sent.name).waitFor({ timeout: 90_000 });
    assert.equal((await kept(page, sent.address, sent.name)).rows, 1);
    await handlesKept(page, 0);
  });

  await t.test("who cancels or signs out leaves none", async () => {
    await begin("cancelled", (file) => drop(page, context, file));
    await page.getByRole("button", { name: "Cancel all" }).click();
    line.release();
    await handlesKept(page, 0);
    await begin("signed out", (file) => drop(page, context, file));
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.waitForURL("**/sign-in");
    line.release();
    await handlesKept(page, 0);
  });
});

test("the next day, in a browser that was closed, one click goes on", { skip, timeout: 300_000 }, async (t) => {
  const house = await site(t, { watched: true, settings });
  const { line } = house;
  const profile = folder(t);
  let { page, context } = await openProfile(t, house, profile);
  await firstRun(page);

  /** Sends 40 % of something, closes the browser, and opens the case in it again. */
  async function untilTomorrow(patient, send) {
    const address = await newCase(page, patient);
    const before = { passed: line.passed, lost: line.lost };
    const reached = line.holdAfter(0.4 * SIZE * MB);
    await send();
    await reached;
    await handlesKept(page, 1);
    await context.close();
    line.release();
    ({ page, context } = await openProfile(t, house, profile));
    await page.goto(address);
    if (page.url() !== address) await signIn(page); // a session may end with the browser
    await page.waitForURL(address);
    const tray = page.locator("case-uploader", { hasText: "1 upload unfinished" });
    return { address, before, tray, goOn: tray.getByRole("button", { name: "Go on" }) };
  }

  await t.test("with a file that pages may read", async () => {
    const sent = await untilTomorrow("tomorrow", () => page.evaluate(sendFromHandle, SIZE * MB));
    await sent.goOn.click();
    await row(page, "handle.raw").waitFor({ timeout: 90_000 });
    const got = await kept(page, sent.address, "handle.raw");
    assert.deepEqual([got.rows, got.sha256], [1, await page.evaluate(sumOfHandle)]);
    const net = line.passed - sent.before.passed - (line.lost - sent.before.lost);
    assert.ok(net <= 1.05 * SIZE * MB, `${net} bytes arrived in all`);
    await handlesKept(page, 0);
  });

  for (const leave of ["granted", "denied"])
    await t.test(`with a file that was dropped, when the person's leave is ${leave}`, async () => {
      const file = scan(folder(t), `${leave}.raw`, SIZE);
      const sent = await untilTomorrow(leave, () => drop(page, context, file));
      await page.evaluate(answering, leave); // headless Chromium shows nobody its question (decision 094)
      await page.setInputFiles("#leave", file);
      await sent.goOn.click();
      if (leave === "denied") {
        await page.locator("case-uploader", { hasText: "Some files could not be opened again. Drop them here to go on." }).waitFor();
        await page.setInputFiles("[data-input=files]", file);
      }
      await row(page, `${leave}.raw`).waitFor({ timeout: 90_000 });
      assert.deepEqual(await page.evaluate(() => globalThis.asked), [{ name: `${leave}.raw`, mode: "read", before: "prompt" }]);
      const got = await kept(page, sent.address, `${leave}.raw`);
      assert.deepEqual([got.rows, got.sha256], [1, sum(file)]);
      const net = line.passed - sent.before.passed - (line.lost - sent.before.lost);
      assert.ok(net <= 1.05 * SIZE * MB, `${net} bytes arrived in all`);
      await handlesKept(page, 0);
    });
});

/** In the page: the key of what the one file was dropped with. */
async function rootOfFile() {
  const open = indexedDB.open("caseload-handles");
  const database = await new Promise((resolve) => (open.onsuccess = () => resolve(open.result)));
  const all = database.transaction("files").objectStore("files").getAll();
  await new Promise((resolve) => (all.onsuccess = resolve));
  database.close();
  return all.result[0].root;
}

/** In the page: the person answers the browser's question, whether a file may be read again. What is then read lies in #leave. */
function answering(leave) {
  const input = Object.assign(document.createElement("input"), { type: "file", id: "leave", hidden: true });
  document.body.append(input);
  globalThis.asked = [];
  FileSystemHandle.prototype.requestPermission = async function ({ mode }) {
    globalThis.asked.push({ name: this.name, mode, before: await this.queryPermission({ mode }) });
    if (leave === "granted") this.getFile = async () => input.files[0];
    return leave;
  };
}

/** In the page: the next drop is not the page's; it is what the person chooses in the window for files. */
function choosing() {
  const take = async (event) => {
    event.preventDefault();
    event.stopImmediatePropagation();
    globalThis.choice = await event.dataTransfer.items[0].getAsFileSystemHandle();
  };
  addEventListener("drop", take, { capture: true, once: true });
  globalThis.showOpenFilePicker = async () => [globalThis.choice];
}
