// Bundles src into dist: app.js (pages and tray), worker.js (checksums), reader.js (pre-flight), the workers of the codecs with their
// WebAssembly, and style.css. The server serves dist under a checksum of its content, so file names stay plain.
import { context } from "esbuild";
import { cp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

for (const name of await readdir(here("dist"))) {
  if (!name.startsWith(".")) await rm(here(`dist/${name}`), { recursive: true });
}

const build = await context({
  absWorkingDir: here("."),
  entryPoints: {
    app: "src/app.ts",
    worker: "src/worker.ts",
    reader: "src/preflight/reader.ts",
    openjpeg: "src/decode/openjpeg.ts",
    charls: "src/decode/charls.ts",
    openjph: "src/decode/openjph.ts",
    "mesh-view": "src/mesh/view.ts",
    "mesh-reader": "src/mesh/worker.ts",
    "pdf-view": "src/pdf/view.ts",
    "pdf-worker": "pdfjs-dist/legacy/build/pdf.worker.min.mjs",
    style: "src/style.css",
    mark: "src/mark.svg",
  },
  entryNames: "[name]",
  outdir: "dist",
  bundle: true,
  format: "esm",
  target: ["es2022"],
  minify: true,
  legalComments: "none",
  loader: { ".svg": "copy", ".wasm": "file" },
  assetNames: "[name]",
  external: ["fs", "path"], // what the codecs would ask Node for
  logLevel: "warning",
});
// What PDFs may need that embed no fonts: character maps of Korean and others, the standard fonts.
for (const part of ["cmaps", "standard_fonts", "wasm"]) {
  await cp(here(`node_modules/pdfjs-dist/${part}`), here(`dist/pdf/${part}`), { recursive: true });
}
await writeFile(here("dist/licences.txt"), await licences());
if (process.argv.includes("--watch")) {
  await build.watch();
} else {
  await build.rebuild();
  await build.dispose();
}

/** The licences of everything that is bundled, as their packages carry them. */
async function licences() {
  const { dependencies } = JSON.parse(await readFile(here("package.json"), "utf8"));
  const texts = [];
  for (const name of Object.keys(dependencies)) {
    const home = `node_modules/${name}`;
    const { version, license, homepage } = JSON.parse(await readFile(here(`${home}/package.json`), "utf8"));
    const folders = name === "pdfjs-dist" ? ["", "wasm/"] : [""]; // PDF.js brings codecs of others
    texts.push(`${name} ${version} (${license}), ${homepage ?? ""}`);
    for (const folder of folders) {
      for (const file of (await readdir(here(`${home}/${folder}`)))
        .filter((file) => /^licen[cs]e/i.test(file))
        .sort()) {
        texts.push(await readFile(here(`${home}/${folder}${file}`), "utf8"));
      }
    }
  }
  return texts.map((text) => text.trim()).join("\n\n----\n\n") + "\n";
}
