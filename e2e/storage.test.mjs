// The page Storage with something on it: a plot of some weeks, a case, a file, the ledger, and the organization's own limit,
// which refuses a file before a byte of it moves. On a desk and a phone, light and dark, in both languages.
// CASELOAD_SCREENSHOTS=folder keeps what it looked like.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { firstRun, newCase, open, row, site, skip } from "./house.mjs";

const axe = skip ? "" : readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const shots = process.env.CASELOAD_SCREENSHOTS;

test("what is kept is seen, and a limit refuses before the first byte", { skip, timeout: 120_000 }, async (t) => {
  const house = await site(t);
  const { page, context, faults } = await open(t, house);
  await firstRun(page);
  await newCase(page, "Storage");
  const address = page.url();
  const small = join(house.cwd, "small.bin");
  writeFileSync(small, Buffer.alloc(700_000, 1));
  await page.locator("input[type=file]").first().setInputFiles(small);
  await row(page, "small.bin").waitFor({ timeout: 30_000 });
  weeks(house);

  await page.goto("/storage");
  assert.match((await page.locator(".st-chart").getAttribute("aria-label")) ?? "", /From .* to /);
  for (const path of ["st-all", "st-live", "st-edge"]) assert.ok(((await page.locator(`.${path}`).getAttribute("d")) ?? "").length > 200, path);
  await page.locator(".st-recent, .st-files", { hasText: "small.bin" }).first().waitFor();

  await page.getByText("Set a limit").click();
  await page.getByLabel("Most that may be kept, in GB").fill("much");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("alert").filter({ hasText: "not a number of gigabytes" }).waitFor();
  await page.getByLabel("Most that may be kept, in GB").fill("0.001");
  await page.getByRole("button", { name: "Save" }).click();
  await page.locator(".st-quota", { hasText: "of 1 MB used" }).waitFor();

  await sound(page, context, house);

  await page.goto(address);
  const large = join(house.cwd, "large.bin");
  writeFileSync(large, Buffer.alloc(900_000, 2));
  for (const [language, says] of [["en", /limit has no room for this/], ["ko", /기관의 한도에 남은 공간이 부족합니다/]]) {
    await context.addCookies([{ name: "caseload-language", value: language, url: house.origin }]);
    await page.reload();
    const moved = [];
    const watch = (r) => ["PUT"].includes(r.method()) && moved.push(r.url());
    page.on("request", watch);
    await page.locator("input[type=file]").first().setInputFiles(large);
    await page.getByText(says).first().waitFor({ timeout: 20_000 });
    page.off("request", watch);
    assert.deepEqual(moved, [], "bytes moved although there is no room");
  }
  assert.deepEqual(faults.filter((f) => !f.includes("400 (Bad Request)")), []); // the limit that was no number
});

// sound looks at the page with axe, and that nothing is wider than the screen.
async function sound(page, context, house) {
  for (const language of ["en", "ko"]) {
    await context.addCookies([{ name: "caseload-language", value: language, url: house.origin }]);
    for (const [size, viewport] of Object.entries({ desk: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } })) {
      for (const colorScheme of ["light", "dark"]) {
        await page.setViewportSize(viewport);
        await page.emulateMedia({ colorScheme });
        await page.goto("/storage");
        assert.ok((await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)) <= 0, `${size} ${language} is wider than the screen`);
        await page.evaluate(axe);
        const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
        assert.deepEqual(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target).join(", ")}`), [], `${size} ${language} ${colorScheme}`);
        if (!shots) continue;
        mkdirSync(shots, { recursive: true });
        await page.screenshot({ path: join(shots, `storage-${language}-${size}-${colorScheme}.png`), fullPage: true });
      }
    }
  }
  await context.addCookies([{ name: "caseload-language", value: "en", url: house.origin }]);
  await page.setViewportSize({ width: 1280, height: 900 });
}

// weeks writes down what was kept on each of the last forty days; Node has no SQLite yet, Python has.
function weeks(house) {
  const script = `
import sqlite3, sys, datetime
db = sqlite3.connect(sys.argv[1], timeout=10)
(org,) = db.execute("SELECT id FROM organizations").fetchone()
today = datetime.datetime.now(datetime.timezone.utc).date()
for ago in range(40, 0, -1):
    day = (today - datetime.timedelta(days=ago)).isoformat()
    for kind, objects, size in (("live", 40 - ago, (45 - ago) * 20000), ("trash", 1, 100000 + ago % 7 * 30000)):
        db.execute("INSERT INTO usage_days (organization_id, day, class, objects, bytes) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", (org, day, kind, objects, size))
db.commit()`;
  execFileSync("python3", ["-c", script, join(house.cwd, "caseload-data", "caseload.db")], { stdio: "inherit" });
}
