// The page Storage with something on it: a plot of some weeks, a case, a file, the ledger, and the organization's own limit,
// which refuses a file before a byte of it moves. On a desk and a phone, light and dark, in both languages.
// CASELOAD_SCREENSHOTS=folder keeps what it looked like.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { firstRun, folder, newCase, open, row, site, skip } from "./house.mjs";

const axe = skip ? "" : readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const shots = process.env.CASELOAD_SCREENSHOTS;

test("what is kept is seen, and a limit refuses before the first byte", { skip, timeout: 300_000 }, async (t) => {
  const house = await site(t, { settings: { CASELOAD_DIRECT_THRESHOLD: "800000" } });
  const { page, context, faults } = await open(t, house);
  await firstRun(page);
  await newCase(page, "Storage");
  const address = page.url();
  const small = join(house.cwd, "small.bin");
  writeFileSync(small, Buffer.alloc(700_000, 1));
  await page.locator("input[type=file]").first().setInputFiles(small);
  await row(page, "small.bin").waitFor({ timeout: 30_000 });
  weeks(house); // until yesterday: 39 files; with today, once the server has counted it, 1

  await page.goto("/storage");
  for (const [chart, says] of [[0, /From .* to .* kB of received files/], [1, /From .* to .*: from 0 to (39|1) received files/]]) {
    assert.match((await page.locator(".st-chart").nth(chart).getAttribute("aria-label")) ?? "", says);
    for (const path of ["st-all", "st-live", "st-edge"]) assert.ok(((await page.locator(`.${path}`).nth(chart).getAttribute("d")) ?? "").length > 200, path);
  }
  await page.locator(".st-recent, .st-files", { hasText: "small.bin" }).first().waitFor();

  await page.getByText("Set a limit").click();
  await page.getByLabel("Most that may be kept, in GB").fill("much");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("alert").filter({ hasText: "not a number of gigabytes" }).waitFor();
  await page.getByLabel("Most that may be kept, in GB").fill("0.001");
  await page.getByRole("button", { name: "Save" }).click();
  await page.locator(".st-quota", { hasText: "of 1 MB used" }).waitFor();

  // In flight, abandoned and unexplained: whatever the page can show is on it while it is looked at.
  await page.locator("summary", { hasText: "Set a limit" }).waitFor();
  const api = async (path, data) => {
    const answer = await page.request.post(`${house.origin}/api/v1${path}`, { headers: { Origin: house.origin }, data });
    assert.ok(answer.ok(), `${path}: ${answer.status()}`);
    return answer.json();
  };
  const drop = [{ name: "CBCT 임대석.zip", size: 250_000 }, { name: "half.zip", size: 1000 }];
  const [coming, half] = (await api(`${new URL(address).pathname}/files`, { files: drop })).files.map(({ file }) => file.id);
  await api(`/files/${half}/abort`);
  unexplained(house, coming);
  await sound(page, context, house, async () => {
    await page.locator(".st-files", { hasText: "CBCT 임대석.zip" }).waitFor();
    for (const name of ["in_flight", "abandoned"]) await page.locator(`.st-legend [data-class=${name}]`).waitFor();
    await page.locator(".st-lines code", { hasText: "fstranger" }).waitFor();
  });
  await api(`/files/${coming}/abort`);

  // What does not fit is refused when it is planned, by either route, in the reader's language, with the figures and the way out.
  await page.goto(address);
  const sizes = { "small.bin": 500_000, "large.bin": 900_000 };
  const asks = { "small.bin": "500 kB", "large.bin": "900 kB" };
  for (const [language, says] of [
    ["en", (need) => `Your organization may keep 1 MB, of which 300 kB are free; this file needs ${need}. Nothing of it was sent. Delete what is not needed any more, or ask an administrator`],
    ["ko", (need) => `기관의 할당량은 1 MB이며 300 kB가 남아 있습니다. 이 파일에는 ${need}가 필요합니다. 아무것도 전송되지 않았습니다. 필요 없는 파일을 삭제하거나 관리자`],
  ]) {
    await context.addCookies([{ name: "caseload-language", value: language, url: house.origin }]);
    for (const name of Object.keys(sizes)) {
      await page.reload();
      const path = join(folder(t), name);
      writeFileSync(path, Buffer.alloc(sizes[name], `${language} ${name}`));
      const moved = [];
      const watch = (r) => /\/(content|contents|parts|relay)\b/.test(r.url()) && moved.push(`${r.method()} ${r.url()}`);
      page.on("request", watch);
      await page.locator("input[type=file]").first().setInputFiles(path);
      await page.getByText(says(asks[name])).first().waitFor({ timeout: 20_000 });
      page.off("request", watch);
      assert.deepEqual(moved, [], `${name}: bytes moved although there is no room`);
    }
  }
  const { files } = await (await page.request.get(`/api/v1${new URL(address).pathname}/files`)).json();
  const arrived = files.filter((file) => file.state !== "abandoned").map((file) => file.size);
  assert.deepEqual(arrived, [700_000], "what was refused has a row");
  assert.deepEqual(faults.filter((f) => !f.includes("400 (Bad Request)")), []); // the limit that was no number
});

// sound looks at the page with axe, and that nothing is wider than the screen.
async function sound(page, context, house, shows) {
  for (const language of ["en", "ko"]) {
    await context.addCookies([{ name: "caseload-language", value: language, url: house.origin }]);
    for (const [size, viewport] of Object.entries({ desk: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } })) {
      for (const colorScheme of ["light", "dark"]) {
        await page.setViewportSize(viewport);
        await page.emulateMedia({ colorScheme });
        await page.goto("/storage");
        await shows();
        assert.ok((await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)) <= 0, `${size} ${language} is wider than the screen`);
        const hidden = await page.evaluate(() => [...document.querySelectorAll(".nav a")].filter((a) => a.getBoundingClientRect().right > innerWidth).map((a) => a.textContent));
        assert.deepEqual(hidden, [], `${size} ${language}: of the navigation these are out of sight`);
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

// unexplained puts a key that nothing explains into the last ledger, and bytes into the file that is coming.
function unexplained(house, coming) {
  const script = `
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=10)
(ledger,) = db.execute("SELECT id FROM ledgers WHERE finished_at > 0 ORDER BY finished_at DESC").fetchone()
db.execute("INSERT INTO ledger_sums (ledger_id, organization_id, class, source, objects, bytes) VALUES (?, '', 'unexplained', 'object', 1, 340000)", (ledger,))
db.execute("INSERT INTO ledger_lines (ledger_id, class, object, version_id, upload_id, organization_id, file_id, bytes, why) VALUES (?, 'unexplained', 'fstranger', '', '', '', '', 340000, 'No file of the database has this key.')", (ledger,))
db.execute("UPDATE files SET state = 'sending', sent_bytes = 90000 WHERE id = ?", (sys.argv[2],))
db.commit()`;
  execFileSync("python3", ["-c", script, join(house.cwd, "caseload-data", "caseload.db"), coming], { stdio: "inherit" });
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
