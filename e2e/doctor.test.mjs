// The page Doctor: examined at a click, results as they come, worst first, and what only the browser can tell.
// It reads in Korean, goes by keyboard, and axe finds nothing serious on it, on a desk and a phone.
// CASELOAD_SCREENSHOTS=folder keeps the page on a desk and a phone, light and dark, in both languages.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { firstRun, open, site, skip } from "./house.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const shots = process.env.CASELOAD_SCREENSHOTS;

test("a sound deployment is told to be one", { skip, timeout: 120_000 }, async (t) => {
  const house = await site(t);
  const { page, faults } = await open(t, house);
  await firstRun(page);
  await page.getByRole("link", { name: "Doctor" }).click();
  await page.locator(".finding", { hasText: "at this page's own address" }).waitFor();
  await page.getByRole("button", { name: "Examine now" }).click();
  await page.locator("#verdict", { hasText: "Everything works." }).waitFor({ timeout: 60_000 });
  assert.equal(await page.locator("#findings .finding[data-level=warning], #findings .finding[data-level=failure]").count(), 0);
  assert.ok((await page.locator("#findings .finding").count()) > 10);
  await keep(page, house, "sound");
  assert.deepEqual(faults, []);
});

test("what is wrong stands first, with its fix", { skip, timeout: 300_000 }, async (t) => {
  const house = await site(t, { separate: true, origins: "http://elsewhere.example", watched: true });
  const { page } = await open(t, house);
  await firstRun(page);
  await page.goto("/doctor");
  await page.locator(".finding[data-level=failure]", { hasText: "STORE-CORS" }).waitFor();
  await page.getByRole("button", { name: "Examine now" }).focus();
  await page.keyboard.press("Enter");
  await page.locator("#verdict", { hasText: "Something does not work." }).waitFor({ timeout: 60_000 });
  const first = page.locator("#findings .exam").first();
  assert.equal(await first.getAttribute("data-level"), "failure");
  assert.match((await first.textContent()) ?? "", /CORS/);
  await page.locator("#findings .paste button", { hasText: "Copy" }).first().waitFor();
  const said = (await page.textContent("main")) ?? "";
  for (const secret of ["test-secret", "X-Amz-Signature="]) assert.ok(!said.includes(secret), secret);
  await keep(page, house, "broken");

  const folded = page.locator("#findings details").first();
  await folded.locator("summary").focus();
  await page.keyboard.press("Enter");
  assert.equal(await folded.getAttribute("open"), "", "the keyboard does not open what is folded away");
  await page.keyboard.press("Tab");
  assert.ok(await page.evaluate(() => document.activeElement !== document.body), "the keyboard is lost");

  for (const look of [{}, { colorScheme: "dark" }, { width: 390 }, { width: 390, colorScheme: "dark" }, { language: "ko" }]) {
    await page.context().addCookies([{ name: "caseload-language", value: look.language ?? "en", url: house.origin }]);
    await page.setViewportSize({ width: look.width ?? 1280, height: 844 });
    await page.emulateMedia({ colorScheme: look.colorScheme ?? "light" });
    await page.reload();
    await page.locator("doctor-browser .finding").nth(2).waitFor();
    for (const summary of await page.locator("#findings summary").all()) await summary.click();
    await accessible(page, JSON.stringify(look));
  }
  // In Korean only what the store itself answered is English.
  const english = await page.locator("#findings [lang=en]").allTextContents();
  assert.deepEqual(english.filter((text) => !/^\d{3}( |$)/.test(text)), []);
});

async function accessible(page, look) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  const serious = violations
    .filter((v) => v.impact === "serious" || v.impact === "critical")
    .map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(" ")).slice(0, 3).join(", ")}`);
  assert.deepEqual(serious, [], look);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(wide <= 0, `scrolls sideways by ${wide} px: ${look}`);
}

async function keep(page, house, name) {
  if (!shots) return;
  mkdirSync(shots, { recursive: true });
  for (const language of ["en", "ko"]) {
    await page.context().addCookies([{ name: "caseload-language", value: language, url: house.origin }]);
    await page.reload();
    await page.locator("doctor-browser .finding").nth(2).waitFor();
    for (const [size, viewport] of Object.entries({ desk: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } })) {
      for (const colorScheme of ["light", "dark"]) {
        await page.setViewportSize(viewport);
        await page.emulateMedia({ colorScheme });
        await page.screenshot({ path: join(shots, `doctor-${name}-${language}-${size}-${colorScheme}.png`), fullPage: true });
      }
    }
  }
}
