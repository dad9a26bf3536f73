// Uploads that were interrupted: the page reloaded, the browser killed, another tab, another computer, a file that changed
// meanwhile. Only what is missing is sent, and never are two files spliced into one.
import assert from "node:assert/strict";
import { closeSync, openSync, statSync, utimesSync, writeSync } from "node:fs";
import { basename } from "node:path";
import { test } from "node:test";
import { sendFromHandle, sumOfHandle } from "./handle.mjs";
import { coverable, firstRun, folder, handlesKept, kept, launch, launchMortal, newCase, open, row, scan, signIn, site, skip, sum } from "./house.mjs";

const MB = 1_000_000;
const SIZE = 50; // MB
const settings = { CASELOAD_PART_SIZE: "5MiB", CASELOAD_DIRECT_THRESHOLD: "20MB" };

test("an interrupted upload goes on where it was", { skip, timeout: 400_000 }, async (t) => {
  const house = await site(t, { watched: true, settings });
  const { line } = house;
  const browser = await launch(t);
  const dir = folder(t);
  const first = await open(t, { ...house, browser });
  await firstRun(first.page);
  const state = await first.context.storageState();

  /** Begins to send a file, and resolves once a share of it has arrived and nothing more passes. */
  async function begin(page, name, share) {
    const address = await newCase(page, name);
    const file = scan(dir, `${name}.raw`, SIZE);
    const reached = line.holdAfter(share * SIZE * MB);
    const before = { passed: line.passed, lost: line.lost };
    await page.setInputFiles("[data-input=files]", file);
    await reached;
    return { address, file, name: basename(file), before };
  }

  /** What has passed since, in all and without what was lost. */
  const since = ({ passed, lost }) => ({ passed: line.passed - passed, net: line.passed - passed - (line.lost - lost) });

  /** Waits for the file on its case's page and looks at its bytes. */
  async function arrived(page, { address, file, name }) {
    await row(page, name).waitFor({ timeout: 90_000 });
    const got = await kept(page, address, name);
    assert.equal(got.sha256, sum(file), "other bytes arrived than were sent");
    return got;
  }

  await t.test("the page is reloaded at 40 %", async (t) => {
    const { page } = await open(t, { ...house, browser, state });
    page.on("dialog", (dialog) => dialog.accept()); // leaving while sending asks
    const sent = await begin(page, "reloaded", 0.4);
    await page.reload();
    line.release();
    await page.locator("case-uploader", { hasText: "1 upload unfinished" }).waitFor();
    const afterwards = { passed: line.passed, lost: line.lost };
    await page.setInputFiles("[data-input=files]", sent.file);
    const got = await arrived(page, sent);
    assert.equal(got.rows, 1);
    assert.ok(since(afterwards).passed < 0.65 * SIZE * MB, `${since(afterwards).passed} bytes were sent after the reload`);
    assert.ok(since(sent.before).net <= 1.05 * SIZE * MB, `${since(sent.before).net} bytes arrived in all`);
    t.diagnostic(`${(since(afterwards).passed / MB).toFixed(1)} of ${SIZE} MB after the reload, ${(since(sent.before).passed / MB).toFixed(1)} MB in all`);
  });

  await t.test("the browser is killed at 70 %, and another computer goes on", async (t) => {
    const mortal = await launchMortal(t);
    const { page } = await open(t, { ...house, browser: mortal.browser, state });
    const sent = await begin(page, "killed", 0.7);
    await mortal.kill();
    line.release();
    const other = await open(t, { ...house, browser });
    await other.page.goto(sent.address);
    await signIn(other.page);
    await other.page.waitForURL(sent.address);
    await other.page.locator("case-uploader", { hasText: "1 upload unfinished" }).waitFor();
    const afterwards = { passed: line.passed, lost: line.lost };
    await other.page.setInputFiles("[data-input=files]", sent.file);
    const got = await arrived(other.page, sent);
    assert.equal(got.rows, 1);
    assert.ok(since(afterwards).passed < 0.35 * SIZE * MB, `${since(afterwards).passed} bytes were sent by the other computer`);
    assert.ok(since(sent.before).net <= 1.05 * SIZE * MB, `${since(sent.before).net} bytes arrived in all`);
  });

  await t.test("a file that changed meanwhile is another upload", async (t) => {
    const { page } = await open(t, { ...house, browser, state });
    page.on("dialog", (dialog) => dialog.accept());
    const sent = await begin(page, "changed", 0.4);
    await page.reload();
    line.release();
    change(sent.file, 100);
    const parts = new Set();
    page.on("request", (r) => r.method() === "PUT" && parts.add(new URL(r.url()).searchParams.get("partNumber")));
    await page.setInputFiles("[data-input=files]", sent.file);
    await arrived(page, sent);
    assert.equal(parts.size, 10, "parts of the file as it was before were used");
  });

  await t.test("a file that changed and does not look it is not spliced", async (t) => {
    const { page } = await open(t, { ...house, browser, state });
    page.on("dialog", (dialog) => dialog.accept());
    const sent = await begin(page, "disguised", 0.4);
    await page.reload();
    line.release();
    const { atime, mtime } = statSync(sent.file);
    change(sent.file, 6 * MB); // beyond what the fingerprint covers, in a part that has arrived
    utimesSync(sent.file, atime, mtime);
    await page.setInputFiles("[data-input=files]", sent.file);
    assert.equal((await arrived(page, sent)).rows, 1);
  });

  await t.test("two tabs do not send the same file twice, and one takes over from the other", async (t) => {
    const { page, context } = await open(t, { ...house, browser, state });
    await context.addInitScript(coverable);
    const sent = await begin(page, "twice", 0.2);
    await page.evaluate(() => globalThis.cover(true));
    const second = await context.newPage();
    await second.goto(sent.address);
    await second.setInputFiles("[data-input=files]", sent.file);
    await second.locator('case-uploader[data-state="elsewhere"]').waitFor();
    const reached = line.holdAfter(0.3 * SIZE * MB);
    line.release();
    await reached;
    await page.close(); // without being asked: the tab crashed
    line.release();
    const got = await arrived(second, sent);
    assert.equal(got.rows, 1);
    assert.ok(since(sent.before).net <= 1.05 * SIZE * MB, `${since(sent.before).net} bytes arrived in all`);
  });

  await t.test("a tab that shows the case offers to go on once the one that was sending is gone", async (t) => {
    const { page, context } = await open(t, { ...house, browser, state });
    const sent = await begin(page, "orphaned", 0.3);
    const second = await context.newPage();
    const looked = second.waitForResponse((r) => r.url().endsWith("state=unfinished"));
    await second.goto(sent.address);
    await looked;
    assert.ok(await second.locator("case-uploader").isHidden(), "what another tab sends was called unfinished");
    await page.close(); // without being asked: the tab crashed
    line.release();
    await second.locator("case-uploader", { hasText: "1 upload unfinished" }).waitFor();
    await second.setInputFiles("[data-input=files]", sent.file);
    assert.equal((await arrived(second, sent)).rows, 1);
    assert.ok(since(sent.before).net <= 1.05 * SIZE * MB, `${since(sent.before).net} bytes arrived in all`);
  });

  await t.test("where the browser keeps handles, one click goes on after a reload", async (t) => {
    const { page } = await open(t, { ...house, browser, state });
    page.on("dialog", (dialog) => dialog.accept());
    const address = await newCase(page, "one click");
    const reached = line.holdAfter(0.4 * SIZE * MB);
    const before = { passed: line.passed, lost: line.lost };
    await page.evaluate(sendFromHandle, SIZE * MB);
    await reached;
    await handlesKept(page, 1);
    await page.reload();
    line.release();
    await page.locator("case-uploader", { hasText: "1 upload unfinished" }).getByRole("button", { name: "Go on" }).click();
    await row(page, "handle.raw").waitFor({ timeout: 90_000 });
    const got = await kept(page, address, "handle.raw");
    assert.equal(got.rows, 1);
    assert.equal(got.sha256, await page.evaluate(sumOfHandle));
    assert.ok(since(before).net <= 1.05 * SIZE * MB, `${since(before).net} bytes arrived in all`);
    await handlesKept(page, 0); // nothing is kept of what has arrived
  });
});

/** Changes one byte of a file. */
function change(path, at) {
  const file = openSync(path, "r+");
  writeSync(file, Buffer.from("!"), 0, 1, at);
  closeSync(file);
}
