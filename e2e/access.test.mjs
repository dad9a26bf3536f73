// No page has a serious accessibility finding, light or dark, wide or narrow, in English or Korean.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";
import { admin, files, firstRun, newCase, open, row, site, skip } from "./house.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

test("axe finds nothing serious on any page", { skip, timeout: 400_000 }, async (t) => {
  const made = files(t);
  const house = await site(t);
  const first = await open(t, house);
  await first.page.goto("/");
  await check(first.page, "first run");
  await firstRun(first.page);
  const empty = await newCase(first.page, "Empty");
  const left = await newCase(first.page, "Unfinished");
  await first.page.evaluate(leave, new URL(left).pathname.split("/")[2]);
  const full = await newCase(first.page, "김민수");
  await first.page.setInputFiles("[data-input=files]", ["small.zip", "lower.stl", "photo.jpg"].map(made));
  for (const name of ["small.zip", "lower.stl", "photo.jpg"]) await row(first.page, name).waitFor({ timeout: 60_000 });
  await check(first.page, "case with the tray open");
  const file = await row(first.page, "small.zip").locator("a.row-link").getAttribute("href");
  const drop = await first.page.evaluate(async (file) => (await (await fetch(`/api/v1${file}`)).json()).drop, file);
  await first.page.goto(left);
  await first.page.locator("#unfinished", { hasText: "left lying" }).waitFor({ timeout: 60_000 }); // half a minute after the last sign of life
  await first.page.goto("/cases");
  await first.page.locator(".notice", { hasText: "STORE-CORS" }).waitFor();

  for (const look of [{}, { dark: true }, { mobile: true }, { mobile: true, dark: true }, { language: "ko-KR" }]) {
    const { page } = await open(t, { ...house, ...look });
    await page.goto("/sign-in");
    await check(page, "sign-in", look);
    await page.fill("[name=email]", admin.email);
    await page.fill("[name=password]", admin.password);
    await page.click("main form button.primary");
    await page.waitForURL("**/cases");
    for (const path of ["/cases", empty, full, left, file, `${file}/receipt`, `/drops/${drop}/receipt`, "/storage", "/users", "/tokens", "/account", "/nothing-here"]) {
      await page.goto(path);
      await check(page, path, look);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(wide <= 0, `${path} scrolls sideways by ${wide} px (${JSON.stringify(look)})`);
    }
  }
});

/** Leaves uploads unfinished in a case, a folder's and a single one, and reports a store out of reach. */
async function leave(id) {
  const ask = (path, body) =>
    fetch(`/api/v1${path}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  const slices = [1, 2, 3, 4, 5].map((n) => ({ name: `IM${n}`, path: "scan", size: 1000 }));
  const planned = await ask(`/cases/${id}/files`, { files: [...slices, { name: "left lying.zip", size: 50_000_000 }] });
  const reported = await ask("/store-reports", { code: "STORE-CORS", detail: "it answers, but not to this page", case: id });
  if (!planned.ok || !reported.ok) throw new Error(`answered ${planned.status} and ${reported.status}`);
}

async function check(page, what, look = {}) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  const serious = violations
    .filter((v) => v.impact === "serious" || v.impact === "critical")
    .map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(" ")).slice(0, 3).join(", ")}`);
  assert.deepEqual(serious, [], `${what} ${JSON.stringify(look)}`);
}
