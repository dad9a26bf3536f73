// The figures of uploading: `make bench-upload`. Everything is real (kernel, TCP, Chromium, server, store, disk) but the
// line, which bench/line makes between two network namespaces. It needs root and /dev/net/tun.
import { existsSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { inCommands } from "./commands.mjs";
import { interrupted } from "./interruptions.mjs";
import { Line } from "./line.mjs";
import { onLines, onSlices } from "./lines.mjs";
import { note } from "./report.mjs";
import { quick, wanted } from "./settings.mjs";

if (process.getuid() !== 0 || !existsSync("/dev/net/tun")) {
  console.error("CANNOT RUN: the line needs root, network namespaces and /dev/net/tun.");
  process.exit(1);
}

const began = performance.now();
note(`${new Date().toISOString()}, ${quick ? "quick" : "full"} run, ${cpus().length} cores (${cpus()[0].model.trim()}), load at the start ${loadavg()[0].toFixed(1)}.`);
const line = await Line.start();
try {
  if (wanted("lines")) await onLines(line);
  if (wanted("slices")) await onSlices(line);
  if (wanted("interruptions")) await interrupted(line);
} finally {
  await line.stop();
}
if (wanted("commands")) await inCommands();
note(`The run took ${Math.round((performance.now() - began) / 60_000)} minutes; load at the end ${loadavg()[0].toFixed(1)}.`);
process.exit(0);
