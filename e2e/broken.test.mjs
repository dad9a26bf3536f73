// What breaks on the way while files are sent: the line, the network, the session, the server, a signature, a bit. Each
// upload goes on where it was, and what was sent twice is no more than what was under way when it broke.
import assert from "node:assert/strict";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { admin, folder, firstRun, kept, launch, newCase, open, row, scan, signIn, site, skip, sum } from "./house.mjs";

const MB = 1_000_000;
const SIZE = 40; // MB
const PART = 5 << 20;
const settings = { CASELOAD_PART_SIZE: String(PART), CASELOAD_DIRECT_THRESHOLD: "20MB" };

test("uploads outlive what breaks on the way", { skip, timeout: 300_000 }, async (t) => {
  const house = await site(t, { watched: true, settings });
  const { line } = house;
  const browser = await launch(t);
  const dir = folder(t);
  const first = await open(t, { ...house, browser });
  await firstRun(first.page);
  const state = await first.context.storageState();

  /** Sends a file, lets `break_` do its worst after a share of it, and looks at what has come of it. */
  const journey = (name, share, break_) =>
    t.test(name, { timeout: 120_000 }, async (t) => {
      const { page, context } = await open(t, { ...house, browser, state });
      const address = await newCase(page, name);
      const file = scan(dir, `${name.replaceAll(" ", "-")}.raw`, SIZE);
      const short = file.split("/").pop();
      const before = { passed: line.passed, lost: line.lost, puts: line.puts.length };
      const reached = line.holdAfter(share * SIZE * MB);
      const parts = watchParts(page);
      await page.setInputFiles("[data-input=files]", file);
      await reached;
      await break_({ page, context, address, file });
      await row(page, short).waitFor({ timeout: 60_000 });
      const got = await kept(page, address, short);
      assert.equal(got.rows, 1, "the file is there more than once");
      assert.equal(got.sha256, sum(file), "other bytes arrived than were sent");
      const passed = line.passed - before.passed;
      const lost = line.lost - before.lost;
      const { broken, needless, resent } = await parts(line.puts.slice(before.puts));
      const said = `${passed} bytes passed for ${SIZE} MB, ${lost} were lost, ${broken} requests broken off, ${resent} sent again by the browser itself`;
      t.diagnostic(said);
      assert.deepEqual(needless, []);
      // Whatever was under way may have arrived later than the page could ask: computers on the way hold whole parts.
      assert.ok(passed - lost <= 1.05 * SIZE * MB + (broken + resent) * PART, said);
      assert.equal(await page.evaluate(() => document.title.includes("%")), false, "the title still tells a percentage");
    });

  await journey("the line is cut in mid part", 0.4, async ({ page }) => {
    line.cut();
    line.release();
    await line.noticed();
    line.mend();
  });

  await journey("the computer loses its network", 0.4, async ({ page, context }) => {
    await context.setOffline(true);
    await page.locator('case-uploader[data-state="offline"]', { hasText: "Waiting for the network" }).waitFor();
    await context.setOffline(false);
    await page.locator('case-uploader[data-state="sending"]').waitFor();
    line.release();
  });

  await journey("the server is killed and starts again", 0.5, async ({ page }) => {
    await house.kill();
    line.release();
    await page.locator(".tray-note", { hasText: "Nothing gets through just now" }).waitFor();
    await house.again();
    await page.locator(".tray-note", { hasText: "Nothing gets through just now" }).waitFor({ state: "detached", timeout: 60_000 });
  });

  await journey("paused and resumed", 0.4, async ({ page }) => {
    await page.getByRole("button", { name: "Pause all" }).click();
    await page.locator('case-uploader[data-state="paused"]').waitFor();
    line.release();
    const before = line.puts.length;
    await page.getByRole("link", { name: "Cases" }).first().click();
    await page.waitForURL("**/cases");
    await page.goBack();
    assert.equal(line.puts.length, before, "something was sent while all was paused");
    await page.getByRole("button", { name: "Resume all" }).click();
  });

  await journey("a bit flips", 0.2, async () => {
    line.spoil(1);
    line.release();
  });

  await journey("signed out in mid upload", 0.4, async ({ page, context, address }) => {
    const cookies = await context.cookies();
    await context.clearCookies({ name: cookies.find(({ name }) => name.includes("caseload") && !/language|zone/.test(name)).name });
    line.release();
    await page.locator(".tray-note.urgent").getByRole("link", { name: "Sign in" }).waitFor();
    const opened = context.waitForEvent("page");
    await page.locator(".tray-note.urgent").getByRole("link", { name: "Sign in" }).click();
    const tab = await opened;
    await signIn(tab);
    await tab.waitForURL("**/cases"); // it tells the other tab
  });

  await journey("another organization signs in meanwhile, then a colleague", 0.4, async ({ page, context }) => {
    house.addUser("lee@lab.example", "Busan Dental Lab");
    house.addUser("colleague@clinic.example", admin.organization);
    const tab = await context.newPage();
    await tab.goto("/cases");
    await tab.getByRole("button", { name: "Sign out" }).click();
    await tab.waitForURL("**/sign-in");
    await signIn(tab, "lee@lab.example");
    await page.locator(".tray-note.urgent", { hasText: "Busan Dental Lab" }).waitFor();
    line.release();
    await tab.getByRole("button", { name: "Sign out" }).click();
    await tab.waitForURL("**/sign-in");
    await signIn(tab, "colleague@clinic.example");
    await tab.waitForURL("**/cases");
  });
});

/**
 * Watches the parts that a page sends. Resolves to the requests that ended without an answer; to the parts that were
 * sent again though the page had been told that the store holds them, or, once it had broken them off, without asking; and to
 * how many of the requests that the line saw (puts) no page had made: on a connection that breaks Chromium itself sends once more.
 */
function watchParts(page) {
  const events = [];
  const answers = [];
  const partOf = (request) => request.method() === "PUT" && new URL(request.url()).searchParams.get("partNumber");
  const question = (request) => request.method() === "GET" && /\/api\/v1\/files\/[^/]+\/parts$/.test(request.url());
  const note = (what, part) => events.push({ what, part });
  page.on("request", (request) => {
    if (partOf(request)) note("sent", partOf(request));
    if (question(request)) note("asked");
  });
  page.on("requestfailed", (request) => {
    if (partOf(request)) note(request.failure().errorText === "net::ERR_ABORTED" ? "given up" : "failed", partOf(request));
  });
  page.on("response", (response) => {
    if (!question(response.request()) || !response.ok()) return;
    const told = { what: "told", parts: [] };
    events.push(told);
    answers.push(response.json().then(({ parts }) => (told.parts = parts.map(({ number }) => String(number)))));
  });
  return async (puts) => {
    await Promise.all(answers);
    const sent = (part) => events.filter((event) => event.what === "sent" && event.part === part).length;
    const seen = puts.map(({ path }) => new URL(path, "http://line").searchParams.get("partNumber"));
    const resent = [...new Set(seen)].reduce((sum, part) => sum + Math.max(0, seen.filter((other) => other === part).length - sent(part)), 0);
    const held = new Set();
    const unasked = new Set();
    const needless = [];
    for (const { what, part, parts } of events) {
      if (what === "told") parts.forEach((part) => held.add(part));
      if (what === "asked") unasked.clear();
      if (what === "given up") unasked.add(part);
      if (what === "sent" && held.has(part)) needless.push(`part ${part}, which is held`);
      if (what === "sent" && unasked.has(part)) needless.push(`part ${part}, of which nobody asked`);
    }
    return { broken: events.filter(({ what }) => what === "given up" || what === "failed").length, needless, resent };
  };
}

test("signatures that expire while they wait are made again", { skip, timeout: 120_000 }, async (t) => {
  const house = await site(t, { watched: true, settings: { ...settings, CASELOAD_URL_EXPIRY: "1s" } });
  const { page } = await open(t, house);
  await firstRun(page);
  const address = await newCase(page, "expired");
  let slow = 3;
  house.line.before(async ({ url }) => {
    const query = new URL(url, house.origin).searchParams;
    if (query.has("X-Amz-Date") && slow-- > 0) await past(query.get("X-Amz-Date"), query.get("X-Amz-Expires"));
  });
  const file = scan(folder(t), "expired.raw", SIZE);
  await page.setInputFiles("[data-input=files]", file);
  await row(page, "expired.raw").waitFor({ timeout: 60_000 });
  assert.equal((await kept(page, address, "expired.raw")).sha256, sum(file));
  assert.ok(house.line.puts.some(({ status }) => status === 403), "no signature expired: nothing was tried");
});

test("a question that is never answered holds nothing up for long", { skip, timeout: 120_000 }, async (t) => {
  const house = await site(t, { watched: true, settings });
  const { page } = await open(t, house);
  await firstRun(page);
  const address = await newCase(page, "unanswered");
  await page.route("**/api/v1/progress", () => {}); // it is asked, and nobody answers
  const asked = page.waitForRequest("**/api/v1/progress");
  const reached = house.line.holdAfter(4 * MB);
  const file = scan(folder(t), "unanswered.raw", SIZE);
  await page.setInputFiles("[data-input=files]", file);
  await Promise.all([reached, asked]);
  house.line.release(); // what is left is to be signed, and questions go one at a time
  await row(page, "unanswered.raw").waitFor({ timeout: 60_000 });
  assert.equal((await kept(page, address, "unanswered.raw")).sha256, sum(file));
});

/** Resolves when a signature made at a moment (20261125T194402Z) has been invalid for a second. */
function past(made, seconds) {
  const iso = made.replace(/(....)(..)(..)T(..)(..)(..)Z/, "$1-$2-$3T$4:$5:$6Z");
  return new Promise((go) => setTimeout(go, Math.max(0, Date.parse(iso) + 1000 * (Number(seconds) + 1) - Date.now())));
}

test("what is cancelled in mid upload is freed in the store", { skip, timeout: 120_000 }, async (t) => {
  const house = await site(t, { watched: true, settings });
  const { page } = await open(t, house);
  await firstRun(page);
  const address = await newCase(page, "cancelled");
  const reached = house.line.holdAfter(20 * MB);
  await page.setInputFiles("[data-input=files]", scan(folder(t), "unwanted.raw", SIZE));
  await reached;
  assert.ok(held(house.cwd) >= 20 * MB, "the parts do not lie where this test looks");
  await page.getByRole("button", { name: "Cancel unwanted.raw" }).click();
  await page.locator('case-uploader[data-state="cancelled"]').waitFor();
  house.line.release();
  while (held(house.cwd) > 0) await page.waitForFunction(() => new Promise((go) => requestIdleCallback(go))); // by the sweep
  assert.equal((await kept(page, address, "unwanted.raw")).state, "abandoned");
  assert.equal(await page.evaluate(() => document.title.includes("%")), false);
});

/** Bytes of unfinished uploads in the embedded store. */
function held(cwd) {
  const parts = readdirSync(cwd, { recursive: true, withFileTypes: true }).filter((f) => f.isFile() && f.parentPath.includes("multipart"));
  return parts.reduce((bytes, { parentPath, name }) => bytes + (statSync(join(parentPath, name), { throwIfNoEntry: false })?.size ?? 0), 0);
}
