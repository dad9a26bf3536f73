// What every browser journey needs: the built binary in a folder of its own, a separate S3 server when asked for, the
// synthetic files, and Chromium. Nothing started here outlives the tests.
import { spawn, execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { after } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { line } from "./line.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const bin = join(here, "..", "bin");

export const caseload = process.env.CASELOAD_TEST_BINARY ?? join(bin, "caseload");

const browsers = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const found = process.env.CASELOAD_TEST_CHROMIUM ?? browsers.find(existsSync);

/** Why the journeys cannot run here, or false. Where CASELOAD_TEST_MUST_RUN names the browser they fail instead. */
export const skip = (() => {
  if (found) return false;
  const must = (process.env.CASELOAD_TEST_MUST_RUN ?? "").split(",").map((s) => s.trim());
  if (must.includes("browser")) throw new Error("Chromium is not installed, and CASELOAD_TEST_MUST_RUN names the browser");
  return "SKIPPED: Chromium is not installed";
})();

const endings = new WeakMap();

/** Does something when the test ends: what was begun last first, so that no folder goes while somebody writes into it. */
function atEnd(t, end) {
  if (!endings.has(t)) {
    endings.set(t, []);
    t.after(async () => {
      const faults = [];
      for (const end of endings.get(t).reverse()) await Promise.resolve().then(end).catch((error) => faults.push(error));
      if (faults.length > 0) throw faults[0];
    });
  }
  endings.get(t).push(end);
}

/** A temporary folder that is removed when the test ends. */
export function folder(t) {
  const dir = mkdtempSync(join(tmpdir(), "caseload-journey-"));
  atEnd(t, () => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** The synthetic files: large.zip (300 slices, 55 MB), small.zip (12 slices), lower.stl, photo.jpg, slice.dcm. */
export function files(t) {
  const dir = folder(t);
  execFileSync(join(bin, "phantom"), [dir]);
  return (name) => join(dir, name);
}

/** A port of loopback that nobody listens on just now. */
export async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Runs a program until the test ends; resolves at the first line of its standard output that holds the sign. */
export async function start(t, program, args, options, sign = "ready") {
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"], ...options });
  let log = "";
  child.stderr.on("data", (chunk) => (log += chunk));
  const ended = new Promise((resolve) => child.once("exit", resolve));
  process.once("exit", () => child.kill("SIGKILL"));
  atEnd(t, async () => {
    child.kill("SIGTERM");
    const late = setTimeout(() => child.kill("SIGKILL"), 10_000);
    await ended;
    clearTimeout(late);
  });
  await new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).on("line", (line) => line.includes(sign) && resolve(line));
    child.once("error", reject);
    ended.then((code) => reject(new Error(`${program} ended with ${code}: ${log}`)));
  });
  const kill = async () => {
    child.kill("SIGKILL");
    await ended;
  };
  return { log: () => log, kill };
}

/**
 * Starts caseload; settings are environment variables. separate: over an S3 server of its own, cross-origin, which takes
 * requests from pages of the origins named (the site's own unless told otherwise). watched: reached over a line.mjs.
 */
export async function site(t, { settings = {}, separate = false, watched = false, origins } = {}) {
  const address = `127.0.0.1:${await freePort()}`;
  const way = watched ? await line(t) : undefined;
  way?.to(address);
  const origin = way?.origin ?? `http://${address}`;
  const env = { PATH: process.env.PATH, CASELOAD_ADDR: address, ...(way && { CASELOAD_PUBLIC_URL: origin }), ...settings };
  let storeOrigin = origin;
  if (separate) {
    const storeAddress = `127.0.0.1:${await freePort()}`;
    storeOrigin = `http://${storeAddress}`;
    await start(t, join(bin, "s3test"), [
      "-dir", folder(t), "-addr", storeAddress, "-bucket", "separate-bucket",
      "-access-key", "test-access", "-secret-key", "test-secret", "-origins", origins ?? origin,
    ]);
    Object.assign(env, {
      USE_S3: "True", AWS_S3_ENDPOINT_URL: storeOrigin, AWS_S3_REGION_NAME: "us-east-1", AWS_STORAGE_BUCKET_NAME: "separate-bucket",
      AWS_S3_ADDRESSING_STYLE: "path", AWS_ACCESS_KEY_ID: "test-access", AWS_SECRET_ACCESS_KEY: "test-secret",
    });
  }
  const cwd = folder(t);
  let server = await start(t, caseload, ["serve"], { cwd, env });
  const kill = () => server.kill();
  const addUser = (email, organization, role = "member") =>
    execFileSync(caseload, ["user", "add", email, "--name", email, "--organization", organization, "--role", role], {
      cwd, env, input: admin.password, stdio: ["pipe", "ignore", "inherit"],
    });
  const again = async () => (server = await start(t, caseload, ["serve"], { cwd, env }));
  return { origin, storeOrigin, log: () => server.log(), line: way, kill, again, addUser, cwd };
}

const args = ["--no-sandbox", "--disable-dev-shm-usage"];

let shared; // the Chromium of one file of tests, begun by the first that wants it
after(async () => (await shared)?.close());

/** Starts a Chromium of the test's own, with further flags. */
export async function launch(t, flags = []) {
  const browser = await chromium.launch({ executablePath: found, args: [...args, ...flags] });
  atEnd(t, () => browser.close());
  return browser;
}

/** Starts a Chromium that the test kills by kill(), as a power cut would. */
export async function launchMortal(t) {
  const server = await chromium.launchServer({ executablePath: found, args });
  atEnd(t, () => server.kill());
  return { browser: await chromium.connect(server.wsEndpoint()), kill: () => server.kill() };
}

/**
 * Opens a page in a fresh profile, of the browser given or of the one that the tests of a file share. Errors on the page
 * and refusals of its policy fail the test that looks at faults.
 */
export async function open(t, { origin, mobile = false, dark = false, language = "en-US", browser, state }) {
  browser ??= await (shared ??= chromium.launch({ executablePath: found, args }));
  const context = await browser.newContext({
    baseURL: origin, locale: language, colorScheme: dark ? "dark" : "light", acceptDownloads: true, storageState: state,
    viewport: mobile ? { width: 390, height: 844 } : { width: 1440, height: 900 },
  });
  atEnd(t, () => context.close().catch(() => {})); // or the browser was killed
  refusePromises(context);
  const page = await context.newPage();
  const faults = [];
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
  return { page, context, faults };
}

/** Starts a Chromium of its own on a profile folder, as a person starts the browser; close() ends it, and what it keeps lies in the folder. */
export async function openProfile(t, { origin }, profile) {
  const context = await chromium.launchPersistentContext(profile, { executablePath: found, args, baseURL: origin });
  atEnd(t, () => context.close().catch(() => {})); // it may have been closed before
  refusePromises(context);
  return { page: context.pages()[0] ?? (await context.newPage()), context };
}

/** To page.waitForFunction the promise of an async function is a yes: whoever waits so waits for nothing. until() awaits it. */
function refusePromises(context) {
  const refuse = (page) => {
    const wait = page.waitForFunction.bind(page);
    page.waitForFunction = (condition, ...rest) => {
      if (condition.constructor.name === "AsyncFunction") throw new Error("waitForFunction does not await: ask by until()");
      return wait(condition, ...rest);
    };
  };
  context.pages().forEach(refuse);
  context.on("page", refuse);
}

/** Lets a page be told that nobody looks at it (cover(true)): headless Chromium shows every tab. For addInitScript. */
export const coverable = () => {
  let hidden = false;
  Object.defineProperty(Document.prototype, "hidden", { get: () => hidden });
  globalThis.cover = (covered) => {
    hidden = covered;
    document.dispatchEvent(new Event("visibilitychange"));
  };
};

export const admin = { organization: "Seoul Dental", name: "Kim", email: "kim@clinic.example", password: "correct horse battery staple" };

/** Writes a file of random bytes and returns its path: no two parts are alike, so that a wrong one would show. */
export function scan(dir, name, megabytes) {
  const path = join(dir, name);
  writeFileSync(path, randomBytes(megabytes * 1_000_000));
  return path;
}

/** First run: makes the first administrator and ends at the list of cases. */
export async function firstRun(page) {
  await page.goto("/");
  for (const [name, value] of Object.entries(admin)) await page.fill(`[name=${name}]`, value);
  await page.click("main form button.primary");
  await page.waitForURL("**/cases");
}

/** Signs in on the page that asks for it. */
export async function signIn(page, email = admin.email) {
  await page.fill("[name=email]", email);
  await page.fill("[name=password]", admin.password);
  await page.click("main form button.primary");
}

/** Opens a new case and returns its address. */
export async function newCase(page, patient) {
  await page.goto("/cases");
  await page.fill("#new-patient", patient);
  await page.click(".new-case button.primary");
  await page.waitForURL(/\/cases\/[0-9a-v]{26}$/);
  return page.url();
}

/** Drops a file or folder of this computer onto the page, as a pointer does. */
export async function drop(page, context, path) {
  const debug = await context.newCDPSession(page);
  const drag = { x: 600, y: 300, data: { items: [], files: [path], dragOperationsMask: 1 } };
  for (const type of ["dragEnter", "dragOver", "drop"]) await debug.send("Input.dispatchDragEvent", { type, ...drag });
}

/** Asks again and again until the answer, which may be a promise, is a yes. */
export async function until(condition, failure = "it did not come to pass") {
  const end = Date.now() + 30_000;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(failure);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/**
 * Waits until so many files have a handle in the browser's storage, as many roots as they were dropped with, and nothing
 * of ours beside them but ids. Nothing else the page stores may hold anything, either.
 */
export async function handlesKept(page, files, roots = files) {
  let found;
  const want = `${files} files, ${roots} roots`;
  await until(async () => (found = await page.evaluate(keptHandles)) === want).catch((error) => {
    throw new Error(`handles kept: ${found}, expected: ${want}`, { cause: error });
  });
}

/** In the page: what is kept. */
async function keptHandles() {
  const open = indexedDB.open("caseload-handles");
  open.onupgradeneeded = () => open.transaction.abort(); // the page has not made it yet
  const database = await new Promise((resolve) => ((open.onsuccess = () => resolve(open.result)), (open.onerror = () => resolve())));
  if (!database) return "0 files, 0 roots";
  const of = async (name) => {
    const all = database.transaction(name).objectStore(name).getAll();
    return await new Promise((resolve) => (all.onsuccess = () => resolve(all.result)));
  };
  const [files, roots] = [await of("files"), await of("roots")];
  database.close();
  for (const entry of files) if (Object.keys(entry).sort().join() !== "case,file,root") throw new Error(`kept: ${JSON.stringify(entry)}`);
  for (const entry of roots) if (Object.keys(entry).sort().join() !== "handle,user") throw new Error(`kept: ${JSON.stringify(entry)}`);
  if (localStorage.length + sessionStorage.length > 0) throw new Error(`kept: ${JSON.stringify({ ...localStorage, ...sessionStorage })}`);
  return `${files.length} files, ${roots.length} roots`;
}

/** The row of a file on the page of its case, once it is in the given state. */
export function row(page, name, state = "ready") {
  return page.locator(`li.file[data-state="${state}"]`, { has: page.locator("a.row-link", { hasText: name }) });
}

/** Downloads the file whose row says name, through the page as a person does. */
export async function download(page, name) {
  await row(page, name).locator("a.row-link").click();
  await page.waitForURL("**/files/*");
  const [got] = await Promise.all([page.waitForEvent("download"), page.click("a[href$='/download']")]);
  const path = await got.path();
  return { name: got.suggestedFilename(), sum: sum(path) };
}

/** What the server holds under a name in a case: how many rows, and of the one that arrived (else the first) id, state and SHA-256. */
export async function kept(page, address, name) {
  const { files } = await (await page.request.get(`/api/v1${new URL(address).pathname}/files`)).json();
  const rows = files.filter((file) => file.name === name);
  const { id, state, sha256 } = rows.find((file) => file.sha256) ?? rows[0] ?? {};
  return { rows: rows.length, id, state, sha256 };
}

export const sum = (path) => createHash("sha256").update(readFileSync(path)).digest("hex");
