// Memory of Chromium's processes as the kernel counts it.
import { readdirSync, readFileSync } from "node:fs";
import { figure } from "./process.mjs";

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

/** Watches a browser: bytes over what it held at the start, at the worst moment. */
export class MemoryWatch {
  #all;
  #renderers;
  #idle;
  #peak = { page: 0, browser: 0 };
  #timer;

  constructor(profile) {
    this.#all = processesOf(profile).all;
    this.#renderers = this.#all.filter((pid) => read(pid, "cmdline").includes("--type=renderer"));
    this.#idle = this.#look();
    this.#timer = setInterval(() => {
      const now = this.#look();
      for (const name of ["page", "browser"]) this.#peak[name] = Math.max(this.#peak[name], now[name]);
    }, 250);
  }

  /** page: private bytes of the renderers, workers included. browser: the proportional share of all processes. */
  #look() {
    let page = 0;
    let browser = 0;
    for (const pid of this.#all) {
      browser += figure(pid, "smaps_rollup", "Pss");
      if (!this.#renderers.includes(pid)) continue;
      page += figure(pid, "smaps_rollup", "Private_Clean") + figure(pid, "smaps_rollup", "Private_Dirty");
    }
    return { page, browser };
  }

  end() {
    clearInterval(this.#timer);
    return { idle: this.#idle.page, page: this.#peak.page - this.#idle.page, browser: this.#peak.browser - this.#idle.browser };
  }
}
