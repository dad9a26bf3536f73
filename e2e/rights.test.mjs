// People who may look and not send, and people who lose the right to send while they send.
import assert from "node:assert/strict";
import { test } from "node:test";
import { admin, drop, folder, firstRun, kept, launch, newCase, open, row, scan, signIn, site, skip, sum } from "./house.mjs";

const MB = 1_000_000;
const SIZE = 40; // MB
const settings = { CASELOAD_PART_SIZE: "5MiB", CASELOAD_DIRECT_THRESHOLD: "20MB" };
const [viewer, member] = ["viewer@clinic.example", "member@clinic.example"];

test("rights", { skip, timeout: 300_000 }, async (t) => {
  const house = await site(t, { watched: true, settings });
  const { line } = house;
  const browser = await launch(t);
  const dir = folder(t);
  const chief = await open(t, { ...house, browser });
  await firstRun(chief.page);
  house.addUser(viewer, admin.organization, "viewer");
  house.addUser(member, admin.organization);

  /** Changes a person's role, or shuts him out and in. */
  async function change(email, { role, disabled }) {
    await chief.page.goto("/users");
    const person = chief.page.locator("li.person", { hasText: email });
    await person.locator("summary").click();
    if (role) await person.locator("select").selectOption(role);
    if (disabled !== undefined) await person.getByRole("checkbox").setChecked(disabled);
    await person.getByRole("button", { name: "Save" }).click();
    await chief.page.locator("li.person", { hasText: email }).and(chief.page.locator(`[data-state=${disabled ? "disabled" : "active"}]`)).waitFor();
  }

  await t.test("who may only look sees the case, and nothing to send with", async (t) => {
    const address = await newCase(chief.page, "looked at");
    await chief.page.setInputFiles("[data-input=files]", scan(dir, "jaw.stl", 1));
    await row(chief.page, "jaw.stl").waitFor();
    const { page, context, faults } = await open(t, { ...house, browser });
    await page.goto(address);
    await signIn(page, viewer);
    await page.waitForURL(address);
    await row(page, "jaw.stl").waitFor();
    for (const name of [/Choose/, /Take photos/, /Edit/, /Delete/]) assert.equal(await page.getByRole("button", { name }).count(), 0, String(name));
    assert.equal(await page.locator("input[type=file]").count(), 0);
    assert.equal(await page.locator(".case-head summary").count(), 0);
    const before = line.passed;
    await page.evaluate(() => document.addEventListener("caseload-send", () => (globalThis.taken = true)));
    await drop(page, context, scan(dir, "mine.stl", 1));
    assert.equal(await page.locator("case-drop").getAttribute("message"), "You may look and download here, not send files.");
    assert.equal(await page.evaluate(() => globalThis.taken), undefined);
    assert.deepEqual([page.url(), await page.locator("case-uploader").isVisible()], [address, false]);
    await row(page, "jaw.stl").locator("a.row-link").click();
    await page.locator("a[href$='/download']").waitFor();
    assert.equal(line.passed, before);
    assert.deepEqual(faults, []);
  });

  /** A member sends; meanwhile something befalls him. */
  async function begin(t, name) {
    const { page, context } = await open(t, { ...house, browser });
    await page.goto("/cases");
    await signIn(page, member);
    await page.waitForURL("**/cases");
    const address = await newCase(page, name);
    const file = scan(dir, `${name}.raw`, SIZE);
    const reached = line.holdAfter(0.4 * SIZE * MB);
    await page.setInputFiles("[data-input=files]", file);
    await reached;
    return { page, context, address, file, name: `${name}.raw` };
  }

  async function arrived({ page, address, file, name }) {
    await row(page, name).waitFor({ timeout: 60_000 });
    assert.deepEqual(await kept(page, address, name).then(({ rows, sha256 }) => [rows, sha256]), [1, sum(file)]);
  }

  await t.test("who loses the right to send is told; given back, a click goes on", async (t) => {
    const sent = await begin(t, "demoted");
    await change(member, { role: "viewer" });
    line.release();
    const failed = sent.page.locator('.tray-row[data-state="failed"]', { hasText: sent.name });
    await failed.filter({ hasText: "Your role only allows looking and downloading." }).waitFor({ timeout: 60_000 });
    await change(member, { role: "member" });
    await sent.page.getByRole("button", { name: "Retry" }).first().click();
    await arrived(sent);
  });

  await t.test("who is shut out is asked to sign in; let in again, all goes on", async (t) => {
    const sent = await begin(t, "shut out");
    await change(member, { disabled: true });
    line.release();
    const note = sent.page.locator(".tray-note.urgent").getByRole("link", { name: "Sign in" });
    await note.waitFor({ timeout: 60_000 });
    await change(member, { disabled: false });
    const opened = sent.context.waitForEvent("page");
    await note.click();
    const tab = await opened;
    await signIn(tab, member);
    await tab.waitForURL("**/cases");
    await arrived(sent);
  });
});

test("leaving asks while files are sent, not while all is paused", { skip, timeout: 120_000 }, async (t) => {
  const house = await site(t, { watched: true, settings });
  const { page } = await open(t, house);
  await firstRun(page);
  await newCase(page, "left");
  const asked = [];
  page.on("dialog", (dialog) => (asked.push(dialog.type()), dialog.dismiss()));
  const reached = house.line.holdAfter(10 * MB);
  await page.setInputFiles("[data-input=files]", scan(folder(t), "asked.raw", SIZE));
  await reached;
  await page.close({ runBeforeUnload: true });
  await page.waitForFunction(() => document.visibilityState === "visible");
  assert.deepEqual(asked, ["beforeunload"]);
  await page.getByRole("button", { name: "Pause all" }).click();
  await page.locator('case-uploader[data-state="paused"]').waitFor();
  house.line.release();
  const gone = page.waitForEvent("close");
  await page.close({ runBeforeUnload: true });
  await gone;
  assert.deepEqual(asked, ["beforeunload"], "nothing is lost of what is paused");
});
