// `make screenshot` draws docs/screenshot.png from the real program: a case with a scan, its files, and one on its way.
import { truncateSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { files, firstRun, newCase, open, row, site } from "./house.mjs";

test("docs/screenshot.png", async (t) => {
  const made = files(t);
  const { page, context } = await open(t, await site(t));
  await firstRun(page);
  await newCase(page, "김민수, implant 36");
  await page.setInputFiles("[data-input=files]", ["large.zip", "lower.stl"].map(made));
  for (const name of ["large.zip", "lower.stl"]) await row(page, name).waitFor({ timeout: 60_000 });
  await page.click("case-uploader button:text-is('Close')");

  const line = await context.newCDPSession(page);
  await line.send("Network.emulateNetworkConditions", { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: 9_000_000 });
  const scan = made("intraoral scan.ply");
  writeFileSync(scan, "ply\n");
  truncateSync(scan, 180_000_000);
  await page.setInputFiles("[data-input=files]", [scan, made("photo.jpg")]);
  await row(page, "photo.jpg").waitFor({ timeout: 60_000 });
  await page.locator("li.file[data-state=sending]", { hasText: /sending [3-9]\d %/ }).waitFor({ timeout: 60_000 });
  await page.screenshot({ path: "../docs/screenshot.png" });
});
