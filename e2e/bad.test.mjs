// What people drop that cannot go well, and people who may not: a clear line in the tray, and the rest goes on.
import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import { drop, folder, firstRun, launch, newCase, open, row, scan, site, skip } from "./house.mjs";

const MB = 1_000_000;
const settings = { CASELOAD_PART_SIZE: "5MiB", CASELOAD_DIRECT_THRESHOLD: "20MB", CASELOAD_MAX_FILE_SIZE: "80MB" };

test("bad input gets a clear line, and the rest goes on", { skip, timeout: 300_000 }, async (t) => {
  const house = await site(t, { watched: true, settings });
  const { line } = house;
  const browser = await launch(t);
  const dir = folder(t);
  const { page, context } = await open(t, { ...house, browser });
  page.on("dialog", (dialog) => dialog.accept());
  await firstRun(page);
  const tray = page.locator("case-uploader");
  const inTray = (name, state) => page.locator(`.tray-row[data-state="${state}"]`, { hasText: name });

  for (const [what, spoil, why] of [
    ["changes", (file) => appendFileSync(file, "!"), "was changed on your computer while it was sent"],
    ["vanishes", (file) => rmSync(file), "is no longer on your computer"],
  ]) {
    await t.test(`a file that ${what} while it is sent`, async () => {
      await newCase(page, what);
      const [bad, good] = [scan(dir, `${what}.raw`, 60), scan(dir, "good.stl", 1)];
      const reached = line.holdAfter(20 * MB);
      await page.setInputFiles("[data-input=files]", [bad, good]);
      await reached;
      spoil(bad);
      line.release();
      await inTray(basename(bad), "failed").filter({ hasText: why }).waitFor({ timeout: 60_000 });
      await row(page, "good.stl").waitFor({ timeout: 60_000 });
      await tray.filter({ hasText: "1 file was not sent" }).waitFor();
      assert.equal(await row(page, basename(bad)).count(), 0, "a file that changed was taken");
      await page.locator('case-uploader button:text-is("Close")').click();
    });
  }

  await t.test("two files of the same name in two folders", async () => {
    await newCase(page, "same name");
    for (const side of ["upper", "lower"]) {
      mkdirSync(join(dir, "scans", side), { recursive: true });
      writeFileSync(join(dir, "scans", side, "scan.stl"), side);
    }
    await page.setInputFiles("[data-input=folder]", join(dir, "scans"));
    await page.waitForFunction(() => document.querySelectorAll("li.file[data-state=ready]").length === 2);
    await page.getByRole("button", { name: "Show files" }).click();
    for (const side of ["upper", "lower"]) await inTray(`scans/${side}`, "done").waitFor();
    await page.locator('case-uploader button:text-is("Close")').click();
  });

  await t.test("a file over the limit is refused before a byte of it moves", async () => {
    await newCase(page, "too large");
    const large = join(dir, "large.raw");
    writeFileSync(large, "");
    truncateSync(large, 90 * MB);
    const before = line.passed;
    await page.setInputFiles("[data-input=files]", [large, scan(dir, "small.stl", 1)]);
    await page.getByText(/large\.raw/).and(page.getByText(/80 MB/)).or(inTray("large.raw", "failed").filter({ hasText: "80 MB" })).first().waitFor();
    await row(page, "small.stl").waitFor();
    assert.ok(line.passed - before < 2 * MB, "bytes of it moved");
    await page.locator('case-uploader button:text-is("Close")').click();
  });

  await t.test("an empty file, an empty folder, and a folder that cannot be opened", async () => {
    await newCase(page, "nothing");
    writeFileSync(join(dir, "empty.stl"), "");
    await page.setInputFiles("[data-input=files]", [join(dir, "empty.stl"), scan(dir, "full.stl", 1)]);
    await page.getByText(/empty/).filter({ hasText: /empty\.stl|not sent|The file is empty/ }).first().waitFor();
    await row(page, "full.stl").waitFor();
    mkdirSync(join(dir, "bare"), { recursive: true });
    await drop(page, context, join(dir, "bare"));
    await page.getByText("There was no file in what you dropped.").first().waitFor();
    mkdirSync(join(dir, "locked", "inner"), { recursive: true });
    writeFileSync(join(dir, "locked", "open.stl"), "solid");
    writeFileSync(join(dir, "locked", "inner", "secret.stl"), "solid");
    await page.evaluate(refuse, "inner"); // these tests may run as root, to whom nothing is locked
    await drop(page, context, join(dir, "locked"));
    await page.getByText("could not be opened on your computer: locked/inner").waitFor();
    await row(page, "open.stl").waitFor();
  });

  await t.test("a ZIP that is broken is sent anyway, and marked", async () => {
    await newCase(page, "broken");
    writeFileSync(join(dir, "broken.zip"), "PK\x03\x04 and then nothing that a ZIP has");
    await page.setInputFiles("[data-input=files]", join(dir, "broken.zip"));
    await row(page, "broken.zip").locator(".f-reason", { hasText: "cut off or damaged" }).waitFor();
  });

  await t.test("twenty thousand files: the page stays at hand, the rows in it are few", async () => {
    await newCase(page, "many");
    await page.evaluate(() => {
      const bytes = new Uint8Array(100);
      const sources = Array.from({ length: 20_000 }, (_, i) => {
        const file = new File([bytes], `slice${i}.dcm`);
        return { name: file.name, path: "volume", size: 100, type: "", modified: 0, slice: (start, end) => file.slice(start, end) };
      });
      document.querySelector("case-uploader").engine.add(location.pathname.split("/").pop(), sources);
    });
    await tray.filter({ hasText: "Sending 20,000 files" }).waitFor();
    const list = page.locator(".tray-list");
    await list.evaluate((element) => (element.scrollTop = element.scrollHeight));
    await inTray("slice19999.dcm", "queued").waitFor();
    assert.equal(await inTray("slice19999.dcm", "queued").getAttribute("aria-posinset"), "20000");
    assert.ok((await page.locator(".tray-row").count()) < 30, "all rows are in the page");
    await page.getByRole("link", { name: "Cases" }).first().click();
    await page.waitForURL("**/cases");
    await page.getByRole("button", { name: "Cancel all" }).click();
    await page.locator('case-uploader[data-state="cancelled"], case-uploader[data-state="done"]').waitFor();
  });
});

/** In the page: the system refuses to open the folder of this name, as it does without permission. */
function refuse(name) {
  const entryOf = DataTransferItem.prototype.webkitGetAsEntry;
  DataTransferItem.prototype.webkitGetAsEntry = function () {
    const entry = entryOf.call(this);
    const kind = Object.getPrototypeOf(entry);
    const reader = (kind.reader ??= kind.createReader);
    kind.createReader = function () {
      if (this.name !== name) return reader.call(this);
      return { readEntries: (_, failed) => failed(new DOMException("Permission denied", "NotReadableError")) };
    };
    return entry;
  };
}
