// Processes of the harness: started, waited for, ended; none outlives it.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const running = new Set();
process.once("exit", () => running.forEach((child) => child.kill())); // SIGTERM: the line takes its namespaces down
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1));

/** Starts a program that says "ready" on its standard output, and resolves when it has. */
export async function start(command, options = {}) {
  const child = spawn(command[0], command.slice(1), { stdio: ["pipe", "pipe", "pipe"], ...options });
  running.add(child);
  let log = "";
  child.stderr.on("data", (chunk) => (log = (log + chunk).slice(-20_000)));
  const ended = new Promise((resolve) => child.once("exit", resolve)).then((code) => (running.delete(child), code));
  const lines = createInterface({ input: child.stdout });
  await new Promise((resolve, reject) => {
    lines.on("line", (line) => line.includes("ready") && resolve());
    child.once("error", reject);
    ended.then((code) => reject(new Error(`${command.join(" ")} ended with ${code}: ${log}`)));
  });
  const stop = async (signal = "SIGTERM") => {
    child.kill(signal);
    await ended;
  };
  return { child, lines, stop, log: () => log };
}

/** Runs a program to its end; tells seconds, standard output, the most memory it held (VmHWM, bytes) and its CPU seconds. */
export async function run(command, options = {}) {
  const began = performance.now();
  const child = spawn(command[0], command.slice(1), { stdio: ["ignore", "pipe", "pipe"], ...options });
  running.add(child);
  let out = "";
  let log = "";
  let memory = 0;
  let cpu = 0;
  child.stdout.on("data", (chunk) => (out += chunk));
  child.stderr.on("data", (chunk) => (log = (log + chunk).slice(-20_000)));
  const look = setInterval(() => {
    memory = Math.max(memory, figure(child.pid, "status", "VmHWM"));
    cpu = Math.max(cpu, cpuSeconds(child.pid));
  }, 50);
  const code = await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  clearInterval(look);
  running.delete(child);
  if (code !== 0) throw new Error(`${command.join(" ")} ended with ${code}: ${log}${out}`);
  return { seconds: (performance.now() - began) / 1000, out, memory, cpu };
}

/** A figure in kB of a file of /proc/PID, in bytes; 0 when the process is gone. */
export function figure(pid, file, name) {
  try {
    const found = new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(readFileSync(`/proc/${pid}/${file}`, "utf8"));
    return found ? Number(found[1]) * 1024 : 0;
  } catch {
    return 0;
  }
}

/** Seconds of CPU a process has used; 0 when it is gone. */
export function cpuSeconds(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const [user, system] = stat.slice(stat.lastIndexOf(")") + 2).split(" ").slice(11, 13);
    return (Number(user) + Number(system)) / 100; // clock ticks: sysconf(_SC_CLK_TCK) is 100 on Linux
  } catch {
    return 0;
  }
}
