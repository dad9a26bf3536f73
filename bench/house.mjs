// The house the figures are taken in: caseload at the server's end of the line, Chromium at the client's, and the files.
import { createHash, randomFillSync } from "node:crypto";
import { createReadStream, chmodSync, closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { atClient, atServer, serverAddress } from "./line.mjs";
import { cpuSeconds, run, start } from "./process.mjs";
import { bin, folder, MiB, storeBeside } from "./settings.mjs";

const browser = process.env.CASELOAD_TEST_CHROMIUM ?? "/usr/bin/chromium";
const admin = { organization: "Seoul Dental", name: "Kim", email: "kim@clinic.example", password: "correct horse battery staple" };

/** A folder of this run; it is removed at the end. */
export const work = mkdtempSync(join(folder, "caseload-bench-"));
process.once("exit", () => rmSync(work, { recursive: true, force: true }));

/** A file of random bytes, made once a size. */
const made = new Map();
export function largeFile(size) {
  if (!made.has(size)) {
    const path = join(work, `scan-${size / MiB}.bin`);
    const out = openSync(path, "w");
    const block = Buffer.alloc(8 * MiB);
    for (let left = size; left > 0; left -= block.length) writeSync(out, randomFillSync(block), 0, Math.min(left, block.length));
    closeSync(out);
    made.set(size, path);
  }
  return made.get(size);
}

/** A folder of CT slices of 0.5 MB. */
export async function sliceFolder(count) {
  const dir = join(work, `slices-${count}`);
  if (!made.has(dir)) {
    mkdirSync(dir);
    await run([join(bin, "slices"), "-dir", dir, "-count", String(count)]);
    made.set(dir, dir);
  }
  return dir;
}

export async function sha256(path) {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: MiB })) hash.update(chunk);
  return hash.digest("hex");
}

/** A stock versitygw at an address of its own at the server's end (BENCH_STORE=beside): another origin to the browser. */
const beside = { endpoint: `http://${serverAddress}:8081`, region: "us-east-1", bucket: "separate-bucket", access: "test-access", secret: "test-secret" };

/** Caseload at the server's end, with the database and, unless it is beside, the store inside. */
export class Site {
  origin = `http://${serverAddress}:8080`;
  #dir = mkdtempSync(join(work, "site-"));
  #settings;
  #process;
  #beside;

  static async start(settings = {}) {
    const site = new Site();
    site.#settings = settings;
    if (storeBeside) await site.#startBeside();
    await site.restart();
    return site;
  }

  async #startBeside() {
    const objects = join(this.#dir, "objects");
    mkdirSync(objects);
    const { endpoint, region, bucket, access, secret } = beside;
    const command = ["-dir", objects, "-addr", new URL(endpoint).host, "-bucket", bucket, "-access-key", access, "-secret-key", secret, "-origins", this.origin];
    this.#beside = await start(atServer(join(bin, "s3test"), ...command));
    Object.assign(this.#settings, {
      USE_S3: "True", AWS_S3_ENDPOINT_URL: endpoint, AWS_S3_REGION_NAME: region, AWS_STORAGE_BUCKET_NAME: bucket,
      AWS_S3_ADDRESSING_STYLE: "path", AWS_ACCESS_KEY_ID: access, AWS_SECRET_ACCESS_KEY: secret,
    });
  }

  /** Ends the server, if it runs, and starts it again over the same data. */
  async restart() {
    await this.#process?.stop();
    const env = { PATH: process.env.PATH, HOME: this.#dir, CASELOAD_ADDR: `${serverAddress}:8080`, ...this.#settings };
    this.#process = await start(atServer(process.env.CASELOAD_TEST_BINARY ?? join(bin, "caseload"), "serve"), { cwd: this.#dir, env });
  }

  async stop() {
    await this.#process.stop();
    await this.#beside?.stop();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  /** Processor seconds so far of the server and its store. */
  busy() {
    const processes = [this.#process, this.#beside].filter(Boolean);
    return processes.reduce((sum, { child }) => sum + cpuSeconds(child.pid), 0); // ip execs them
  }

  log() {
    return this.#process.log();
  }

  /** The store as a stranger with its credentials sees it. */
  get store() {
    if (this.#beside) return beside;
    const kept = JSON.parse(readFileSync(join(this.#dir, "caseload-data", "store", "credentials.json"), "utf8"));
    return { endpoint: this.origin, region: "us-east-1", bucket: "caseload-files", access: kept.access_key, secret: kept.secret_key };
  }
}

/** Chromium at the client's end, in a profile of its own. The site counts as secure, as it is behind TLS elsewhere. */
export async function openBrowser(origin, profile = mkdtempSync(join(work, "profile-"))) {
  const launcher = join(work, "chromium");
  writeFileSync(launcher, `#!/bin/sh\nexec ${atClient(browser).join(" ")} "$@" 2>/dev/null\n`);
  chmodSync(launcher, 0o700);
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: launcher,
    bypassCSP: true, // so that the contenders' scripts run in pages of the site
    args: ["--no-sandbox", "--disable-dev-shm-usage", `--unsafely-treat-insecure-origin-as-secure=${origin}`],
  });
  const page = context.pages()[0] ?? (await context.newPage());
  page.on("dialog", (dialog) => dialog.accept());
  return { context, page, profile };
}

/** Ends at the list of cases: as the first person of a new site, or signed in. */
export async function signIn(page, origin) {
  await page.goto(origin + "/");
  const first = await page.locator("[name=organization]").count();
  if (!first && page.url().includes("/cases")) return;
  for (const [name, value] of Object.entries(admin)) if (first || name === "email" || name === "password") await page.fill(`[name=${name}]`, value);
  await page.click("main form button.primary");
  await page.waitForURL("**/cases");
}

/** Asks the API as the page's person. */
export function ask(page, method, path, body) {
  return page.evaluate(
    async ([method, path, body]) => {
      const headers = body ? { "Content-Type": "application/json" } : {};
      const answer = await fetch("/api/v1" + path, { method, headers, body: body && JSON.stringify(body) });
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
      return answer.status === 204 ? undefined : answer.json();
    },
    [method, path, body],
  );
}

let number = 0;
/** Opens the page of a new case and returns its id. */
export async function newCase(page, origin) {
  const made = await ask(page, "POST", "/cases", { number: `LINE-${process.pid}-${++number}`, patient: "" });
  await page.goto(`${origin}/cases/${made.id}`);
  return made.id;
}

/** Waits until all that has arrived in the case is read: reading must not slow what is measured next. Returns all files. */
export async function settled(page, caseId, within = 300_000) {
  for (const until = performance.now() + within; performance.now() < until; ) {
    const { files } = await ask(page, "GET", `/cases/${caseId}/files`);
    if (!files.some((file) => ["stored", "reading"].includes(file.state))) return files;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  throw new Error(`the files of ${caseId} were not read within ${within / 1000} s`);
}
