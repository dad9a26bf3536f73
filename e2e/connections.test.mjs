// A line so slow that nothing gets through: the page answers all the same, in every tab.
import { test } from "node:test";
import { folder, firstRun, newCase, open, scan, site, skip } from "./house.mjs";

const MB = 1_000_000;
const settings = { CASELOAD_PART_SIZE: "5MiB", CASELOAD_DIRECT_THRESHOLD: "20MB" };

test("two tabs that send leave the page a connection", { skip, timeout: 180_000 }, async (t) => {
  const house = await site(t, { watched: true, settings });
  const dir = folder(t);
  const { page, context } = await open(t, house);
  await firstRun(page);
  const tabs = [page, await context.newPage()];
  const reached = house.line.holdAfter(5 * MB);
  for (const [i, tab] of tabs.entries()) {
    tab.on("dialog", (dialog) => dialog.accept());
    await newCase(tab, `tab ${i}`);
    await tab.setInputFiles("[data-input=files]", scan(dir, `tab${i}.raw`, 60));
    if (i === 0) await reached;
  }
  await tabs[1].locator("case-uploader", { hasText: "Sending" }).waitFor();
  for (const tab of tabs) {
    await tab.getByRole("link", { name: "Cases" }).first().click();
    await tab.waitForURL("**/cases", { timeout: 15_000 });
    await tab.getByRole("heading", { level: 1, name: "Cases" }).waitFor({ timeout: 15_000 });
  }
  house.line.release();
  for (const tab of tabs) await tab.locator('case-uploader[data-state="done"]').waitFor({ timeout: 90_000 });
});
