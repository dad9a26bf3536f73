// The checksum worker in a real browser whose collector never rests: every reading ends, and with the right value.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const worker = fileURLToPath(new URL("../../dist/worker.js", import.meta.url));
const browserPath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);
const missing = [!existsSync(worker) && "ui/dist (make build)", !browserPath && "Chromium"].filter(Boolean);
const mustRun = (process.env.CASELOAD_TEST_MUST_RUN ?? "").split(",").includes("browser");
const skip = missing.length > 0 && !mustRun ? `SKIPPED: not here: ${missing.join(", ")}` : false;

/** The worker of the uploader, in whose pauses everything is collected that nobody holds. */
const collecting = `import "/worker.js";
const { port1, port2 } = new MessageChannel();
port1.onmessage = () => (gc(), port2.postMessage(0));
port2.postMessage(0);`;

/** MiB read one after another; without a hold on its reader the first one did not end. */
const READ = 30;

test(
  "no reading is lost to the collector between its last byte and its end",
  { skip, timeout: 60_000 },
  async ({ signal }) => {
    assert.deepEqual(missing, [], "CASELOAD_TEST_MUST_RUN names browser");
    const folder = await mkdtemp(join(tmpdir(), "caseload-checksums-"));
    const served = {
      "/": ["text/html", `<input type="file">`],
      "/worker.js": ["text/javascript", await readFile(worker)],
      "/collecting.js": ["text/javascript", collecting],
    };
    const server = createServer((request, response) => {
      const [type, body] = served[request.url] ?? ["text/plain", ""];
      response.setHeader("Content-Type", type).end(body);
    });
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    const args = ["--headless=new", "--no-sandbox", "--disable-gpu", "--js-flags=--expose-gc"];
    const browser = await chromium.launch({ executablePath: browserPath, args });
    signal.addEventListener("abort", () => void browser.close()); // a reading that does not end
    try {
      const file = join(folder, "part");
      await writeFile(file, Buffer.alloc(1 << 20, "123456789"));
      const page = await browser.newPage();
      await page.goto(`http://127.0.0.1:${server.address().port}/`);
      await page.setInputFiles("input", file);
      const answers = await page.evaluate(async (count) => {
        const thread = new Worker("/collecting.js", { type: "module" });
        const [blob] = document.querySelector("input").files;
        const asked = [];
        for (let id = 1; id <= count; id++) {
          asked.push(
            await new Promise((resolve, reject) => {
              thread.onmessage = ({ data }) => "alive" in data || resolve(data);
              thread.onerror = ({ message }) => reject(new Error(message));
              thread.postMessage({ id, blob });
            }),
          );
        }
        return asked;
      }, READ);
      assert.equal(answers.length, READ);
      for (const { id, crc, error } of answers) assert.equal(crc, answers[0].crc, `reading ${id}: ${error}`);
      assert.ok(answers[0].crc, answers[0].error);
    } finally {
      await browser.close();
      server.close();
      await rm(folder, { recursive: true, force: true });
    }
  },
);
