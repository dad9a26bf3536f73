// A store that browsers cannot reach: the page finds out why, says so with a code, sends through the server instead, and
// administrators see that it happened.
import assert from "node:assert/strict";
import { test } from "node:test";
import { folder, firstRun, kept, newCase, open, row, scan, site, skip, sum } from "./house.mjs";

const settings = { CASELOAD_PART_SIZE: "5MiB", CASELOAD_DIRECT_THRESHOLD: "20MB" };

for (const { name, code, origins, closed } of [
  { name: "does not allow the page (CORS)", code: "STORE-CORS", origins: "http://elsewhere.example" },
  { name: "has its port closed to browsers", code: "STORE-UNREACHABLE", closed: true },
]) {
  test(`a store that ${name} is gone round, and the reason told`, { skip, timeout: 120_000 }, async (t) => {
    const house = await site(t, { separate: true, origins, settings });
    const { page, context } = await open(t, house);
    if (closed) await context.route(`${house.storeOrigin}/**`, (route) => route.abort("connectionrefused"));
    await firstRun(page);
    const address = await newCase(page, code);
    const file = scan(folder(t), "scan.raw", 40);
    const told = page.locator(".tray-note", { hasText: code }).waitFor();
    const relayed = page.waitForRequest((r) => r.method() === "PUT" && r.url().startsWith(`${house.origin}/api/v1/files/`));
    await page.setInputFiles("[data-input=files]", file);
    await told;
    await relayed;
    await row(page, "scan.raw").waitFor({ timeout: 60_000 });
    assert.equal((await kept(page, address, "scan.raw")).sha256, sum(file));
    await page.goto("/cases");
    await page.locator(".notice", { hasText: code }).waitFor();
  });
}
