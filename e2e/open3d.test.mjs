// A mesh is opened in 3D and a document's first page drawn, from a store of another origin; what that takes is loaded only then.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { firstRun, folder, launch, newCase, open, row, site, skip } from "./house.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const shots = process.env.CASELOAD_SCREENSHOTS;

/** A PDF of one page with a heading, a line and a script that would run when it is opened. */
const pdf = () => {
  const marks = "BT /F1 28 Tf 60 740 Td (Treatment plan) Tj ET BT /F1 12 Tf 60 710 Td (Implants 36, 46. Guide by Friday.) Tj ET 60 690 475 3 re f 0.04 0.42 0.46 rg 60 560 200 100 re f";
  return Buffer.from(
    `%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R/OpenAction<</S/JavaScript/JS(app.alert\\(1\\))>>>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>endobj\n4 0 obj<</Length ${marks.length}>>stream\n${marks}\nendstream endobj\n5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n`,
  );
};

/** A binary STL of a dental arch: a tube along a horseshoe, thicker where teeth stand; lengths in mm. */
function arch(along = 240, round = 60) {
  const point = (i, k) => {
    const a = Math.PI * (1.15 * (i / along) - 0.075);
    const tooth = 0.72 + 0.28 * Math.abs(Math.cos((7 * Math.PI * i) / along));
    const b = (2 * Math.PI * k) / round;
    const out = 27 + 5 * tooth * Math.cos(b);
    return [out * Math.cos(a), 1.25 * out * Math.sin(a), 8 * tooth * Math.sin(b) * (Math.sin(b) > 0 ? 1 : 0.7)];
  };
  const triangles = [];
  for (let i = 0; i < along; i++) {
    for (let k = 0; k < round; k++) {
      const [p, q, r, s] = [point(i, k), point(i + 1, k), point(i + 1, k + 1), point(i, k + 1)];
      triangles.push([p, q, r], [p, r, s]);
    }
  }
  const stl = Buffer.alloc(84 + 50 * triangles.length);
  stl.writeUInt32LE(triangles.length, 80);
  triangles.forEach((t, n) => t.flat().forEach((v, k) => stl.writeFloatLE(v, 84 + 50 * n + 12 + 4 * k)));
  return stl;
}

/** Share of the pixels of a picture that are lighter than the ground it is drawn on. */
const lit = (page, png) =>
  page.evaluate(async (base64) => {
    const image = await createImageBitmap(new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))]));
    const canvas = new OffscreenCanvas(image.width, image.height).getContext("2d");
    canvas.drawImage(image, 0, 0);
    const { data } = canvas.getImageData(0, 0, image.width, image.height);
    let count = 0;
    for (let i = 0; i < data.length; i += 4) if (data[i] > 110) count++;
    return count / (data.length / 4);
  }, png.toString("base64"));

test("meshes in 3D and first pages", { skip, timeout: 240_000 }, async (t) => {
  const dir = folder(t);
  const house = await site(t, { separate: true });
  const browser = await launch(t, ["--enable-unsafe-swiftshader"]); // WebGL without a graphics card
  const { page, context, faults } = await open(t, { ...house, browser });
  await firstRun(page);
  const address = await newCase(page, "김민지");
  writeFileSync(join(dir, "lower.stl"), arch());
  writeFileSync(join(dir, "plan.pdf"), pdf());
  writeFileSync(join(dir, "broken.pdf"), Buffer.concat([pdf().subarray(0, 120), Buffer.from("\n/Type/Page \n%%EOF\n")]));
  await page.setInputFiles("[data-input=files]", ["lower.stl", "plan.pdf", "broken.pdf"].map((name) => join(dir, name)));
  for (const name of ["lower.stl", "plan.pdf", "broken.pdf"]) await row(page, name).waitFor({ timeout: 60_000 });

  const { files } = await (await page.request.get(`/api/v1${new URL(address).pathname}/files`)).json();
  const pageOf = (name) => `/files/${files.find((file) => file.name === name).id}`;
  const heavy = [];
  context.on("request", (request) => /\/(mesh-|pdf-|pdf\/)/.test(request.url()) && heavy.push(request.url().split("/").pop()));

  await t.test("a mesh is turned, zoomed, drawn as wires and reset, by keys and pointer", async () => {
    await page.goto(pageOf("lower.stl"));
    await page.locator(".pictures img").waitFor({ timeout: 60_000 }); // the server's picture
    assert.deepEqual(heavy, [], "loaded before anybody asked");
    await page.getByRole("button", { name: "Open in 3D" }).click();
    const canvas = page.locator("#mesh canvas[data-drawn]");
    await canvas.waitFor({ timeout: 60_000 });
    const facts = await page.locator(".mesh-facts").textContent();
    assert.match(facts, /^[\d.]+ × [\d.]+ × [\d.]+ mm · 28,800 triangles$/);
    const served = await page.locator("section[aria-labelledby=preview-title] p.muted").textContent();
    assert.ok(served.includes(facts.split(" mm")[0]), `${served} on the page, ${facts} in 3D`);
    const first = await canvas.screenshot();
    if (shots) await page.screenshot({ path: join(shots, "mesh-desk.png") });
    const share = await lit(page, first);
    assert.ok(share > 0.05 && share < 0.95, `${share} of the window is mesh`);

    const changed = async (before, what) => {
      await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
      const now = await canvas.screenshot();
      assert.ok(!now.equals(before), `${what} changes nothing`);
      return now;
    };
    assert.equal(await page.evaluate(() => document.activeElement?.tagName), "CANVAS");
    await page.keyboard.press("ArrowRight");
    let seen = await changed(first, "an arrow");
    await page.keyboard.press("+");
    seen = await changed(seen, "zooming");
    await page.keyboard.press("Shift+ArrowLeft");
    seen = await changed(seen, "moving");
    await page.keyboard.press("w");
    seen = await changed(seen, "the wireframe");
    assert.equal(await page.getByRole("button", { name: "Wireframe" }).getAttribute("aria-pressed"), "true");
    if (shots) await page.screenshot({ path: join(shots, "mesh-wires.png") });
    await page.keyboard.press("w");
    await page.mouse.move(700, 450);
    await page.mouse.down();
    await page.mouse.move(800, 480, { steps: 4 });
    await page.mouse.up();
    await page.mouse.wheel(0, -300);
    seen = await changed(seen, "the pointer");
    await page.getByRole("button", { name: "Reset view" }).click();
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
    await canvas.focus();
    assert.ok(Math.abs((await lit(page, await canvas.screenshot())) - share) < 0.01, "reset does not lead back");
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
    assert.deepEqual(violations.filter((v) => ["serious", "critical"].includes(v.impact)).map((v) => v.id), []);
    await page.keyboard.press("Escape");
    assert.equal(await page.locator("#mesh").count(), 0);
    assert.deepEqual(faults, []);
  });

  await t.test("what is too large, damaged or without WebGL is said", async () => {
    await page.goto(pageOf("lower.stl"));
    await page.getByRole("button", { name: "Open in 3D" }).waitFor();
    /** Clicks with another attribute, all at once: a live fragment may bring the true one back at any time. */
    const said = async (sentence, attribute = "file", value) => {
      await page.evaluate(
        ([name, value]) => {
          const element = document.querySelector("mesh-open");
          const before = element.getAttribute(name);
          element.setAttribute(name, value ?? before);
          element.querySelector("button").click();
          element.setAttribute(name, before);
        },
        [attribute, value],
      );
      await page.locator(".mesh-told", { hasText: sentence }).waitFor({ timeout: 30_000 });
      await page.keyboard.press("Escape");
    };
    await said("too large", "bytes", "400000000");
    await said("could not be read", "kind", "obj");
    for (const way of ["**/separate-bucket/**", "**/relay"]) await page.route(way, (route) => route.abort());
    await said("could not be fetched");
    for (const way of ["**/separate-bucket/**", "**/relay"]) await page.unroute(way);
    await page.evaluate(() => (HTMLCanvasElement.prototype.getContext = () => null));
    await said("WebGL");
    faults.length = 0; // the request that was broken off
  });

  await t.test("the first page of a document is drawn, and its script does not run", async () => {
    await page.goto(pageOf("plan.pdf"));
    heavy.length = 0;
    page.on("dialog", (dialog) => assert.fail(`the document says ${dialog.message()}`));
    await page.getByRole("button", { name: "Show the first page" }).click();
    const drawn = page.getByRole("img", { name: "First page of the document" });
    await drawn.waitFor({ timeout: 60_000 });
    const white = await lit(page, await drawn.screenshot());
    assert.ok(white > 0.8 && white < 0.99, `${white} of the page is white`);
    assert.ok(heavy.includes("pdf-view.js") && heavy.includes("pdf-worker.js"));
    if (shots) await page.screenshot({ path: join(shots, "pdf-desk.png"), fullPage: true });
    assert.deepEqual(faults, []);
  });

  await t.test("where the store is not reached, the server sends both, says so, and hears of it", async () => {
    const { page: cut, faults } = await open(t, { ...house, browser, state: await context.storageState() });
    await cut.route(`${house.storeOrigin}/**`, (route) => route.abort());
    await cut.goto(pageOf("lower.stl"));
    const told = cut.waitForRequest((request) => request.url().endsWith("/api/v1/store-reports"), { timeout: 60_000 });
    const said = cut.locator(".mesh-told", { hasText: "the server sends the file" }).waitFor({ state: "attached", timeout: 60_000 });
    await cut.getByRole("button", { name: "Open in 3D" }).click();
    await cut.locator("#mesh canvas[data-drawn]").waitFor({ timeout: 60_000 });
    await said;
    assert.equal((await told).postDataJSON().code, "STORE-UNREACHABLE");
    await cut.goto(pageOf("plan.pdf"));
    await cut.getByRole("button", { name: "Show the first page" }).click();
    await cut.getByRole("img", { name: "First page of the document" }).waitFor({ timeout: 60_000 });
    assert.deepEqual(faults.filter((fault) => !fault.includes("ERR_FAILED")), []);
  });

  await t.test("on a phone, dark and in Korean", async () => {
    const { page: phone, faults } = await open(t, { ...house, browser, mobile: true, dark: true, language: "ko-KR", state: await context.storageState() });
    await phone.goto(pageOf("plan.pdf"));
    await phone.locator("pdf-page button").click();
    await phone.locator("pdf-page canvas").waitFor({ timeout: 60_000 });
    if (shots) await phone.screenshot({ path: join(shots, "pdf-phone.png"), fullPage: true });
    await phone.goto(pageOf("lower.stl"));
    await phone.locator("mesh-open button").click();
    await phone.locator("#mesh canvas[data-drawn]").waitFor({ timeout: 60_000 });
    const wide = await phone.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(wide <= 0, `scrolls sideways by ${wide} px`);
    if (shots) await phone.screenshot({ path: join(shots, "mesh-phone.png") });
    assert.deepEqual(faults, []);
  });
});
