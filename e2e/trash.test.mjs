// Trash and clean-up as people use them: a file and a case are deleted by hand, found in the trash and restored; a clean-up is
// looked for, approved and undone on its page. By keyboard, and with nothing serious found by axe, light and dark, wide and narrow.
// CASELOAD_SCREENSHOTS=folder keeps the pages.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { files, firstRun, newCase, open, row, site, skip } from "./house.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const later = join(dirname(fileURLToPath(import.meta.url)), "..", "bin", "later");
const shots = process.env.CASELOAD_SCREENSHOTS;

test("deleted by hand, restored; planned, approved and undone", { skip, timeout: 180_000 }, async (t) => {
  const made = files(t);
  const house = await site(t, { settings: { CASELOAD_CLEANUP_FINISHED_AFTER: "24h" } });
  const { page, faults } = await open(t, house);
  await firstRun(page);
  const empty = await newCase(page, "Empty");
  const address = await newCase(page, "김민수");
  await page.setInputFiles("[data-input=files]", ["lower.stl", "photo.jpg"].map(made));
  for (const name of ["lower.stl", "photo.jpg"]) await row(page, name).waitFor({ timeout: 60_000 });
  const whole = await receivedIn(page, address, "lower.stl");

  // A file, by the keyboard alone.
  await page.goto(await row(page, "lower.stl").locator("a.row-link").getAttribute("href"));
  await press(page, page.getByRole("main").locator("summary", { hasText: "Delete" }));
  await press(page, page.locator("form[action$='/delete'] button"));
  await page.waitForURL(/\/cases\/[0-9a-v]{26}$/);
  assert.equal(await row(page, "lower.stl").count(), 0);
  // A case without files, and one with.
  for (const each of [empty, address]) {
    await page.goto(each);
    await deleteCase(page);
  }
  await page.goto("/trash");
  const rows = page.locator("li.trashed");
  assert.equal(await rows.count(), 3);
  for (const text of await rows.allTextContents()) assert.match(text, /Deleted by Kim/);
  await looksRight(page, "trash");

  // The file lies in a case that is deleted, too: the case comes first.
  await press(page, rows.filter({ hasText: "김민수" }).filter({ has: page.locator(".tag") }).getByRole("button", { name: /^Restore/ }));
  await page.waitForURL(/\/cases\/[0-9a-v]{26}$/);
  await row(page, "photo.jpg").waitFor({ timeout: 60_000 });
  await page.goto("/trash");
  await press(page, page.getByRole("button", { name: "Restore lower.stl" }));
  await page.waitForURL(/\/files\/[0-9a-v]{26}$/);
  await page.goto(address);
  await row(page, "lower.stl").waitFor({ timeout: 60_000 });
  assert.equal(await receivedIn(page, address, "lower.stl"), whole);

  // Clean-up: a case is finished, and time goes by.
  await press(page, page.getByRole("button", { name: "Mark as finished" }));
  await page.getByRole("button", { name: "Open again" }).waitFor();
  await house.kill();
  execFileSync(later, [join(house.cwd, "caseload-data", "caseload.db"), "960h"]);
  await house.again();
  await page.goto("/cleanup");
  await page.getByText("No plan waits.").waitFor();
  await press(page, page.getByRole("button", { name: "Look now" }));
  await page.getByText("1 finished case").waitFor();
  await page.goto(address); // a plan changes nothing
  await row(page, "lower.stl").waitFor();
  await page.goto("/cleanup");
  await looksRight(page, "cleanup-plan");
  const share = (await page.locator(".c-share").textContent()).replace("%", "").trim();
  await page.fill("[name=share]", "1");
  await press(page, page.getByRole("button", { name: "Approve" }));
  await page.locator("#problem", { hasText: "of everything would go" }).waitFor();
  await page.fill("[name=share]", share);
  await press(page, page.getByRole("button", { name: "Approve" }));
  await page.getByText("It is being carried out.").waitFor();
  await house.kill(); // a start carries it out at once
  await house.again();
  await eventually(async () => (await page.goto(address)).status() === 410);
  await page.goto("/cleanup");
  const undo = page.getByRole("button", { name: /^Undo/ });
  await undo.waitFor();
  await looksRight(page, "cleanup-done");
  await press(page, undo);
  await page.getByText("undone by Kim").waitFor();
  await page.goto(address);
  await row(page, "photo.jpg").waitFor({ timeout: 60_000 });
  assert.equal(await receivedIn(page, address, "lower.stl"), whole);
  assert.deepEqual(faults.filter((fault) => !fault.includes("Failed to load resource")), []); // of the server that was killed, and of what is gone
});

/** Does what a button or fold does, by the keyboard. */
async function press(page, what) {
  await what.focus();
  await page.keyboard.press("Enter");
}

async function deleteCase(page) {
  await press(page, page.getByRole("main").locator("summary", { hasText: "Delete" }));
  await press(page, page.locator("form[action$='/delete'] button"));
  await page.waitForURL("**/cases");
}

/** The checksum of a file as the server verified it. */
async function receivedIn(page, address, name) {
  const { files } = await (await page.request.get(`/api/v1${new URL(address).pathname}/files`)).json();
  return files.find((file) => file.name === name).crc64nvme;
}

async function eventually(so) {
  for (const until = Date.now() + 40_000; Date.now() < until; await new Promise((resolve) => setTimeout(resolve, 200))) if (await so()) return;
  assert.fail("not within 40 s");
}

/** axe, no sideways scrolling, every control with a name, in each look. */
async function looksRight(page, name) {
  if (shots) mkdirSync(shots, { recursive: true });
  for (const [size, viewport] of Object.entries({ desk: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } })) {
    for (const colorScheme of ["light", "dark"]) {
      await page.setViewportSize(viewport);
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await page.evaluate(() => Promise.all(document.getAnimations().map((move) => move.finished.catch(() => {})))); // colours that still change
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
      const serious = violations.filter((v) => v.impact === "serious" || v.impact === "critical").map((v) => `${v.id}: ${v.nodes[0].target.join(" ")}`);
      assert.deepEqual(serious, [], `${name} ${size} ${colorScheme}`);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(wide <= 0, `${name} scrolls sideways by ${wide} px (${size})`);
      if (shots) await page.screenshot({ path: join(shots, `${name}-${size}-${colorScheme}.png`), fullPage: true });
    }
  }
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.emulateMedia({ colorScheme: "light" });
}
