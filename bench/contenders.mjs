// Who sends the large file over the line, each in a Chromium of its own (curl without): the seconds from the choice of
// the file until the sender is told that it has arrived.
import { join } from "node:path";
import { build } from "esbuild";
import { atClient, sinkOrigin } from "./line.mjs";
import { ask, newCase, openBrowser, settled, signIn, work } from "./house.mjs";
import { run } from "./process.mjs";
import { MiB } from "./settings.mjs";
import { signedPut } from "./sign.mjs";
import { Watch } from "./watch.mjs";

const part = 32 * MiB;
let keys = 0;

/** Opens a browser on a new case of the site, lets use have it, and closes it. */
async function withCase(site, use) {
  const { context, page, profile } = await openBrowser(site.origin);
  try {
    await signIn(page, site.origin);
    const caseId = await newCase(page, site.origin);
    await page.waitForTimeout(1000); // idle: what the page loads has been loaded
    const measured = async (work) => {
      const watch = new Watch(profile);
      const served = site.busy();
      const seconds = await timed(work);
      return { seconds, cost: { ...watch.end(), served: Math.round((site.busy() - served) * 10) / 10 } };
    };
    return await use({ page, caseId, measured });
  } finally {
    await context.close();
  }
}

async function timed(work) {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}

/** Chooses files on the case's page, as a person does. */
export const choose = (page, path, how = "files") => page.setInputFiles(`[data-input=${how}]`, path);

/** Resolves when the tray has count files and none of them is on its way; fails when not all have arrived. */
export async function trayDone(page, count, within = 1_200_000) {
  const look = (count) => {
    const t = document.querySelector("case-uploader").engine.totals;
    return t.files === count && t.live === 0 ? t : false;
  };
  const handle = await page.waitForFunction(look, count, { timeout: within, polling: 50 });
  const totals = await handle.jsonValue();
  if (totals.done !== count) throw new Error(`only ${totals.done} of ${count} files have arrived: ${JSON.stringify(totals)}`);
}

/** Notes what the person would feel, in the page: tasks over 50 ms (Long Tasks API) and how long pre-flight reads. */
const feel = (page) =>
  page.evaluate(() => {
    const felt = (window.felt = { tasks: [], sending: 0, read: 0 });
    const { preflight, engine } = document.querySelector("case-uploader");
    new PerformanceObserver((list) => {
      for (const { startTime, duration } of list.getEntries()) if (felt.sending && startTime > felt.sending) felt.tasks.push(Math.round(duration));
    }).observe({ type: "longtask" });
    let began = 0;
    const look = setInterval(() => {
      if (preflight.busy) began ||= performance.now();
      else if (began) felt.read ||= performance.now() - began;
      if (felt.read && engine.totals.sent > 0) {
        felt.sending = performance.now();
        clearInterval(look);
      }
    }, 10);
  });

/** Our own page: the file is chosen, the tray says done. */
export const ours = (site, path, { count = 1, how = "files" } = {}) =>
  withCase(site, async ({ page, caseId, measured }) => {
    await feel(page);
    const result = await measured(async () => {
      await choose(page, path, how);
      await trayDone(page, count);
    });
    const felt = await page.evaluate(() => window.felt);
    await settled(page, caseId);
    return { ...result, felt };
  });

/** Pre-flight alone, sending paused: milliseconds from the choice of the folder until all is read. */
export const preflightAlone = (site, path, count) =>
  withCase(site, async ({ page }) => {
    await page.evaluate(() => {
      const { engine } = document.querySelector("case-uploader");
      const add = engine.add.bind(engine);
      engine.add = (...what) => {
        const items = add(...what);
        engine.pauseAll(); // at once, before anything of it is sent
        return items;
      };
    });
    await choose(page, path, "folder");
    const read = await page.waitForFunction(
      (count) => {
        const { preflight, engine } = document.querySelector("case-uploader");
        if (preflight.busy) window.readFrom ??= performance.now();
        return window.readFrom && !preflight.busy && engine.totals.files === count && performance.now() - window.readFrom;
      },
      count, { timeout: 120_000, polling: 10 },
    );
    return read.jsonValue();
  });

let bundle;
/** The plugin as its package ships it, for a page. */
async function uppyBundle() {
  bundle ??= await build({
    stdin: { contents: `export { default as Uppy } from "@uppy/core"; export { default as AwsS3 } from "@uppy/aws-s3";`, resolveDir: import.meta.dirname },
    bundle: true, write: false, format: "iife", globalName: "stock", platform: "browser", define: { "process.env.NODE_ENV": '"production"' }, logLevel: "error",
  });
  return bundle.outputFiles[0].text;
}

/** Stock Uppy over the Companion routes of the case. partSize 0: all at its defaults. */
export const uppy = (site, paths, { partSize = 0 } = {}) =>
  withCase(site, async ({ page, caseId, measured }) => {
    await page.addScriptTag({ content: await uppyBundle() });
    await page.evaluate(() => {
      const input = Object.assign(document.createElement("input"), { type: "file", multiple: true, id: "bench-files" });
      document.body.append(input);
    });
    await page.setInputFiles("#bench-files", paths);
    page.setDefaultTimeout(0);
    const result = await measured(async () => {
      const { successful, failed } = await page.evaluate(
        async ([caseId, partSize]) => {
          const uppy = new stock.Uppy();
          uppy.use(stock.AwsS3, { companionEndpoint: `/companion/cases/${caseId}`, ...(partSize ? { getChunkSize: () => partSize } : {}) });
          for (const file of document.querySelector("#bench-files").files)
            uppy.addFile({ name: file.name, type: file.type, data: file, meta: { size: file.size } });
          const result = await uppy.upload();
          return { successful: result.successful.length, failed: result.failed.map((file) => String(file.error)) };
        },
        [caseId, partSize],
      );
      if (failed.length > 0) throw new Error(`Uppy: ${successful} arrived, ${failed.length} failed: ${failed[0]}`);
    });
    await settled(page, caseId);
    return result;
  });

/** What the browser itself can push: the file in pieces, six XMLHttpRequests at once, nothing signed or summed meanwhile. */
async function push(page, path, urls, measured) {
  await page.evaluate(() => document.body.append(Object.assign(document.createElement("input"), { type: "file", id: "bench-files" })));
  await page.setInputFiles("#bench-files", path);
  page.setDefaultTimeout(0);
  return measured(() =>
    page.evaluate(
      async ([urls, part]) => {
        const [file] = document.querySelector("#bench-files").files;
        const put = (url, body) =>
          new Promise((resolve, reject) => {
            const request = new XMLHttpRequest();
            request.open("PUT", url);
            request.onload = () => (request.status < 300 ? resolve() : reject(new Error(`${request.status} ${request.responseText}`)));
            request.onerror = () => reject(new Error("network"));
            request.send(body);
          });
        let next = 0;
        const lane = async () => {
          while (next < urls.length) {
            const at = next++;
            await put(urls[at], file.slice(at * part, (at + 1) * part));
          }
        };
        await Promise.all(Array.from({ length: 6 }, lane));
      },
      [urls, part],
    ),
  );
}

const pieces = (size) => Array.from({ length: Math.ceil(size / part) }, () => `bench-${process.pid}-${++keys}`);

export const browserToStore = (site, path, { size }) =>
  withCase(site, ({ page, measured }) => push(page, path, pieces(size).map((key) => signedPut(site.store, key)), measured));

export async function browserToSink(site, path, { size }) {
  const { context, page, profile } = await openBrowser(site.origin);
  try {
    await page.goto(sinkOrigin + "/");
    return await push(page, path, pieces(size).map((key) => `${sinkOrigin}/${key}`), async (work) => {
      const watch = new Watch(profile);
      const seconds = await timed(work);
      return { seconds, cost: { ...watch.end(), served: 0 } };
    });
  } finally {
    await context.close();
  }
}

/** One signed PUT of the whole file. */
export async function curl(site, path) {
  const url = signedPut(site.store, `bench-${process.pid}-${++keys}`);
  const { out } = await run(atClient("curl", "-sS", "--fail-with-body", "-T", path, "-o", join(work, "curl.out"), "-w", "%{time_total}", url));
  return { seconds: Number(out) };
}

export const contenders = {
  ours: { title: "Caseload", send: ours },
  uppy: { title: "Uppy 6.3.1, defaults", send: uppy },
  uppy16: { title: "Uppy 6.3.1, parts of 16 MiB", send: (site, path) => uppy(site, path, { partSize: 16 * MiB }) },
  curl: { title: "curl -T, one signed PUT", send: curl },
  store: { title: "the browser alone, to the store", send: browserToStore },
  sink: { title: "the browser alone, to nowhere", send: browserToSink },
};
