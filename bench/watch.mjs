// What a browser costs, as the kernel counts it: memory over what it held at the start, and CPU.
import { readdirSync, readFileSync } from "node:fs";
import { cpuSeconds, figure } from "./process.mjs";

const read = (pid, name) => {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "utf8");
  } catch {
    return ""; // it has ended
  }
};

/** The processes of the browser with that profile: its own id, and all below it. */
export function processesOf(profile) {
  const parents = new Map();
  let main;
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number)) {
    const stat = read(pid, "stat");
    parents.set(pid, Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]));
    const command = read(pid, "cmdline");
    if (command.includes(`--user-data-dir=${profile}`) && !command.includes("--type=") && command.includes("/chromium/")) main ??= pid;
  }
  const below = (pid) => pid === main || (parents.has(pid) && below(parents.get(pid)));
  return { main, all: [...parents.keys()].filter((pid) => main && below(pid)) };
}

/** renderer, gpu-process, network, …; "browser" for the main one. */
function kindOf(pid) {
  const command = read(pid, "cmdline");
  return /--utility-sub-type=(\w+)/.exec(command)?.[1] ?? /--type=([\w-]+)/.exec(command)?.[1] ?? "browser";
}

/** Watches a browser from its making to end(). */
export class Watch {
  #kinds;
  #idle;
  #cpu;
  #peak = { page: 0, browser: 0 };
  #timer;

  constructor(profile) {
    this.#kinds = new Map(processesOf(profile).all.map((pid) => [pid, kindOf(pid)]));
    this.#idle = this.#memory();
    this.#cpu = this.#seconds();
    this.#timer = setInterval(() => {
      const now = this.#memory();
      for (const name of ["page", "browser"]) this.#peak[name] = Math.max(this.#peak[name], now[name]);
    }, 500);
  }

  /**
   * Bytes of memory that is not a file's: of the renderers, workers included, and of all processes. The kernel keeps these counts;
   * asking for shares (smaps_rollup) makes it walk every page: twice a second that took a tenth of both processors.
   */
  #memory() {
    let page = 0;
    let browser = 0;
    for (const [pid, kind] of this.#kinds) {
      const own = figure(pid, "status", "RssAnon");
      browser += own;
      if (kind === "renderer") page += own;
    }
    return { page, browser };
  }

  #seconds() {
    const seconds = {};
    for (const [pid, kind] of this.#kinds) seconds[kind] = (seconds[kind] ?? 0) + cpuSeconds(pid);
    return seconds;
  }

  /** Bytes over idle at the worst moment, bytes when idle, and CPU seconds by kind of process. */
  end() {
    clearInterval(this.#timer);
    const cpu = Object.entries(this.#seconds()).map(([kind, seconds]) => [kind, Math.round((seconds - this.#cpu[kind]) * 10) / 10]);
    return {
      idle: this.#idle.page,
      page: this.#peak.page - this.#idle.page,
      browser: this.#peak.browser - this.#idle.browser,
      cpu: Object.fromEntries(cpu.filter(([, seconds]) => seconds >= 0.1)),
    };
  }
}
