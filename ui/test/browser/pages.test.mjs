// Every page in a real browser, with the real server: is it accessible (axe, no serious finding) in light and dark, on a
// desk and a phone, in both languages; does the content security policy hold; does the tray survive navigation.
// CASELOAD_SCREENSHOTS=folder keeps a picture of each.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { document as pdf, mesh, photo, slice } from "./samples.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const binary = process.env.CASELOAD_TEST_BINARY ?? here("../../../bin/caseload");
const browserPath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);
const missing = [!existsSync(binary) && `the program (${binary}: make build)`, !browserPath && "Chromium"].filter(
  Boolean,
);
const mustRun = (process.env.CASELOAD_TEST_MUST_RUN ?? "").split(",").includes("browser");
const skip = missing.length > 0 && !mustRun ? `SKIPPED: not here: ${missing.join(", ")}` : false;

const pictures = process.env.CASELOAD_SCREENSHOTS;
const sizes = { desk: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } };

let origin, server, data, browser, axe;
const addresses = {};

before(async () => {
  if (skip) return;
  assert.deepEqual(missing, [], "CASELOAD_TEST_MUST_RUN names browser");
  axe = await readFile(here("../../node_modules/axe-core/axe.min.js"), "utf8");
  if (pictures) await mkdir(pictures, { recursive: true });
  data = await mkdtemp(join(tmpdir(), "caseload-ui-"));
  const port = await freePort();
  origin = `http://127.0.0.1:${port}`;
  server = spawn(binary, ["serve", "--addr", `127.0.0.1:${port}`, "--data", join(data, "data")], { cwd: data });
  await ready(server);
  browser = await chromium.launch({
    executablePath: browserPath,
    args: [
      "--headless=new",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--disable-quic",
    ],
  });
});

after(async () => {
  await browser?.close();
  if (server?.exitCode === null) {
    const ended = new Promise((resolve) => server.once("exit", resolve));
    server.kill("SIGTERM");
    await ended;
  }
  if (data) await rm(data, { recursive: true, force: true });
});

function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

/** Resolves when the server says that it is ready; rejects with what it said when it ends before. */
function ready(child) {
  const said = [];
  return new Promise((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        said.push(line);
        if (line.includes("ready at")) resolve();
      });
    }
    child.on("exit", (code) => reject(new Error(`the server ended with ${code}:\n${said.join("\n")}`)));
  });
}

async function open(options = {}) {
  const context = await browser.newContext({ baseURL: origin, viewport: sizes.desk, ...options });
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  return { context, page, complaints };
}

/** Runs axe by the debugger's own channel, which the content security policy does not touch. */
async function serious(page) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(
      ({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.target} (${node.any[0]?.message ?? ""})`).join("; ")}`,
    );
}

/** Looks at a page in both schemes and sizes. */
async function look(page, name, { full = true } = {}) {
  const found = [];
  for (const [size, viewport] of Object.entries(sizes)) {
    await page.setViewportSize(viewport);
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      found.push(...(await serious(page)).map((finding) => `${name} ${size} ${colorScheme}: ${finding}`));
      const wide = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      if (wide > 0) found.push(`${name} ${size}: ${wide}px wider than the window`);
      if (pictures)
        await page.screenshot({ path: join(pictures, `${name}-${size}-${colorScheme}.png`), fullPage: full });
    }
  }
  await page.setViewportSize(sizes.desk);
  assert.deepEqual(found, []);
}

/** Writes files into a folder of the test's own and returns their paths. */
async function written(contents, folder = "drop") {
  await mkdir(join(data, folder), { recursive: true });
  const paths = [];
  for (const [name, bytes] of Object.entries(contents)) {
    paths.push(join(data, folder, name));
    await writeFile(paths.at(-1), bytes);
  }
  return paths;
}

let state; // cookies of the first administrator

test("first run, sign-in and their mistakes", { skip }, async () => {
  const { context, page, complaints } = await open();
  await page.goto("/");
  await page.waitForURL("**/welcome");
  await look(page, "welcome");
  await page.getByLabel("Organization").fill("Hanbit Dental Clinic");
  await page.getByLabel("Name").fill("Dr. Seo Yuna");
  await page.getByLabel("E-mail").fill("yuna@hanbit.example");
  await page.getByLabel("Password").fill("three calm words");
  await page.getByRole("button", { name: "Set up Caseload" }).click();
  await page.waitForURL("**/cases");
  await look(page, "cases-empty");
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL("**/sign-in");
  await look(page, "sign-in");
  await page.getByLabel("E-mail").fill("yuna@hanbit.example");
  await page.getByLabel("Password").fill("three wrong words");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").waitFor();
  await look(page, "sign-in-wrong");
  await page.getByLabel("Password").fill("three calm words");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL("**/cases");
  state = await context.storageState();
  assert.deepEqual(
    complaints.filter((text) => !text.includes("401")),
    [],
  );
  await context.close();
});

test("a case fills while one looks; the tray survives navigation", { skip }, async () => {
  const { context, page, complaints } = await open({ storageState: state });
  await page.goto("/cases");
  for (const [number, patient] of [
    ["2025-0917", "Choi Jihoon, lower left"],
    ["2025-1104", "Park Seojun"],
  ]) {
    await page.getByLabel("Case number").fill(number);
    await page.getByLabel("Patient").fill(patient);
    await page.getByRole("button", { name: "New case" }).click();
    await page.getByRole("heading", { level: 1, name: number }).waitFor();
    await page.getByRole("link", { name: "Cases" }).first().click();
    await page.getByRole("heading", { level: 1, name: "Cases" }).waitFor();
  }
  await page.getByLabel("Patient").fill("Kim Minji, implant 26");
  await page.getByRole("button", { name: "New case" }).click();
  await page.waitForURL("**/cases/*");
  await page.getByText("Nothing here yet").waitFor();
  addresses.case = new URL(page.url()).pathname;
  await look(page, "case-empty");

  const files = await written({
    "Oberkiefer.stl": mesh(),
    "임대석 사진.jpg": photo(),
    "referral.pdf": pdf(),
    "scan.zip": Buffer.from("PK\x03\x04 this is no archive"),
    "Thumbs.db": Buffer.from("junk"),
    "panorama.raw": Buffer.alloc(60_000_000, 7), // goes straight to the store, in parts
  });
  const slices = {};
  for (let number = 1; number <= 24; number++) {
    if (number !== 13) slices[`slice${String(number).padStart(3, "0")}.dcm`] = slice({ number });
  }
  await written(slices, "Kim Minji CBCT");
  await page.evaluate(() => (globalThis.stays = document.querySelector("case-uploader")));
  await page.locator('[data-input="files"]').setInputFiles(files);
  await page.locator('[data-input="folder"]').setInputFiles(join(data, "Kim Minji CBCT"));
  const tray = page.getByRole("region", { name: "Sending" });
  await tray.waitFor();
  await page.getByRole("link", { name: "Cases" }).first().click();
  await page.getByRole("heading", { level: 1, name: "Cases" }).waitFor();
  if (pictures) await page.screenshot({ path: join(pictures, "tray-desk-dark.png") });
  assert.ok(
    await page.evaluate(() => globalThis.stays === document.querySelector("case-uploader")),
    "the tray was replaced",
  );
  await page.locator('case-uploader[data-state="done"]').waitFor();
  await look(page, "cases-tray", { full: false });
  await page.goBack();
  await page.getByRole("heading", { name: "Scans" }).waitFor();
  await page.locator('#contents[data-state="attention"]').waitFor();
  await page.locator("#scans").getByText("CBCT maxilla 0.2").waitFor();
  await page.getByText("slice 13 missing in series 1").waitFor();
  await page.locator("case-preflight").getByRole("button", { name: "Details" }).first().click();
  await page.getByText("1 system file was left out").waitFor();
  await tray.getByRole("button", { name: "Close" }).click();
  await look(page, "case");
  await page.getByText("Edit").click();
  await look(page, "case-edit", { full: false });
  await page.keyboard.press("Escape");
  await page.getByRole("link", { name: "임대석 사진.jpg" }).click();
  await page.getByRole("heading", { level: 1, name: "임대석 사진.jpg" }).waitFor();
  await look(page, "file");
  await page.goBack();
  await page.getByRole("link", { name: "scan.zip" }).click();
  await page.getByRole("heading", { level: 1, name: "scan.zip" }).waitFor();
  await look(page, "file-rejected");
  await page.goBack();
  await page.getByRole("heading", { level: 3, name: "Kim Minji CBCT" }).waitFor();
  await page.getByRole("link", { name: "Show all" }).click();
  await page.getByRole("link", { name: "slice001.dcm" }).click();
  await page.getByRole("heading", { level: 1, name: "slice001.dcm" }).waitFor();
  assert.equal(await page.locator("table.instances").isVisible(), false, "the instances are not folded");
  await page.getByRole("heading", { name: "Instances" }).click();
  await page.locator("table.instances").waitFor();
  await look(page, "file-dicom");
  assert.deepEqual(complaints, []);
  await context.close();
});

/** Lets a page be told that nobody looks at it: headless Chromium shows every tab. */
const coverable = () => {
  let hidden = false;
  Object.defineProperty(Document.prototype, "hidden", { get: () => hidden });
  globalThis.cover = (covered) => {
    hidden = covered;
    document.dispatchEvent(new Event("visibilitychange"));
  };
};

test(
  "ten tabs of one case leave room to work; a covered tab sends, and is fresh when looked at",
  { skip },
  async () => {
    const { context, page, complaints } = await open({ storageState: state });
    await context.addInitScript(coverable);
    await page.goto("/cases");
    await page.getByLabel("Patient").fill("Ten tabs");
    await page.getByRole("button", { name: "New case" }).click();
    await page.waitForURL("**/cases/*");
    let last = page;
    for (let tab = 2; tab <= 10; tab++) {
      await last.evaluate(() => globalThis.cover(true));
      last = await context.newPage();
      await last.goto(page.url(), { timeout: 10_000 });
    }
    await page.locator('[data-input="files"]').setInputFiles(await written({ "covered.stl": mesh() }));
    await page.locator('case-uploader[data-state="done"]').waitFor();
    await last.getByRole("link", { name: "covered.stl" }).waitFor();
    assert.equal(await page.getByRole("link", { name: "covered.stl" }).count(), 0, "a covered tab holds a stream");
    await page.evaluate(() => globalThis.cover(false));
    await page.getByRole("link", { name: "covered.stl" }).waitFor();
    assert.deepEqual(complaints, []);
    await context.close();
  },
);

test("impatient fingers and a session that ends while sending", { skip }, async () => {
  const { context, page, complaints } = await open({ storageState: state });
  await context.addInitScript(coverable);
  await page.goto("/cases");
  await page.getByLabel("Patient").fill("Clicked twice");
  await page.locator(".new-case button").evaluate((button) => {
    button.click();
    button.click();
  });
  await page.waitForURL("**/cases/*");
  await page.getByText("Edit", { exact: true }).click();
  await page.waitForFunction(() => document.activeElement.name === "number"); // the form gets the focus
  await page.keyboard.press("Escape");
  const session = (await context.cookies()).filter(({ name }) => name === "caseload");
  await context.clearCookies({ name: "caseload" });
  await page.locator('[data-input="files"]').setInputFiles(await written({ "late.stl": mesh() }));
  await page.locator(".tray-note").getByRole("link", { name: "Sign in" }).waitFor();
  assert.deepEqual(await serious(page), []);
  await context.addCookies(session);
  await page.evaluate(() => globalThis.cover(true));
  await page.evaluate(() => globalThis.cover(false)); // back from the tab in which one signed in
  await page.locator('case-uploader[data-state="done"]').waitFor();
  await page.goto("/cases?q=clicked");
  assert.equal(await page.locator("table.cases tbody tr").count(), 1, "two cases were opened");
  assert.deepEqual(
    complaints.filter((text) => !text.includes("401")),
    [],
  );
  await context.close();
});

test("a folder is dropped whole, in order, also where WebAssembly is refused", { skip }, async () => {
  const { context, page, complaints } = await open({ storageState: state });
  await context.route("**/worker.js", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: `delete globalThis.WebAssembly;\n${await response.text()}` });
  });
  await page.goto("/cases");
  await page.getByLabel("Patient").fill("Hong Gildong, folder");
  await page.getByRole("button", { name: "New case" }).click();
  await page.waitForURL("**/cases/*");
  const slices = {};
  for (let number = 1; number <= 120; number++) {
    slices[`${number}.dcm`] = slice({ patient: "Hong^Gildong", study: 2, number });
  }
  await written({ ...slices, "Thumbs.db": Buffer.from("junk") }, "Volume/axial"); // a browser lists a hundred at a time
  await written({ "report.pdf": pdf() }, "Volume");
  const debug = await context.newCDPSession(page);
  const drag = { x: 600, y: 500, data: { items: [], files: [join(data, "Volume")], dragOperationsMask: 1 } };
  for (const type of ["dragEnter", "dragOver"]) await debug.send("Input.dispatchDragEvent", { type, ...drag });
  await page.locator("case-drop[over]").waitFor();
  await debug.send("Input.dispatchDragEvent", { type: "drop", ...drag });
  await page.locator(".tray-title", { hasText: "Sending 121 files" }).waitFor();
  assert.deepEqual(
    await page
      .locator(".tray-name")
      .allInnerTexts()
      .then((names) => names.slice(0, 4)),
    ["report.pdf", "1.dcm", "2.dcm", "3.dcm"],
  );
  await page.locator(".tray-title", { hasText: "121 files received and verified" }).waitFor();
  await page.getByText("1 system file was left out").waitFor({ state: "attached" }); // folded by then, perhaps
  await page.locator('#contents[data-state="ready"]').waitFor();
  assert.match(await page.locator("tr[data-complete=true]").innerText(), /120[^]*complete/);
  assert.match(
    await page.getByRole("heading", { level: 3, name: "Volume/axial" }).locator("..").innerText(),
    /120 files/,
  );
  await page.goto("/cases?q=gildong%20hong");
  await page.getByRole("row", { name: /folder/ }).waitFor();
  assert.deepEqual(complaints, []);
  await context.close();
});

test("the list is searched as one types and walked by the arrows", { skip }, async () => {
  const { context, page, complaints } = await open({ storageState: state });
  await page.goto("/cases");
  await look(page, "cases");
  const rows = page.locator("table.cases tbody tr");
  assert.equal(await rows.count(), 6);
  await page.keyboard.press("/");
  await page.keyboard.type("seojun");
  await page.waitForURL("**/cases?q=seojun");
  await page.waitForFunction(() => document.querySelectorAll("table.cases tbody tr").length === 1);
  assert.equal(await page.evaluate(() => document.activeElement.id), "q", "typing lost the focus");
  await page.keyboard.press("ArrowDown");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "2025-1104");
  await page.keyboard.press("ArrowUp");
  assert.equal(await page.evaluate(() => document.activeElement.id), "q");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "2025-1104" }).waitFor();
  await page.goto("/cases?q=nobody");
  await page.getByText("No case fits").waitFor();
  await look(page, "cases-none");
  assert.deepEqual(complaints, []);
  await context.close();
});

test("people, account, tokens and errors", { skip }, async () => {
  const { context, page, complaints } = await open({ storageState: state });
  await page.goto("/users");
  await page.getByLabel("Name").last().fill("Lee Haneul");
  await page.getByLabel("E-mail").fill("haneul@hanbit.example");
  await page.getByLabel("First password").fill("calm words three");
  await page.getByRole("button", { name: "Add user" }).click();
  await page.getByText("haneul@hanbit.example").waitFor();
  await look(page, "users");
  await page.goto("/account");
  await look(page, "account");
  await page.goto("/tokens");
  await look(page, "tokens-empty");
  await page.getByLabel("What is it for?").fill("Practice software");
  await page.getByRole("button", { name: "Make token" }).click();
  await page.locator("#secret").waitFor();
  assert.match(await page.locator("#secret-text").innerText(), /^cl_/);
  await look(page, "tokens");
  assert.deepEqual(complaints, []);
  await page.goto("/cases/00000000000000000000000000");
  await page.getByRole("heading", { name: "Not found" }).waitFor();
  await look(page, "error");
  await context.close();
});

test("Korean, by the browser's wish and by choice", { skip }, async () => {
  const { context, page, complaints } = await open({ storageState: state, locale: "ko-KR", timezoneId: "Asia/Seoul" });
  await page.goto("/cases");
  await page.getByRole("heading", { level: 1, name: "케이스" }).waitFor();
  await look(page, "cases-korean");
  await page.goto(addresses.case);
  assert.equal(await page.evaluate(() => document.documentElement.dataset.zone), "Asia/Seoul");
  await look(page, "case-korean");
  await page.getByRole("link", { name: "English" }).click();
  await page.getByRole("link", { name: "한국어" }).waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.lang), "en");
  assert.deepEqual(complaints, []);
  await context.close();
});
