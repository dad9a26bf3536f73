// Compiles test/unit with esbuild and runs it in Node: no browser, no network.
import { spawnSync } from "node:child_process";
import { build } from "esbuild";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const out = await mkdtemp(join(here, "node_modules", ".test-"));
try {
  const tests = (await readdir(join(here, "test/unit"))).filter((name) => name.endsWith(".test.ts"));
  await build({
    absWorkingDir: here,
    entryPoints: tests.map((name) => `test/unit/${name}`),
    outdir: out,
    bundle: true,
    platform: "node",
    format: "esm",
    outExtension: { ".js": ".mjs" },
    packages: "external",
    sourcemap: "inline",
    logLevel: "warning",
  });
  const files = (await readdir(out)).map((name) => join(out, name));
  const { status } = spawnSync(process.execPath, ["--enable-source-maps", "--test", ...files], { stdio: "inherit" });
  process.exitCode = status ?? 1;
} finally {
  await rm(out, { recursive: true, force: true });
}
