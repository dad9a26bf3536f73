// The header of an image is searched as one types; a file is replaced on its page. Both pages pass axe, wide and narrow,
// light and dark, in English and Korean.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { admin, files, firstRun, folder, newCase, open, row, site, skip } from "./house.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

test("header search as one types, and replacing a file", { skip, timeout: 240_000 }, async (t) => {
  const made = files(t);
  const dir = folder(t);
  const house = await site(t);
  const { page } = await open(t, house);
  await page.goto("/");
  await firstRun(page);
  await newCase(page, "김민수");
  await page.setInputFiles("[data-input=files]", ["small.zip", "lower.stl"].map(made));
  for (const name of ["small.zip", "lower.stl"]) await row(page, name).waitFor({ timeout: 60_000 });

  await page.locator("table.series a[href^='/instances/']").first().click();
  await page.waitForURL("**/instances/*");
  const header = new URL(page.url()).pathname;
  const shown = () => page.locator("table.header tbody tr:not([hidden])").count();
  const all = await shown();
  assert.ok(all > 10, `${all} lines`);
  await page.locator("#find").pressSequentially("patient name");
  assert.equal(await shown(), 1);
  await page.fill("#find", "00100010");
  assert.equal(await shown(), 1);
  assert.match(await page.locator("[data-told]").textContent(), /^1 /);
  await page.fill("#find", "");
  assert.equal(await shown(), all);

  await page.goBack();
  await row(page, "lower.stl").locator("a.row-link").click();
  await page.waitForURL("**/files/*");
  const corrected = join(dir, "lower corrected.stl");
  writeFileSync(corrected, "solid x\nfacet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 1 0 0\nvertex 0 1 0\nendloop\nendfacet\nendsolid\n");
  await page.locator("file-replace button").waitFor(); // people see it, after the live fragment came, too
  await page.setInputFiles("file-replace input", corrected);
  await page.locator(".notice", { hasText: "older version" }).waitFor({ timeout: 60_000 });
  await page.locator(".notice a").click();
  await page.locator("h1", { hasText: "lower corrected" }).waitFor();
  await page.locator("#versions tbody tr").nth(1).waitFor();
  const file = new URL(page.url()).pathname;

  for (const look of [{}, { dark: true }, { mobile: true }, { mobile: true, dark: true }, { language: "ko-KR" }]) {
    const { page } = await open(t, { ...house, ...look });
    await page.goto("/sign-in");
    await page.fill("[name=email]", admin.email);
    await page.fill("[name=password]", admin.password);
    await page.click("main form button.primary");
    await page.waitForURL("**/cases");
    for (const path of [header, file]) {
      await page.goto(path);
      if (path === file) await page.locator("file-replace button").waitFor();
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
      const serious = violations.filter((v) => v.impact === "serious" || v.impact === "critical").map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(" ")).slice(0, 3)}`);
      assert.deepEqual(serious, [], `${path} ${JSON.stringify(look)}`);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(wide <= 0, `${path} scrolls sideways by ${wide} px (${JSON.stringify(look)})`);
      if (process.env.CASELOAD_TEST_SHOTS) await page.screenshot({ path: join(process.env.CASELOAD_TEST_SHOTS, `${path.split("/")[1]}-${JSON.stringify(look).replace(/\W+/g, "")}.png`) });
    }
  }
});
