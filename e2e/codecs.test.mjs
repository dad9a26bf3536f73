// A case with scans in JPEG 2000, JPEG-LS and HTJ2K is opened: the browser draws them and hands the pictures in, everybody
// sees them, and they look as the server draws the same images from native pixels.
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { twins } from "./coded.mjs";
import { admin, coverable, firstRun, folder, launch, newCase, open, signIn, site, skip } from "./house.mjs";

const images = {
  "JPEG 2000 lossless, 12 bits, in three fragments": { coding: "JPEG 2000", series: 1, fragments: 3, window: "1400\\2400", what: { columns: 160, rows: 120, bits: 12 } },
  "JPEG 2000 lossy, 16 bits with a sign": { coding: "JPEG 2000", series: 2, window: "0\\60000", what: { columns: 160, rows: 120, bits: 16, signed: true, lossy: true } },
  "JPEG 2000 in colour": { coding: "JPEG 2000", series: 3, photometric: "YBR_RCT", what: { columns: 90, rows: 120, bits: 8, samples: 3 } },
  "JPEG-LS lossless, 12 bits, white is low": { coding: "JPEG-LS", series: 4, photometric: "MONOCHROME1", what: { columns: 160, rows: 120, bits: 12 } },
  "JPEG-LS near lossless, 8 bits, larger than a preview": { coding: "JPEG-LS", series: 5, window: "128\\256", what: { columns: 640, rows: 700, bits: 8, lossy: true } },
  "HTJ2K lossless, 16 bits": { coding: "HTJ2K", series: 6, what: { columns: 160, rows: 120, bits: 16 } },
  "HTJ2K in colour": { coding: "HTJ2K", series: 7, photometric: "RGB", what: { columns: 120, rows: 90, bits: 8, samples: 3 } },
};

/** In the page: how two pictures differ, in steps of 255, and of how many colours the first is. */
const differ = async ([drawn, truth]) => {
  const read = async (address) => {
    const image = await createImageBitmap(await (await fetch(address)).blob());
    const canvas = new OffscreenCanvas(image.width, image.height).getContext("2d");
    canvas.drawImage(image, 0, 0);
    return { size: `${image.width} × ${image.height}`, data: canvas.getImageData(0, 0, image.width, image.height).data };
  };
  const [a, b] = [await read(drawn), await read(truth)];
  let [sum, most] = [0, 0];
  a.data.forEach((v, i) => {
    const off = Math.abs(v - b.data[i]);
    sum += off;
    most = Math.max(most, off);
  });
  return { sizes: [a.size, b.size], mean: sum / a.data.length, most, colours: new Set(a.data).size };
};

/** Without what a browser is answered whose preview another one draws, or the server, because the series has grown. */
const quiet = (faults) => faults.filter((fault) => !fault.includes("409"));

test("scans that only browsers decode", { skip, timeout: 240_000 }, async (t) => {
  const house = await site(t);
  const browser = await launch(t);
  const dir = folder(t);
  const { page, faults } = await open(t, { ...house, browser });
  await firstRun(page);
  house.addUser("viewer@clinic.example", admin.organization, "viewer");
  const address = await newCase(page, "김민지");
  const previews = async () => (await (await page.request.get(`/api/v1${new URL(address).pathname}/previews`)).json()).previews;
  const studies = async () => (await (await page.request.get(`/api/v1${new URL(address).pathname}/studies`)).json()).studies;

  await t.test("who may only look sees them in his own tab, and hands nothing in", async (t) => {
    const paths = [];
    for (const [name, image] of Object.entries(images)) {
      const { coded, native } = await twins(image);
      for (const [kind, bytes] of Object.entries({ coded, native })) {
        const path = join(dir, `${name} ${kind}.dcm`);
        writeFileSync(path, bytes);
        paths.push(path);
      }
    }
    await page.goto("/cases"); // nobody who may write looks at the case meanwhile
    await upload(page, address, paths);
    const all = Object.keys(images).length;
    await expect(async () => (await previews()).filter((p) => p.state === "browser").length === all, "left to browsers");

    const viewer = await open(t, { ...house, browser });
    await viewer.page.goto(address);
    await signIn(viewer.page, "viewer@clinic.example");
    await viewer.page.waitForURL(address);
    for (const draw of await viewer.page.locator("preview-draw").all()) await draw.locator("img").waitFor();
    assert.equal(await viewer.page.locator("preview-draw").count(), all);
    assert.deepEqual(viewer.faults, []);
    assert.equal((await previews()).filter((p) => p.state === "browser").length, all, "a viewer handed something in");
  });

  await t.test("two people open the case: each image is drawn once, and both see it", async (t) => {
    const second = await open(t, { ...house, browser });
    await second.page.goto("/cases"); // who leaves the case while he draws keeps others from it until his claim ends
    await signIn(second.page);
    const handed = [];
    for (const p of [page, second.page]) p.on("request", (r) => r.method() === "PUT" && r.url().includes("/previews/") && handed.push(new URL(r.url()).pathname));
    await Promise.all([page.goto(address), second.page.goto(address)]);
    const all = 2 * Object.keys(images).length;
    for (const p of [page, second.page]) await p.waitForFunction((n) => document.querySelectorAll("table.series img.thumb").length === n, all, { timeout: 60_000 });
    assert.equal(handed.length, new Set(handed).size, `handed in twice: ${handed.sort().join(" ")}`);
    assert.equal(handed.length, Object.keys(images).length);
    assert.deepEqual([quiet(faults), quiet(second.faults)], [[], []]);
  });

  await t.test("they look as the server draws the same pixels", async () => {
    const made = await previews();
    const of = {};
    for (const study of await studies()) for (const s of study.series) of[s.number] = made.find((p) => p.series === s.id);
    for (const [name, { series, what }] of Object.entries(images)) {
      const [drawn, truth] = [of[series], of[series + 100]];
      const at = (p) => `/api/v1/previews/${p.id}/image/${p.pictures[0].sha256}`;
      const { sizes, mean, most, colours } = await page.evaluate(differ, [at(drawn), at(truth)]);
      assert.equal(sizes[0], sizes[1], name);
      const exact = !what.lossy && drawn.pictures[0].media === "image/png" && truth.pictures[0].media === "image/png";
      assert.ok(mean < (what.lossy ? 3 : 1) && (!exact || most <= 1), `${name}: ${mean} on the average, ${most} at most`);
      assert.ok(colours > 8, `${name}: one flat colour`);
    }
  });

  await t.test("who leaves while he draws gives the preview back", async () => {
    const { coded } = await twins({ coding: "JPEG-LS", series: 60, what: { columns: 64, rows: 64, bits: 12 } });
    const path = join(dir, "left.dcm");
    writeFileSync(path, coded);
    const another = await newCase(page, "김민지");
    await page.goto("/cases");
    await upload(page, another, [path]);
    const preview = async () => (await (await page.request.get(`/api/v1${new URL(another).pathname}/previews`)).json()).previews[0];
    await expect(async () => (await preview())?.state === "browser", "left to browsers");
    const { id } = await preview();
    const leaver = await page.context().newPage();
    await leaver.addInitScript(() => {
      const real = globalThis.fetch; // he waits for the description, for ever
      globalThis.fetch = (address, what) => (String(address).endsWith("/frame") ? new Promise(() => {}) : real(address, what));
    });
    const claimed = leaver.waitForResponse((r) => r.url().endsWith(`/previews/${id}/claim`));
    await leaver.goto(another);
    assert.equal((await claimed).status(), 204);
    await leaver.goto("/cases");
    const claim = (method) => page.evaluate(([id, method]) => fetch(`/api/v1/previews/${id}/claim`, { method }).then((r) => r.status), [id, method]);
    const late = Date.now() + 20_000; // it would lapse after 45 s
    while ((await claim("POST")) !== 204) assert.ok(Date.now() < late, "the claim is held by somebody who left");
    assert.equal(await claim("DELETE"), 204);
    await leaver.close();
    await page.goto(another);
    await expect(async () => (await preview()).state !== "browser", "drawn after all");
  });

  await t.test("a damaged stream says so, and leaves the file alone", async () => {
    const { coded } = await twins({ coding: "JPEG 2000", series: 50, what: { columns: 64, rows: 64, bits: 12 } });
    coded.fill(0xff, coded.length - 900); // the packets, their end and the item after them
    const path = join(dir, "damaged.dcm");
    writeFileSync(path, coded);
    await page.goto(address);
    await page.setInputFiles("[data-input=files]", path);
    await page.locator("preview-draw").getByText("could not draw").waitFor({ timeout: 60_000 });
    if (process.env.CASELOAD_SCREENSHOTS) await page.screenshot({ path: join(process.env.CASELOAD_SCREENSHOTS, "codecs.png"), fullPage: true });
  });
});

test("volumes that only browsers decode have three planes, as the server draws their twins", { skip, timeout: 240_000 }, async (t) => {
  const house = await site(t);
  const dir = folder(t);
  const { page, faults } = await open(t, house);
  await firstRun(page);
  const address = await newCase(page, "김민지");
  const paths = [];
  const codings = { "JPEG 2000": 1, "JPEG-LS": 2, HTJ2K: 3 };
  for (const [coding, series] of Object.entries(codings)) {
    for (let number = 1; number <= 12; number++) {
      const what = { columns: 96, rows: 80, bits: 12, tilt: number / 12 };
      const { coded, native } = await twins({ coding, series, number, window: "1400\\2400", what });
      for (const [kind, bytes] of Object.entries(coding === "JPEG 2000" ? { coded, native } : { coded })) {
        paths.push(join(dir, `${coding} ${number} ${kind}.dcm`));
        writeFileSync(paths.at(-1), bytes);
      }
    }
  }
  await page.setInputFiles("[data-input=files]", paths);
  await page.waitForFunction(() => document.querySelectorAll("table.series img.thumb").length === 12, undefined, { timeout: 120_000 });
  if (process.env.CASELOAD_SCREENSHOTS) await page.screenshot({ path: join(process.env.CASELOAD_SCREENSHOTS, "planes.png"), fullPage: true });
  const { previews } = await (await page.request.get(`/api/v1${new URL(address).pathname}/previews`)).json();
  const { studies } = await (await page.request.get(`/api/v1${new URL(address).pathname}/studies`)).json();
  const of = {};
  for (const study of studies) for (const s of study.series) of[s.number] = previews.find((p) => p.series === s.id);
  for (const [coding, series] of Object.entries(codings)) {
    for (const view of ["axial", "coronal", "sagittal"]) {
      const at = (p) => `/api/v1/previews/${p.id}/${view}/${p.pictures.find((x) => x.view === view).sha256}`;
      const { sizes, mean, most, colours } = await page.evaluate(differ, [at(of[series]), at(of[101])]);
      assert.equal(sizes[0], sizes[1], `${coding}, ${view}`);
      assert.ok(mean < 1 && most <= 2 && colours > 8, `${coding}, ${view}: ${mean} on the average, ${most} at most, ${colours} colours`);
    }
  }
  assert.deepEqual(quiet(faults), []);
});

/** Images of the corpus that only browsers decode, each with the same image in a coding of the server's. */
const known = {
  "pydicom/MR_small_jpeg_ls_lossless.dcm": "pydicom/MR_small_implicit.dcm",
  "pydicom/MR_small_jp2klossless.dcm": "pydicom/MR_small_implicit.dcm",
  "cornerstone3D/CTImage.dcm_JPEG2000LosslessOnlyTransferSyntax_1.2.840.10008.1.2.4.90.dcm":
    "cornerstone3D/CTImage.dcm_JPEGProcess14SV1TransferSyntax_1.2.840.10008.1.2.4.70.dcm",
};
const onlyBrowsers = /^1\.2\.840\.10008\.1\.2\.4\.(8[01]|9[0-3]|20[123])$/;

test("the images of the corpus look as the server draws their twins", { skip, timeout: 240_000 }, async (t) => {
  const manifest = process.env.CASELOAD_CORPUS ?? fileURLToPath(new URL("../../shared/data/dicom/manifest.json", import.meta.url));
  if (!existsSync(manifest)) {
    const must = (process.env.CASELOAD_TEST_MUST_RUN ?? "").split(",").map((s) => s.trim());
    assert.ok(!must.includes("corpus"), "there is no DICOM corpus, and CASELOAD_TEST_MUST_RUN names it");
    return t.skip("SKIPPED: no DICOM corpus (set CASELOAD_CORPUS to its manifest.json)");
  }
  const { files } = JSON.parse(readFileSync(manifest, "utf8"));
  const coded = files.filter((f) => f.expect === "record" && onlyBrowsers.test(f.truth?.TransferSyntaxUID ?? "")).map((f) => f.file);
  assert.deepEqual(coded.filter((file) => !known[file]), [], "there are images without a twin");
  const house = await site(t);
  const { page, faults } = await open(t, house);
  await firstRun(page);
  /** The address of the picture of the one image in a case of its own. */
  const drawn = async (file) => {
    const address = await newCase(page, ""); // of nobody: images of anybody are sent without a question
    await page.setInputFiles("[data-input=files]", join(dirname(manifest), file));
    let made;
    await expect(async () => {
      const { previews } = await (await page.request.get(`/api/v1${new URL(address).pathname}/previews`)).json();
      return (made = previews.find((p) => p.state === "made"));
    }, `a picture of ${file}`);
    return `/api/v1/previews/${made.id}/image/${made.pictures[0].sha256}`;
  };
  for (const file of coded) {
    const { sizes, mean, most, colours } = await page.evaluate(differ, [await drawn(file), await drawn(known[file])]);
    assert.equal(sizes[0], sizes[1], file);
    assert.ok(mean < 1 && colours > 8, `${file}: ${mean} on the average, ${most} at most, ${colours} colours`);
    t.diagnostic(`${file}: ${sizes[0]}, off by ${mean.toFixed(3)} on the average and ${most} at most`);
  }
  assert.deepEqual(faults, []);
});

/** Sends files from a tab that nobody looks at: it draws nothing. */
async function upload(page, address, paths) {
  const sender = await page.context().newPage();
  await sender.addInitScript(coverable);
  await sender.goto(address);
  await sender.evaluate(() => globalThis.cover(true));
  await sender.setInputFiles("[data-input=files]", paths);
  const files = async () => (await (await page.request.get(`/api/v1${new URL(address).pathname}/files`)).json()).files;
  await expect(async () => (await files()).filter((f) => f.state === "ready").length === paths.length, "read");
  await sender.close();
}

/** Waits until something is true, at most a minute. */
async function expect(holds, what) {
  for (const end = Date.now() + 60_000; !(await holds()); ) {
    if (Date.now() > end) throw new Error(`not ${what} within a minute`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
