// The large file and the folder of slices over each line, all contenders side by side.
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { contenders, ours, preflightAlone, uppy } from "./contenders.mjs";
import { largeFile, Site, sliceFolder } from "./house.mjs";
import { payloadRate, probe, profiles, startPeer } from "./line.mjs";
import { run } from "./process.mjs";
import { keep, megabits, mib, note, number, table } from "./report.mjs";
import { folder, quick, sizes, slices, wantedContender, wantedLine } from "./settings.mjs";

/** The contenders of a line; those left out would tell nothing new there. */
const byLine = {
  loss: ["ours", "uppy", "uppy16", "curl", "store"],
  lossCubic: ["ours", "store"], // one stream alone, as curl has, would take ten minutes
  stalls: ["ours", "uppy", "uppy16", "curl", "store"],
  middle: ["ours", "uppy", "uppy16", "curl", "store"],
  fast: ["ours", "uppy", "uppy16", "curl", "store", "sink"],
};

async function checked(line, name) {
  const profile = profiles[name];
  await line.become(profile);
  const seen = await probe(quick ? 4 : 8);
  keep("probe", { line: name, ...seen });
  note(
    `The line "${profile.title}" as plain TCP finds it: ${number(seen.rate / 1e6, 0)} Mbit/s of payload by six streams ` +
      `(at best ${number(payloadRate(profile) / 1e6, 0)}), round trip ${number(seen.round_trip, 1)} ms, ${number(seen.loss * 100, 2)} % of datagrams lost on the way and back.`,
  );
  await line.become(profile); // its losses begin anew
  return profile;
}

/** Lets one contender send; a failure is a line of the table, not the end of the run. What others wrote is on the disk before. */
async function attempt(line, name, contender, work) {
  await run(["sync", "-f", folder]);
  const before = (await line.sent()).payload;
  try {
    const result = await work();
    const sent = (await line.sent()).payload - before;
    keep("line", { line: name, contender, ...result, sent });
    return { ...result, sent };
  } catch (error) {
    console.error(`${name}, ${contender}: ${error.message}`);
    keep("line", { line: name, contender, error: error.message });
    return { error };
  }
}

function rows(results, size, best) {
  const own = results.get("ours")?.seconds;
  return [...results].map(([name, { seconds, error }]) => {
    const rate = megabits(size, seconds);
    if (error) return [contenders[name].title, "failed", "–", "–", "–"];
    return [contenders[name].title, number(seconds, 1), number(rate, 1), number((rate * 1e6) / best), own ? number(seconds / own) : "–"];
  });
}

const head = ["contender", "seconds", "Mbit/s", "of the line", "times Caseload's"];

export async function onLines(line) {
  const peer = await startPeer();
  for (const name of Object.keys(byLine).filter(wantedLine)) {
    const profile = await checked(line, name);
    const size = sizes[name];
    const path = largeFile(size);
    const site = await Site.start();
    const results = new Map();
    for (const contender of byLine[name].filter(wantedContender))
      results.set(contender, await attempt(line, name, contender, () => contenders[contender].send(site, path, { size })));
    await site.stop();
    table(`${profile.title}: ${mib(size)} MiB`, head, rows(results, size, payloadRate(profile)));
    const cost = results.get("ours")?.cost;
    if (cost) note(`Memory over idle while ${mib(size)} MiB went out: the page ${mib(cost.page)} MiB (idle ${mib(cost.idle)}), all of Chromium ${mib(cost.browser)} MiB.`);
    for (const [contender, { cost }] of results)
      if (cost && name === "fast") note(`CPU seconds, ${contenders[contender].title}: ${Object.entries(cost.cpu).map(([kind, seconds]) => `${kind} ${seconds}`).join(", ")}; the server with its store ${cost.served}.`);
  }
  await peer.stop();
}

export async function onSlices(line) {
  const peer = await startPeer();
  const profile = await checked(line, "middle");
  const dir = await sliceFolder(slices);
  const paths = readdirSync(dir).map((name) => join(dir, name));
  const size = paths.reduce((sum, path) => sum + statSync(path).size, 0);
  const site = await Site.start();
  const results = new Map();
  if (wantedContender("ours")) results.set("ours", await attempt(line, "slices", "ours", () => ours(site, dir, { count: slices, how: "folder" })));
  if (wantedContender("ours")) {
    const alone = await preflightAlone(site, dir, slices);
    note(`Pre-flight alone, sending paused, read ${slices} slices in ${number(alone / 1000)} s: ${number((1000 * slices) / alone, 0)} a second.`);
  }
  if (wantedContender("uppy")) results.set("uppy", await attempt(line, "slices", "uppy", () => uppy(site, paths)));
  await site.stop();
  const { felt, cost } = results.get("ours") ?? {};
  if (felt) {
    note(`Pre-flight read ${slices} slices in ${number(felt.read / 1000)} s: ${number((1000 * slices) / felt.read, 0)} a second, while the first were sent.`);
    note(`Tasks over 50 ms in the page while ${slices} rows were sent, pre-flight over: ${felt.tasks.length}, the longest ${Math.max(0, ...felt.tasks)} ms.`);
    note(`CPU seconds: ${Object.entries(cost.cpu).map(([kind, seconds]) => `${kind} ${seconds}`).join(", ")}; the server with its store ${cost.served}.`);
  }
  table(`${profile.title}: ${slices} slices, ${mib(size)} MiB`, head, rows(results, size, payloadRate(profile)));
  await peer.stop();
}
