// Another application's page sends files: examples/django with the stock Uppy plugin, on another origin than Caseload and
// without a session there. Without Django a plain server makes the same calls, and says so.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { setTimeout } from "node:timers/promises";
import { bundle } from "./frontdoor.mjs";
import { download, firstRun, folder, freePort, newCase, open, row, scan, site, skip, start, sum } from "./house.mjs";
import { plainApp } from "./plainapp.mjs";

const example = join(dirname(fileURLToPath(import.meta.url)), "..", "examples", "django");
const python = ["python3", "/usr/bin/python3"].find((p) => spawnSync(p, ["-c", "import django"]).status === 0);
if (!python && (process.env.CASELOAD_TEST_MUST_RUN ?? "").split(",").includes("django")) {
  throw new Error("Django is not installed, and CASELOAD_TEST_MUST_RUN names it");
}

// app starts the other application and returns its origin.
async function app(t, origin, port, token) {
  const env = { PATH: process.env.PATH, PYTHONUNBUFFERED: "1", CASELOAD_URL: origin, CASELOAD_TOKEN: token, STATIC_FOLDER: folder(t) };
  const made = await bundle(readFileSync(join(example, "uppy.js"), "utf8"));
  writeFileSync(join(env.STATIC_FOLDER, "uppy.js"), made.script);
  writeFileSync(join(env.STATIC_FOLDER, "uppy.css"), made.style);
  if (python) {
    await start(t, python, ["app.py", "runserver", "--noreload", `127.0.0.1:${port}`], { cwd: example, env }, "Starting development server");
    while (!(await fetch(`http://127.0.0.1:${port}/`).catch(() => {}))) await setTimeout(50); // it says so before it listens
  } else {
    t.diagnostic("SKIPPED: Django is not installed; a plain server makes the calls of examples/django");
    await plainApp(t, port, env);
  }
}

// world is the two applications, a case with a token for it, and a browser on the other application's page.
async function world(t, allowed) {
  const port = await freePort();
  const theirs = `http://127.0.0.1:${port}`;
  const house = await site(t, { settings: allowed ? { CASELOAD_CORS_ORIGINS: theirs } : {} });
  const { page: ours } = await open(t, house);
  await firstRun(ours);
  const address = await newCase(ours, "김민수");
  const token = await ours.evaluate(async () => {
    const r = await fetch("/api/v1/tokens", { method: "POST", headers: { "Content-Type": "application/json" }, body: '{"name":"app","role":"member"}' });
    return (await r.json()).secret;
  });
  await app(t, house.origin, port, token);
  const { page, faults } = await open(t, { origin: theirs });
  await page.goto(`/cases/${address.split("/").at(-1)}/`);
  return { ours, address, page, faults };
}

const upload = (page) =>
  page.evaluate(async () => {
    const failed = [];
    window.uppy.on("upload-error", (file, error) => failed.push(error.message));
    await window.uppy.upload().catch(() => {});
    return failed;
  });

test("a Django application's page sends files in one piece and in parts", { skip, timeout: 180_000 }, async (t) => {
  const { ours, address, page, faults } = await world(t, true);
  const dir = folder(t);
  for (const [name, megabytes, multipart] of [["임대석.jpg", 2, false], ["scan.bin", 12, true]]) {
    const path = scan(dir, name, megabytes);
    await page.evaluate((multipart) => window.uppy.getPlugin("AwsS3").setOptions({ shouldUseMultipart: multipart }), multipart);
    await page.locator("#files input[type=file]").first().setInputFiles(path);
    await page.waitForFunction(() => window.uppy.getFiles().length > 0);
    const again = page.waitForEvent("load"); // the example looks at the list once more
    assert.deepEqual(await upload(page), []);
    await again;
    await ours.goto(address);
    await row(ours, name).waitFor({ timeout: 60_000 });
    assert.equal((await download(ours, name)).sum, sum(path));
    await page.reload();
    await page.locator("tr", { hasText: name }).filter({ hasText: "ready" }).waitFor();
  }
  assert.deepEqual(faults, []);
});

test("a page whose origin the administrator did not name cannot send", { skip, timeout: 120_000 }, async (t) => {
  const { page } = await world(t, false);
  await page.locator("#files input[type=file]").first().setInputFiles(scan(folder(t), "x.jpg", 1));
  await page.waitForFunction(() => window.uppy.getFiles().length > 0);
  assert.equal((await upload(page)).length, 1);
});

test("the example refuses requests of other sites, and forwards nothing but the plugin's", { skip: skip || (python ? false : "SKIPPED: Django is not installed"), timeout: 60_000 }, async (t) => {
  const port = await freePort();
  await app(t, "http://127.0.0.1:1", port, "cl_x");
  const ask = (headers) => fetch(`http://127.0.0.1:${port}/uploads/a/s3/multipart`, { method: "POST", body: "{}", headers });
  assert.equal((await ask({ "Sec-Fetch-Site": "cross-site" })).status, 403);
  assert.equal((await ask({ Origin: "https://evil.example" })).status, 403);
  assert.equal((await ask({ Origin: `http://127.0.0.1:${port}` })).status, 502, "its own pages get as far as Caseload");
  for (const path of ["s3/..%2f..%2f..%2f..%2fapi/v1/me", "api/v1/me", "s3/%2e%2e/me"]) {
    assert.equal((await fetch(`http://127.0.0.1:${port}/uploads/a/${path}`)).status, 404, `${path} was forwarded`);
  }
});
