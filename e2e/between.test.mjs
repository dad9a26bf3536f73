// What may stand between browser, server and store, and answers in their place: a network that wants a sign-in, proxies
// with limits, stores that are busy, lost answers; and clocks that are wrong. Each upload ends well or with a clear line.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { folder, firstRun, kept, launch, newCase, open, row, scan, site, skip, sum } from "./house.mjs";

const MB = 1_000_000;
const SIZE = 24; // MB
const settings = { CASELOAD_PART_SIZE: "5MiB", CASELOAD_DIRECT_THRESHOLD: "20MB" };
const BYTES = 200_000; // of a small file
const page200 = { status: 200, contentType: "text/html", body: "<!DOCTYPE html><title>Welcome to our Wi-Fi</title>" };
const slowDown = { status: 503, contentType: "application/xml", body: "<?xml version='1.0'?><Error><Code>SlowDown</Code></Error>" };
const tooLarge = { status: 413, contentType: "text/html", body: "<html><h1>413 Request Entity Too Large</h1></html>" };

test("what stands between", { skip, timeout: 400_000 }, async (t) => {
  const house = await site(t, { watched: true, settings });
  const { line } = house;
  const browser = await launch(t);
  const dir = folder(t);
  const first = await open(t, { ...house, browser });
  await firstRun(first.page);
  const state = await first.context.storageState();

  /** Opens a new case in a context of its own. */
  async function desk(t, name) {
    const { page, context } = await open(t, { ...house, browser, state });
    page.on("dialog", (dialog) => dialog.accept());
    const address = await newCase(page, name);
    const put = (...files) => page.setInputFiles("[data-input=files]", files);
    const arrived = async (file) => {
      const name = file.split("/").pop();
      await row(page, name).waitFor({ timeout: 90_000 });
      const got = await kept(page, address, name);
      assert.deepEqual([got.rows, got.sha256], [1, sum(file)]);
    };
    const failed = (file, why) => page.locator('.tray-row[data-state="failed"]', { hasText: file.split("/").pop() }).filter({ hasText: why }).waitFor({ timeout: 60_000 });
    return { page, context, address, put, arrived, failed };
  }

  const large = (name) => scan(dir, `${name}.raw`, SIZE);
  const small = (name) => scan(dir, `${name}.stl`, 1);
  /** Answers the first `times` requests to addresses like these itself; how often it did. */
  async function instead(page, method, pattern, times, answer) {
    const done = { times: 0 };
    await page.route(pattern, (route) => {
      if (route.request().method() !== method || done.times >= times) return route.fallback();
      done.times++;
      return route.fulfill(answer);
    });
    return done;
  }
  await t.test("a network's own page in place of every kind of answer", async (t) => {
    const { page, put, arrived } = await desk(t, "portal");
    const tried = [];
    for (const [method, pattern] of [
      ["POST", /\/cases\/[^/]+\/files$/], // plan
      ["POST", /\/files\/[^/]+\/parts$/], // signatures
      ["PUT", /partNumber=2&/], // a part
      ["PUT", /\/files\/[^/]+\/content$/], // a small file
      ["POST", /\/files\/[^/]+\/complete$/],
    ])
      tried.push(await instead(page, method, pattern, 1, page200));
    const files = [large("portal"), small("portal")];
    await put(...files);
    for (const file of files) await arrived(file);
    assert.deepEqual(tried.map(({ times }) => times), [1, 1, 1, 1, 1], "not every kind of answer was tried");
  });

  await t.test("a store that asks to be sent less", async (t) => {
    const { page, put, arrived } = await desk(t, "busy");
    const busy = await instead(page, "PUT", /partNumber=/, 5, slowDown);
    const file = large("busy");
    await put(file);
    await arrived(file);
    assert.equal(busy.times, 5);
  });

  await t.test("a proxy that takes no parts of this size", async (t) => {
    const { page, put, arrived, failed } = await desk(t, "proxy");
    await instead(page, "PUT", /partNumber=/, Infinity, tooLarge);
    const files = [large("proxy"), small("proxy")];
    await put(...files);
    await failed(files[0], "takes no requests of this size (413)");
    await arrived(files[1]);
  });

  await t.test("the answer to a batch is lost: its files do not travel twice", async (t) => {
    const { page, arrived } = await desk(t, "batch");
    const inner = join(dir, "batch");
    mkdirSync(inner);
    const files = Array.from({ length: 8 }, (_, i) => join(inner, `slice${i}.stl`));
    files.forEach((file, i) => writeFileSync(file, Buffer.alloc(BYTES, i)));
    const asked = page.waitForRequest((r) => /\/match$/.test(r.url()) && r.postDataJSON().files?.length > 0);
    const before = line.puts.length;
    line.deafen(3); // of all that is under way: the browser itself would send once more what broke off without an answer
    await page.setInputFiles("[data-input=folder]", inner);
    await asked;
    for (const file of files) await arrived(file);
    const sent = line.puts.slice(before);
    assert.ok(sent.some(({ path }) => path.endsWith("/contents")), "they did not go as a batch");
    assert.ok(sent.reduce((sum, { bytes }) => sum + bytes, 0) < 1.1 * files.length * BYTES, JSON.stringify(sent));
  });

  await t.test("the answer to the last question is lost", async (t) => {
    const { page, put, arrived } = await desk(t, "lost");
    let lost = false;
    await page.route(/\/complete$/, async (route) => {
      if (lost) return route.fallback();
      lost = true;
      await route.fetch(); // the server completes it
      await route.abort("connectionreset");
    });
    const file = large("lost");
    await put(file);
    await arrived(file);
    await page.locator('case-uploader[data-state="done"]').waitFor();
  });

  await t.test("the network goes when all that is left is the last question", async (t) => {
    const { page, context, put, arrived } = await desk(t, "offline");
    let off = false;
    await page.route(/\/complete$/, async (route) => {
      if (off) return route.fallback();
      off = true;
      await context.setOffline(true);
      await route.abort("internetdisconnected");
    });
    const file = large("offline");
    await put(file);
    await page.locator('case-uploader[data-state="offline"]').waitFor({ timeout: 60_000 });
    await context.setOffline(false);
    await arrived(file);
  });

  for (const [which, days] of [["behind", -1], ["ahead", 1]])
    await t.test(`the computer's clock is a day ${which}`, async (t) => {
      const { page, put, arrived } = await desk(t, `clock ${which}`);
      await page.clock.setSystemTime(Date.now() + days * 86_400_000);
      const file = large(`clock-${which}`);
      await put(file);
      await arrived(file);
      assert.equal(Math.round(((await page.evaluate(() => Date.now())) - Date.now()) / 86_400_000), days);
    });

  await t.test("the case is deleted while a file is sent into it", async (t) => {
    const { page, address, put, failed } = await desk(t, "deleted");
    const file = large("deleted");
    const reached = line.holdAfter(10 * MB);
    await put(file);
    await reached;
    await first.page.goto(address);
    const status = await first.page.evaluate(async () => (await fetch(`/api/v1${location.pathname}`, { method: "DELETE" })).status);
    assert.equal(status, 204);
    line.release();
    await failed(file, /deleted|not found|not there/i);
  });

  await t.test("a file is replaced by another of its size while it is sent", async (t) => {
    const { page, address, put, failed } = await desk(t, "replaced");
    const file = large("replaced");
    const reached = line.holdAfter(10 * MB);
    await put(file);
    await reached;
    scan(dir, "replaced.raw", SIZE);
    line.release();
    await failed(file, "changed on your computer");
    await put(file);
    await row(page, "replaced.raw").waitFor({ timeout: 90_000 });
    assert.equal((await kept(page, address, "replaced.raw")).sha256, sum(file));
  });
});
