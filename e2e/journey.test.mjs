// A clinic's whole way: first run, a case, a scan and its companions dropped, true progress, the metadata, and the same
// bytes back under the same names. Once with the embedded store, once cross-origin with a store of its own.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { download, files, firstRun, newCase, open, row, site, skip, sum } from "./house.mjs";

const patient = "김민수";

for (const separate of [false, true]) {
  test(`a scan goes from the browser to its metadata and back, ${separate ? "cross-origin to a separate store" : "embedded store"}`, { skip, timeout: 240_000 }, async (t) => {
    const made = files(t);
    const house = await site(t, { separate });
    const { page, context, faults } = await open(t, house);
    await firstRun(page);
    const address = await newCase(page, patient);

    const storePuts = [];
    page.on("request", (r) => r.method() === "PUT" && storePuts.push(new URL(r.url())));
    const slow = await context.newCDPSession(page);
    await slow.send("Network.emulateNetworkConditions", {
      offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: 15_000_000,
    });

    // The photo is dropped by hand; the others are chosen.
    const photo = readFileSync(made("photo.jpg"));
    await drop(page, "임대석 사진.jpg", photo.toString("base64"));
    // Each goes as soon as it has been looked into, so some may have arrived before the last is added. From then on, and once the
    // tray has drawn so, the share only grows.
    const sending = page.waitForFunction((names) => {
      const { engine } = document.querySelector("case-uploader");
      const { sent, bytes } = engine.totals;
      const { value } = document.querySelector("#tray progress");
      const added = new Set(engine.items.map((item) => item.source.name));
      return names.every((name) => added.has(name)) && value < 100 && value <= (100 * sent) / bytes;
    }, ["large.zip", "lower.stl", "small.zip"]);
    await Promise.all([sending, page.setInputFiles("[data-input=files]", [made("large.zip"), made("lower.stl"), made("small.zip")])]);
    const seen = await watch(page);
    assert.ok(seen.some((p) => p > 0 && p < 100), `progress between the ends was never shown: ${seen}`);
    assert.deepEqual(seen, seen.toSorted((a, b) => a - b), "progress went backwards");

    for (const name of ["large.zip", "small.zip", "lower.stl", "임대석 사진.jpg"]) await row(page, name).waitFor({ timeout: 90_000 });
    const scan = page.locator("article.study", { hasText: "P-7001" });
    await scan.waitFor();
    const text = await scan.innerText();
    for (const said of ["CBCT lower jaw", "김", "CT", "300"]) assert.ok(text.includes(said), `the scan's card does not say ${said}: ${text}`);
    assert.match(text, /Complete/);

    const parts = storePuts.filter((u) => u.searchParams.has("partNumber"));
    assert.ok(parts.length >= 4, `only ${parts.length} parts were sent for 55 MB`);
    for (const u of parts) {
      assert.equal(u.origin, house.storeOrigin, "a part went to another origin than the store's");
      assert.ok(!decodeURIComponent(u.href).includes("large"), "a signed address holds the file's name");
    }

    for (const [name, made_] of [["large.zip", "large.zip"], ["임대석 사진.jpg", "photo.jpg"], ["lower.stl", "lower.stl"]]) {
      await page.goto(address);
      const got = await download(page, name);
      assert.equal(got.name, name);
      assert.equal(got.sum, sum(made(made_)), `${name} came back with other bytes`);
    }
    assert.deepEqual(faults, [], "the pages reported errors");
  });
}

test("an upload goes on while the person moves through the site", { skip, timeout: 120_000 }, async (t) => {
  const made = files(t);
  const { page, context, faults } = await open(t, await site(t));
  await firstRun(page);
  const address = await newCase(page, patient);
  const slow = await context.newCDPSession(page);
  await slow.send("Network.emulateNetworkConditions", { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: 12_000_000 });
  await page.setInputFiles("[data-input=files]", made("large.zip"));
  await page.click("nav a[href='/users']");
  await page.waitForURL("**/users");
  await page.click("a.brand");
  await page.waitForURL("**/cases");
  await page.locator(`tr[data-state=ready]`).waitFor({ timeout: 60_000 }); // by server-sent events, nobody reloads
  await page.goto(address);
  await row(page, "large.zip").waitFor();
  assert.deepEqual(faults, []);
});

test("what has arrived stays in the tray while the rest of the drop is looked into", { skip, timeout: 60_000 }, async (t) => {
  const made = files(t);
  const { page } = await open(t, await site(t));
  await firstRun(page);
  await newCase(page, patient);
  await page.evaluate(() => Object.defineProperty(document.querySelector("case-uploader").preflight, "busy", { get: () => true }));
  for (const name of ["photo.jpg", "lower.stl"]) {
    await page.setInputFiles("[data-input=files]", made(name));
    await row(page, name).waitFor();
    await page.locator('case-uploader[data-state="done"]').waitFor();
  }
  const names = await page.evaluate(() => document.querySelector("case-uploader").engine.items.map(({ source }) => source.name));
  assert.deepEqual(names, ["photo.jpg", "lower.stl"]);
});

test("of two quick clicks the last one counts", { skip, timeout: 60_000 }, async (t) => {
  const { page, faults } = await open(t, await site(t));
  await firstRun(page);
  for (const slow of ["/users", "/cases"]) {
    await page.goto("/account");
    let answer;
    const answered = new Promise((go) => (answer = go));
    await page.route((url) => url.pathname === slow, (route) => answered.then(() => route.continue()).catch(() => {}));
    const first = page.waitForEvent("requestfinished", { predicate: over }).catch(() => {});
    const broken = page.waitForEvent("requestfailed", { predicate: over }).catch(() => {});
    await page.evaluate(() => ["/cases", "/users"].forEach((to) => document.querySelector(`.nav a[href='${to}']`).click()));
    if (slow === "/users") await Promise.race([first, broken]);
    else await page.waitForURL("**/users");
    answer();
    await page.waitForURL("**/users");
    await page.locator(".nav a[href='/users'][aria-current]").waitFor();
    await page.unrouteAll();
  }
  assert.deepEqual(faults, []);
});

const over = (request) => new URL(request.url()).pathname === "/cases";

test("whoever looks at the case sees it arrive without reloading", { skip, timeout: 120_000 }, async (t) => {
  const made = files(t);
  const house = await site(t);
  const sender = await open(t, house);
  await firstRun(sender.page);
  const address = await newCase(sender.page, patient);
  const onlooker = await sender.context.newPage();
  await onlooker.goto(address);
  await sender.page.setInputFiles("[data-input=files]", made("small.zip"));
  await row(onlooker, "small.zip").waitFor({ timeout: 30_000 });
  await onlooker.locator("article.study", { hasText: "P-7002" }).waitFor();
});

// drop puts a file onto the page as a pointer does.
async function drop(page, name, base64) {
  const data = await page.evaluateHandle(([name, base64]) => {
    const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
    const transfer = new DataTransfer();
    transfer.items.add(new File([bytes], name, { type: "image/jpeg" }));
    return transfer;
  }, [name, base64]);
  for (const type of ["dragenter", "dragover", "drop"]) await page.dispatchEvent(".drop", type, { dataTransfer: data });
}

// watch returns the percentages the tray showed until all files were sent.
function watch(page) {
  return page.evaluate(
    () =>
      new Promise((resolve, reject) => {
        const seen = [];
        const late = setTimeout(() => reject(new Error(`still sending; seen: ${seen}`)), 90_000);
        const look = () => {
          const bar = document.querySelector("#tray progress");
          const percent = bar && !bar.closest("[hidden]") ? (100 * bar.value) / bar.max : 0;
          if (seen.at(-1) !== percent) seen.push(percent);
          if (percent >= 100) {
            clearTimeout(late);
            resolve(seen);
          } else requestAnimationFrame(look);
        };
        look();
      }),
  );
}
