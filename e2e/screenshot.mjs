// `make screenshot` draws docs/screenshot.png from the real program.
import { test } from "node:test";
import { files, firstRun, newCase, open, row, site } from "./house.mjs";

test("docs/screenshot.png", async (t) => {
  const made = files(t);
  const { page } = await open(t, await site(t));
  await firstRun(page);
  const address = await newCase(page, "김민수");
  await page.setInputFiles("[data-input=files]", ["large.zip", "lower.stl", "photo.jpg"].map(made));
  for (const name of ["large.zip", "lower.stl", "photo.jpg"]) await row(page, name).waitFor({ timeout: 60_000 });
  await page.goto(address);
  await page.setViewportSize({ width: 1280, height: 860 });
  await page.screenshot({ path: "../docs/screenshot.png" });
});
