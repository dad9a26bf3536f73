// `make screenshot` draws docs/screenshot.png from the real program: what was dropped on a case, read before it is sent and
// on its way. CASELOAD_SCREENSHOTS=folder keeps the same page on a desk and a phone, light and dark, in both languages.
import { mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { mesh, photo, slice } from "../ui/test/browser/samples.mjs";
import { firstRun, folder, newCase, open, site } from "./house.mjs";

const more = process.env.CASELOAD_SCREENSHOTS;

test("docs/screenshot.png", { timeout: 300_000 }, async (t) => {
  const house = await site(t);
  const { page, context } = await open(t, house);
  await page.emulateMedia({ reducedMotion: "reduce" });
  await firstRun(page);
  const dir = join(folder(t), "Kim Minji 2026-11-20");
  mkdirSync(dir);
  for (let number = 1; number <= 120; number++) {
    if (![57, 58].includes(number)) writeFileSync(join(dir, `CT${String(number).padStart(4, "0")}.dcm`), slice({ number }));
  }
  for (let number = 1; number <= 2; number++) writeFileSync(join(dir, `SC000${number}.dcm`), slice({ number, series: 2, description: "Scout" }));
  writeFileSync(join(dir, "lower.stl"), mesh());
  writeFileSync(join(dir, "front.jpg"), photo());
  const scan = join(dir, "intraoral scan.ply");
  writeFileSync(scan, "ply\n");
  truncateSync(scan, 180_000_000);

  /** Drops the folder on a new case over a line of so many bytes a second, and waits until a third of it has arrived. */
  async function send(patient, rate) {
    await page.setViewportSize({ width: 1440, height: 900 });
    await newCase(page, patient);
    const line = await context.newCDPSession(page);
    await line.send("Network.emulateNetworkConditions", { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: rate });
    await page.setInputFiles("[data-input=folder]", dir);
    await page.locator("case-uploader [aria-expanded=true]").dispatchEvent("click"); // the list of files lies over what was dropped
    await page.mouse.move(0, 0);
    await page.waitForFunction(() => /^[34]\d %$/.test(document.querySelector("case-uploader .tray-percent")?.textContent ?? ""), undefined, { timeout: 120_000 });
  }

  await send("Kim Minji, implant 26", 9_000_000);
  await page.screenshot({ path: "../docs/screenshot.png" });
  if (!more) return;
  mkdirSync(more, { recursive: true });
  for (const language of ["en", "ko"]) {
    if (language === "ko") {
      await page.getByRole("button", { name: "Cancel all", includeHidden: true }).dispatchEvent("click");
      await context.addCookies([{ name: "caseload-language", value: "ko", url: house.origin }]);
      await send("김민지, 임플란트 26", 4_000_000);
    }
    for (const [size, viewport] of Object.entries({ desk: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } })) {
      for (const colorScheme of ["light", "dark"]) {
        await page.setViewportSize(viewport);
        await page.emulateMedia({ colorScheme });
        await page.screenshot({ path: join(more, `case-${language}-${size}-${colorScheme}.png`) });
        if (size === "phone") await page.screenshot({ path: join(more, `case-${language}-${size}-${colorScheme}-whole.png`), fullPage: true });
      }
    }
    await page.emulateMedia({ colorScheme: "light" });
  }
});
