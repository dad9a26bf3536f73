// Names and files that mean harm are shown as text and served as downloads, never run.
import assert from "node:assert/strict";
import { test } from "node:test";
import { firstRun, newCase, open, site, skip } from "./house.mjs";

const names = [
  "<img src=x onerror=window.harm=1>.stl",
  '" autofocus onfocus="window.harm=1.stl',
  "{{constructor.constructor('window.harm=1')()}}.stl",
  "javascript:window.harm=1.stl",
  "photo\u202egpj.exe",
  "'; DROP TABLE files; --.stl",
  "<b>bold.stl",
];
const svg = '<svg xmlns="http://www.w3.org/2000/svg"><script>window.harm=1</script></svg>';
const html = "<!doctype html><script>document.body.textContent='ran'</script>";

test("evil names and files stay text and downloads", { skip, timeout: 120_000 }, async (t) => {
  const house = await site(t);
  const { page, context, faults } = await open(t, house);
  await firstRun(page);
  const address = await newCase(page, "<script>window.harm=1</script>");
  await page.setInputFiles("[data-input=files]", [
    ...names.map((name) => ({ name, mimeType: "text/html", buffer: Buffer.from(`not a mesh: ${name}`) })),
    { name: "picture.svg", mimeType: "image/svg+xml", buffer: Buffer.from(svg) },
    { name: "page.html", mimeType: "text/html", buffer: Buffer.from(html) },
  ]);
  await page.waitForFunction((n) => document.querySelectorAll("li.file[data-state=ready]").length === n, names.length + 2, { timeout: 60_000 });
  await page.goto(address);

  const shown = await page.locator("li.file a.row-link").allInnerTexts();
  for (const name of names) {
    const clean = name.replace("\u202e", "");
    assert.ok(shown.includes(clean), `${clean} is not shown as it is: ${shown}`);
  }
  const links = await page.locator("li.file a.row-link").evaluateAll((all) => all.map((a) => a.href));
  for (const look of ["/cases", address, ...links]) {
    await page.goto(look);
    assert.equal(await page.evaluate(() => window.harm), undefined, `script ran on ${look}`);
    assert.equal(await page.locator("main img, main script").count(), 0, `markup of a name became elements on ${look}`);
  }

  for (const link of links) {
    const signed = await context.request.get(`${link}/download`, { maxRedirects: 0 });
    assert.equal(signed.status(), 303);
    const served = await context.request.get(signed.headers().location);
    assert.equal(served.status(), 200);
    const headers = served.headers();
    assert.match(headers["content-disposition"], /^attachment/);
    assert.match(headers["content-security-policy"], /sandbox/);
    assert.equal(headers["x-content-type-options"], "nosniff");
  }
  assert.deepEqual(faults, [], "the pages reported errors or refused scripts");
});
