// What a run measures: BENCH_MODE full (40 minutes at most) or quick (6 minutes), BENCH_ONLY a list of sections, BENCH_DIR
// where files and stores lie meanwhile, BENCH_LINES a list of profiles, BENCH_CONTENDERS a list of contenders,
// BENCH_SLICES how many slices, BENCH_STORE=inside the embedded store for the command lines, BENCH_STORE=beside a store at an
// address of its own for the browsers.
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const bin = join(dirname(fileURLToPath(import.meta.url)), "..", "bin");
export const MiB = 1 << 20;

const list = (name) => process.env[name]?.split(",").map((word) => word.trim());
export const quick = process.env.BENCH_MODE === "quick";
export const folder = process.env.BENCH_DIR ?? tmpdir();

export const wanted = (name) => list("BENCH_ONLY")?.includes(name) ?? true;
export const wantedLine = (name) => list("BENCH_LINES")?.includes(name) ?? true;
export const wantedContender = (name) => list("BENCH_CONTENDERS")?.includes(name) ?? true;

/** Bytes of the large file on each line, and of the other sections. */
export const sizes = quick
  ? { loss: 64 * MiB, lossCubic: 32 * MiB, stalls: 64 * MiB, middle: 256 * MiB, fast: 512 * MiB, interrupted: 256 * MiB, expiry: 64 * MiB, commands: 512 * MiB }
  : { loss: 256 * MiB, lossCubic: 128 * MiB, stalls: 256 * MiB, middle: 1024 * MiB, fast: 1024 * MiB, interrupted: 1024 * MiB, expiry: 128 * MiB, commands: 1024 * MiB };
/** Whether the browsers' store is a stock versitygw at an address of its own, where more connections may be open. */
export const storeBeside = process.env.BENCH_STORE === "beside";
/** Whether the command lines send into the embedded store, which only takes what is signed; aws and rclone cannot. */
export const storeInside = process.env.BENCH_STORE === "inside";
export const slices = Number(process.env.BENCH_SLICES ?? (quick ? 300 : 1000));
export const rounds = quick ? 1 : 3;
export const cutSeconds = quick ? 15 : 60;
