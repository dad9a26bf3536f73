// A clinic sends one ZIP with the scan, meshes, photos and an order: each is seen in the row and on the page of the ZIP, and what is
// hostile says why. Both pages pass axe, wide and narrow, light and dark, in English and Korean.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { deflateRawSync } from "node:zlib";
import { admin, files, firstRun, folder, newCase, open, row, signIn, site, skip } from "./house.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const shots = process.env.CASELOAD_SCREENSHOTS;

/** CRC-32 (ISO 3309) of the bytes. */
function checksum(bytes) {
  let sum = ~0;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  }
  return ~sum >>> 0;
}

/** A ZIP of the files by name, deflated. */
function zip(entries) {
  const [bodies, directory] = [[], []];
  let at = 0;
  for (const [name, body] of Object.entries(entries)) {
    const [packed, called] = [deflateRawSync(body), Buffer.from(name)];
    const facts = Buffer.alloc(26); // APPNOTE 4.4.2 to 4.4.11
    facts.writeUInt16LE(20, 0);
    facts.writeUInt16LE(0x800, 2);
    facts.writeUInt16LE(8, 4);
    facts.writeUInt32LE(checksum(body), 10);
    facts.writeUInt32LE(packed.length, 14);
    facts.writeUInt32LE(body.length, 18);
    facts.writeUInt16LE(called.length, 22);
    const place = Buffer.alloc(14);
    place.writeUInt32LE(at, 10);
    bodies.push(Buffer.from("PK\x03\x04"), facts, called, packed);
    directory.push(Buffer.from("PK\x01\x02\x14\0"), facts, place, called);
    at += 30 + called.length + packed.length;
  }
  const list = Buffer.concat(directory);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(Object.keys(entries).length, 4);
  end.writeUInt16LE(Object.keys(entries).length, 6);
  end.writeUInt32LE(list.length, 8);
  end.writeUInt32LE(at, 12);
  return Buffer.concat([...bodies, list, Buffer.from("PK\x05\x06"), end]);
}

/** A PNG that announces 65536 × 65536 pixels. */
function bomb() {
  const header = Buffer.from([...Buffer.from("IHDR"), 0, 1, 0, 0, 0, 1, 0, 0, 8, 6, 0, 0, 0]);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(checksum(header));
  return Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n\0\0\0\r", "latin1"), header, sum, Buffer.alloc(64)]);
}

test("meshes, photos and documents in a ZIP are seen", { skip, timeout: 240_000 }, async (t) => {
  const made = files(t);
  const path = join(folder(t), "김민수 자료.zip");
  writeFileSync(
    path,
    zip({
      "CBCT/IM001": readFileSync(made("slice.dcm")),
      "scan/lower.stl": readFileSync(made("lower.stl")),
      "photos/smile.jpg": readFileSync(made("photo.jpg")),
      "photos/broken.png": bomb(),
      "order.pdf": Buffer.from("%PDF-1.7\n1 0 obj << /Type /Pages /Count 3 >> endobj"),
      "notes.txt": Buffer.from("A guide for 36, please."),
    }),
  );
  const house = await site(t);
  const { page, faults } = await open(t, house);
  await firstRun(page);
  const address = await newCase(page, "김민수");
  await page.setInputFiles("[data-input=files]", path);
  const inRow = row(page, "자료.zip").locator(".f-inside img");
  await inRow.nth(1).waitFor({ timeout: 60_000 }); // the mesh and the photo, by themselves
  await row(page, "자료.zip").locator("a.row-link").click();
  await page.waitForURL("**/files/*");
  const file = page.url();
  const item = (name) => page.locator(".enclosed li", { hasText: name });
  assert.deepEqual(await page.locator(".enclosed .strong").allTextContents(), ["lower.stl", "smile.jpg", "broken.png", "order.pdf"]);
  await item("lower.stl").getByText(/triangles · .* mm · /).waitFor({ timeout: 60_000 });
  await item("smile.jpg").getByText(/ pixels/).waitFor({ timeout: 60_000 });
  await item("broken.png").getByText(/No preview\. .*65536 × 65536/).waitFor({ timeout: 60_000 });
  await item("order.pdf").getByText(/3 pages/).waitFor({ timeout: 60_000 });
  for (const name of ["lower.stl", "smile.jpg"]) {
    const image = await item(name).locator("img").elementHandle();
    await page.waitForFunction((i) => ((i.loading = "eager"), i.naturalWidth > 50), image);
  }
  assert.equal(await page.locator(".enclosed img").count(), 2);
  assert.deepEqual(faults, []);

  for (const look of [{}, { mobile: true, dark: true }, { language: "ko-KR", mobile: true }]) {
    const { page } = await open(t, { ...house, ...look });
    await page.goto("/sign-in");
    await signIn(page, admin.email);
    await page.waitForURL("**/cases");
    for (const [name, path] of Object.entries({ case: address, file })) {
      await page.goto(path);
      await page.locator(name === "file" ? ".enclosed img" : ".f-inside img").nth(1).waitFor();
      await page.waitForFunction(() => [...document.querySelectorAll("main img")].every((i) => ((i.loading = "eager"), i.naturalWidth > 0)));
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => axe.run());
      assert.deepEqual(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(" ")}`), [], `${name} ${JSON.stringify(look)}`);
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, `${name} ${JSON.stringify(look)} is too wide`);
      if (shots) await page.screenshot({ path: join(shots, `enclosed-${name}-${Object.entries(look).flat().join("-") || "wide"}.png`), fullPage: true });
    }
  }
});
