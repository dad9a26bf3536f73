// Before sending: what falls on a case is read in the browser, shown, and goes out by itself; somebody else's images are
// asked about, and what is wrong is said while the rest goes on. CASELOAD_SCREENSHOTS=folder keeps pictures.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { document as pdf, mesh, photo, slice } from "../ui/test/browser/samples.mjs";
import { firstRun, folder, newCase, open, row, site, skip } from "./house.mjs";

const axe = skip ? "" : readFileSync(new URL("../ui/node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
const pictures = process.env.CASELOAD_SCREENSHOTS;
const desk = { width: 1440, height: 900 };
const phone = { width: 390, height: 844 };

const upload = (name, buffer) => ({ name, mimeType: "application/octet-stream", buffer });

/** Slices of one series; missing: numbers left out. */
function series(count, { missing = [], ...options } = {}) {
  const files = [];
  for (let number = 1; number <= count; number++) {
    if (!missing.includes(number)) {
      files.push(upload(`${options.patient ?? ""}${options.series ?? 1}-${number}.dcm`, slice({ number, ...options })));
    }
  }
  return files;
}

const choose = (page, files) => page.setInputFiles("[data-input=files]", files);
const panel = (page) => page.locator("case-preflight");
const phase = (page, name) => page.locator(`case-preflight .pre[data-phase=${name}]`).waitFor();
const rows = (page) => page.locator("li.file").count();

/** Looks at the page on a desk and a phone, light and dark: accessible, no wider than the window. */
async function look(page, name) {
  if (pictures) await mkdir(pictures, { recursive: true });
  for (const [size, viewport] of Object.entries({ desk, phone })) {
    await page.setViewportSize(viewport);
    for (const colorScheme of pictures ? ["light", "dark"] : [size === "desk" ? "light" : "dark"]) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => globalThis.axe.run("case-preflight"));
      assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target)}`), [], `${name} ${size} ${colorScheme}`);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.equal(wide, 0, `${name} ${size} is wider than the window`);
      if (pictures) await page.screenshot({ path: join(pictures, `preflight-${name}-${size}-${colorScheme}.png`) });
    }
  }
  await page.setViewportSize(desk);
  await page.emulateMedia({ colorScheme: "light" });
}

test("what is dropped is read before it is sent", { skip, timeout: 300_000 }, async (t) => {
  const house = await site(t, { settings: { CASELOAD_MAX_FILE_SIZE: "1000000" } });
  const { page, context, faults } = await open(t, house);
  await firstRun(page);

  await t.test("a folder goes out by itself; gaps, junk and other files are told", async () => {
    await newCase(page, "Kim Minji, implant 26");
    const drop = folder(t);
    await mkdir(join(drop, "CBCT"), { recursive: true });
    const files = [
      ...series(40, { missing: [13, 14, 15] }),
      ...series(12, { series: 2, description: "Scout <b>lateral</b>" }),
      upload("jaw.stl", mesh()), upload("face.jpg", photo()), upload("letter.pdf", pdf()),
      upload("Thumbs.db", Buffer.from("junk")), upload("empty.dcm", Buffer.alloc(0)),
    ];
    for (const { name, buffer } of files) await writeFile(join(drop, "CBCT", name), buffer);
    await page.setInputFiles("[data-input=folder]", join(drop, "CBCT"));
    await panel(page).getByText("1 patient, 1 study, 2 series, 49 images, 1 STL, 1 photo, 1 PDF").waitFor();
    await page.waitForFunction(() => document.querySelectorAll("li.file[data-state=ready]").length === 52 || document.querySelector(".group-head"), undefined, { timeout: 60_000 });
    await phase(page, "over");
    const said = await panel(page).innerText();
    assert.match(said, /slices 13–15 missing in series 1/);
    assert.match(said, /3 slices are missing: 13–15/);
    assert.match(said, /1 system file was left out/);
    assert.match(said, /1 file is empty and was not sent: CBCT\/empty\.dcm/);
    assert.match(said, /Scout <b>lateral<\/b>/);
    await look(page, "normal");
    await page.getByRole("link", { name: "Cases" }).first().click();
    await page.getByRole("heading", { level: 1, name: "Cases" }).waitFor();
    await page.goBack();
    await panel(page).getByText("slices 13–15 missing in series 1").waitFor();
    await panel(page).getByRole("button", { name: "Close" }).click();
    await panel(page).waitFor({ state: "hidden" });
  });

  await t.test("another patient than the case's is asked about, and nothing is sent before", async () => {
    await newCase(page, "Park Seojun");
    await choose(page, series(10));
    await phase(page, "asking");
    await panel(page).getByRole("alert").getByText("These images are of Kim, Minji. This case is of Park Seojun. Nothing has been sent yet.").waitFor();
    assert.equal(await rows(page), 0);
    await look(page, "other");
    await page.getByRole("link", { name: "Cases" }).first().click();
    await page.getByRole("region", { name: "Sending" }).getByRole("link", { name: /Answer in case/ }).click();
    await phase(page, "asking");
    await panel(page).getByRole("button", { name: "Leave out" }).click();
    await phase(page, "over");
    await panel(page).getByText("left out").first().waitFor();
    assert.equal(await rows(page), 0);
    await choose(page, series(3));
    await phase(page, "asking");
    await panel(page).getByRole("button", { name: "Send all" }).click();
    await phase(page, "over");
    await row(page, "1-3.dcm").waitFor();
    await choose(page, series(4, { series: 2 })); // those in the case count before what is written on it
    await row(page, "2-4.dcm").waitFor();
  });

  await t.test("of several patients the case's own is proposed", async () => {
    await newCase(page, "Lee Haneul");
    await choose(page, [
      ...series(6, { patient: "Lee^Haneul", study: 3 }),
      ...series(5, { patient: "Choi^Jihoon", study: 4, series: 2, description: "Mandible" }),
    ]);
    await phase(page, "asking");
    assert.equal(await panel(page).getByRole("checkbox", { name: "Choi, Jihoon" }).isChecked(), false);
    await look(page, "several");
    await panel(page).getByRole("button", { name: "Send what is ticked" }).click();
    await phase(page, "over");
    await row(page, "Lee^Haneul1-6.dcm").waitFor();
    assert.equal(await rows(page), 6);
  });

  await t.test("what the case has received already is marked, and not sent again", async () => {
    await newCase(page, "");
    const [first, scout] = [series(5), series(3, { series: 2, description: "Scout" })];
    await choose(page, first);
    await row(page, "1-5.dcm").waitFor();
    await page.reload();
    await page.waitForFunction(() => document.querySelectorAll("li.file[data-state=ready]").length === 5);
    const bodies = [];
    page.on("request", (request) => request.method() === "PUT" && bodies.push(request.url()));
    await choose(page, first);
    await phase(page, "over");
    await panel(page).getByRole("button", { name: "Details" }).click();
    await panel(page).getByText("already received", { exact: true }).first().waitFor();
    await panel(page).getByRole("button", { name: "Close" }).click();
    assert.equal(await panel(page).locator(".pre").count(), 0);
    assert.deepEqual([await rows(page), bodies], [5, []], "bytes of what is there were sent");
    await choose(page, [...first, ...scout]);
    await row(page, "2-3.dcm").waitFor();
    await phase(page, "over");
    await panel(page).getByRole("button", { name: "Details" }).click();
    await panel(page).getByText("already received", { exact: true }).first().waitFor();
    await panel(page).getByText("received", { exact: true }).first().waitFor();
    assert.equal(await rows(page), 8);
    await look(page, "already");
  });

  await t.test("a series is left out while it is being sent", async () => {
    await newCase(page, "");
    let release;
    const held = new Promise((resolve) => (release = resolve));
    await page.route("**/api/v1/cases/*/files", async (route) => {
      if (route.request().method() === "POST") await held;
      await route.continue();
    });
    await choose(page, [...series(5), ...series(4, { series: 2, description: "Scout" })]);
    await panel(page).getByRole("checkbox", { name: /Scout/ }).uncheck();
    release();
    await row(page, "1-5.dcm").waitFor();
    await phase(page, "over");
    await page.unroute("**/api/v1/cases/*/files");
    assert.equal(await row(page, "2-1.dcm").count(), 0);
  });

  await t.test("bad input is named, and the rest goes on", async () => {
    await newCase(page, "");
    const patient = "<script>harm()</script>^<b>x";
    await choose(page, [
      upload("broken.zip", Buffer.from("PK\x03\x04 this is no archive")),
      upload("large.raw", Buffer.alloc(1_000_001)),
      upload("<img src=x onerror=window.harm=1>.dcm", slice({ number: 1, patient })),
      upload("polyglot.dcm", Buffer.concat([Buffer.from("#!/bin/sh\n".padEnd(128)), slice({ number: 2, patient }).subarray(128)])),
      upload("lengths.dcm", Buffer.concat([slice({ number: 3, patient }).subarray(0, 500), Buffer.alloc(60_000, 0xff)])),
    ]);
    await phase(page, "over");
    const said = await panel(page).innerText();
    assert.match(said, /broken\.zip[^]*Damaged, as far as can be seen here\. It is sent all the same/);
    assert.match(said, /1 file is over the limit of 1\.0 MB and was not sent: large\.raw/);
    assert.match(said, /<script>harm\(\)<\/script>, <b>x/);
    await page.locator("li.file a.row-link", { hasText: "broken.zip" }).waitFor();
    assert.equal(await page.locator('a.row-link:text("large.raw")').count(), 0);
    assert.equal(await page.evaluate(() => window.harm), undefined);
    await look(page, "bad");
    await choose(page, [upload("Thumbs.db", Buffer.from("junk"))]);
    await panel(page).getByText("There was no file in what you dropped.").waitFor();
  });

  await t.test("forty series stay usable by the keyboard", async () => {
    await newCase(page, "Kim Minji");
    let release;
    const held = new Promise((resolve) => (release = resolve)); // sent, the panel folds
    await page.route("**/api/v1/cases/*/files", async (route) => {
      if (route.request().method() === "POST") await held;
      await route.continue();
    });
    await choose(page, Array.from({ length: 40 }, (_, i) => series(3, { series: i + 1, description: `Series ${i + 1}` })).flat());
    await panel(page).getByText("40 series, 120 images").waitFor();
    await look(page, "forty");
    const last = panel(page).getByRole("checkbox", { name: "40. CT · Series 40" });
    await last.focus();
    await page.keyboard.press("Space");
    assert.equal(await last.isChecked(), false);
    await page.getByRole("region", { name: "Sending" }).getByRole("button", { name: "Cancel all" }).click();
    release();
    await page.unrouteAll({ behavior: "wait" });
    await phase(page, "over");
  });

  await t.test("all is cancelled while a folder is still being read: the rest stays behind, and can be ticked again", async () => {
    await newCase(page, "Kim Minji");
    await page.evaluate(() => { // the last twenty are not read before the test says so
      const post = Worker.prototype.postMessage;
      window.held = [];
      Worker.prototype.postMessage = function (question, ...rest) {
        const late = Number(/-(\d+)\.dcm$/.exec(question?.blob?.name ?? "")?.[1]) > 20;
        if (late && window.held) window.held.push(() => post.call(this, question, ...rest));
        else post.call(this, question, ...rest);
      };
    });
    let release;
    const held = new Promise((resolve) => (release = resolve)); // what is sent stays on its way
    let plans = 0;
    await page.route("**/api/v1/cases/*/files", async (route) => {
      if (route.request().method() === "POST" && ++plans) await held;
      await route.continue();
    });
    await choose(page, series(40, { patient: "Kim^Minji" }));
    await phase(page, "reading");
    await page.getByRole("region", { name: "Sending" }).getByRole("button", { name: "Cancel all" }).click();
    const late = await page.evaluate(() => window.held.splice(0).map((go) => go()).length);
    assert.ok(late > 0, "everything had been read before it was cancelled");
    await phase(page, "over");
    release();
    await page.evaluate(() => (window.held = undefined));
    await page.unrouteAll({ behavior: "wait" });
    assert.equal(plans, 1, "something was planned after everything was cancelled");
    const totals = () => page.evaluate(() => document.querySelector("case-uploader").engine.totals);
    assert.deepEqual([(await totals()).live, (await totals()).done], [0, 0]);
    await panel(page).getByRole("button", { name: "Details" }).click();
    const box = panel(page).getByRole("checkbox").first();
    assert.equal(await box.isChecked(), false);
    await box.check();
    await panel(page).getByText("received", { exact: true }).first().waitFor();
    assert.equal((await totals()).done, 40);
  });

  await t.test("in Korean", async () => {
    await newCase(page, "박서준");
    await context.addCookies([{ name: "caseload-language", value: "ko", url: house.origin }]);
    await page.reload();
    await choose(page, [...series(30, { missing: [7] }), upload("jaw.stl", mesh())]);
    await phase(page, "over");
    await panel(page).getByText("시리즈 1에서 슬라이스 7 누락").waitFor();
    await panel(page).getByRole("button", { name: "자세히" }).click();
    await look(page, "korean");
  });

  const cancelled = "409 (Conflict)"; // what was on its way when it was cancelled
  assert.deepEqual(faults.filter((fault) => !fault.includes(cancelled)), [], "the pages reported errors");
});
