// What an interruption costs: a file goes on where it was, and the line tells how many bytes were sent in all.
import { choose, trayDone } from "./contenders.mjs";
import { largeFile, newCase, openBrowser, settled, sha256, signIn, Site } from "./house.mjs";
import { profiles } from "./line.mjs";
import { processesOf } from "./watch.mjs";
import { keep, mib, number, table } from "./report.mjs";
import { cutSeconds, sizes, wantedContender } from "./settings.mjs";

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Resolves when that share of the file has left, as the tray says. */
const share = (page, part) =>
  page.waitForFunction(
    (part) => {
      const t = document.querySelector("case-uploader").engine.totals;
      return t.bytes > 0 && t.sent >= part * t.bytes;
    },
    part,
    { timeout: 600_000, polling: 50 },
  );

/** The case's page in a new browser. */
async function again(h) {
  Object.assign(h, await openBrowser(h.site.origin, h.profile));
  await signIn(h.page, h.site.origin);
  await h.page.goto(`${h.site.origin}/cases/${h.caseId}`);
}

/** Each interrupts h once while the file is on its way; what the person does afterwards belongs to it. */
const interruptions = {
  none: { title: "none, for comparison", count: 0, act: async () => {} },
  reload: {
    title: "the page reloaded at 40 %, the file chosen again",
    act: async (h) => {
      await share(h.page, 0.4);
      await h.page.reload();
      await choose(h.page, h.path);
    },
  },
  kill: {
    title: "the browser killed at 70 %, started again, the file chosen again",
    act: async (h) => {
      await share(h.page, 0.7);
      const gone = new Promise((resolve) => h.context.once("close", resolve));
      for (const pid of processesOf(h.profile).all) process.kill(pid, "SIGKILL");
      await gone;
      await again(h);
      await choose(h.page, h.path);
    },
  },
  restart: {
    title: "the server restarted at 50 %",
    act: async (h) => {
      await share(h.page, 0.5);
      await h.site.restart();
    },
  },
  cut: {
    title: `the line cut for ${cutSeconds} s at 30 %`,
    act: async (h) => {
      await share(h.page, 0.3);
      await h.line.cut(cutSeconds);
      await pause(cutSeconds * 1000);
    },
  },
  expiry: {
    title: "URLs that expire after 5 s, on a slow line",
    line: "slow",
    size: sizes.expiry,
    settings: { CASELOAD_URL_EXPIRY: "5s" },
    count: 0,
    act: async () => {},
  },
};

async function once(line, { line: profile = "middle", size = sizes.interrupted, settings, act, count = 1 }) {
  await line.become(profiles[profile]);
  const path = largeFile(size);
  const site = await Site.start(settings);
  const h = { line, site, path };
  try {
    Object.assign(h, await openBrowser(site.origin));
    await signIn(h.page, site.origin);
    h.caseId = await newCase(h.page, site.origin);
    const before = (await line.sent()).payload;
    const began = performance.now();
    await choose(h.page, path);
    await act(h);
    await trayDone(h.page, 1);
    const seconds = (performance.now() - began) / 1000;
    const sent = (await line.sent()).payload - before;
    const files = await settled(h.page, h.caseId);
    const whole = files.length === 1 && files[0].sha256 === (await sha256(path));
    const most = 1.05 * size + count * files[0].part_size;
    return { seconds, sent, size, files: files.length, part: files[0].part_size, whole, within: sent <= most, most };
  } finally {
    await h.context?.close();
    await site.stop();
  }
}

export async function interrupted(line) {
  const rows = [];
  for (const [name, interruption] of Object.entries(interruptions).filter(([name]) => wantedContender(name))) {
    const size = interruption.size ?? sizes.interrupted;
    try {
      const result = await once(line, interruption);
      keep("interruption", { interruption: name, ...result });
      const { seconds, sent, most, whole, within, part } = result;
      rows.push([interruption.title, mib(size), number(seconds, 1), mib(sent), number(sent / size, 3), `${mib(most)} (${within ? "kept" : "MISSED"})`, mib(part), whole ? "equal" : "NOT EQUAL"]);
    } catch (error) {
      console.error(`${name}: ${error.message}`);
      keep("interruption", { interruption: name, error: error.message });
      rows.push([interruption.title, mib(size), "failed", "–", "–", "–", "–", "–"]);
    }
  }
  table("Interruptions", ["interruption", "MiB", "seconds", "sent in all", "of the size", "at most", "part", "SHA-256"], rows);
}
