// An application that shares its address with Caseload, as docs/uppy.md describes it: it serves a page with the stock Uppy
// and passes everything else on, Host unchanged. Tests look at what passes, hold it up and answer in its place.
import { readFileSync } from "node:fs";
import { createServer, request } from "node:http";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));

/** Bundles a script over the unmodified packages of one major version of Uppy, as a page's own build does: the head of a page. */
export async function bundle(script, major = 6) {
  const { outputFiles } = await build({
    stdin: { contents: script, resolveDir: major === 6 ? here : join(here, "uppy", String(major)) },
    bundle: true, write: false, outdir: "/", format: "iife", logLevel: "error", define: { "process.env.NODE_ENV": '"production"' },
  });
  const text = (kind) => outputFiles.filter((f) => f.path.endsWith(kind)).map((f) => f.text).join("\n").replaceAll("</", "<\\/");
  return { script: text(".js"), style: text(".css") };
}

/** The lines of docs/uppy.md that a page needs. */
export function documented() {
  return readFileSync(join(here, "..", "docs", "uppy.md"), "utf8").match(/```js\n(.*?)```/s)[1];
}

/**
 * Opens the door. pages: path → HTML. A rule (method, url) → status answers in Caseload's place; hold(match) keeps the next
 * request that matches until it is let go.
 */
export async function frontDoor(t) {
  let upstream;
  const door = { origin: "", seen: [], pages: {}, rule: () => undefined, to: (origin) => (upstream = new URL(origin)) };
  const held = [];
  door.hold = (match) => {
    const hold = { match };
    hold.reached = new Promise((resolve) => (hold.reach = resolve));
    hold.release = new Promise((resolve) => (hold.letGo = resolve));
    held.push(hold);
    return hold;
  };
  const server = createServer(async (r, w) => {
    const path = r.url.split("?")[0];
    if (door.pages[path] !== undefined) return void w.writeHead(200, { "Content-Type": "text/html; charset=utf-8" }).end(door.pages[path]);
    const seen = { method: r.method, url: r.url, bytes: Number(r.headers["content-length"] ?? 0), status: 0 };
    door.seen.push(seen);
    const i = held.findIndex((h) => h.match(r.method, r.url));
    if (i >= 0) {
      const [hold] = held.splice(i, 1);
      hold.reach(r.url);
      await hold.release;
    }
    const status = door.rule(r.method, r.url);
    if (status) {
      r.resume();
      seen.status = status;
      return void w.writeHead(status, { "Content-Type": "text/plain" }).end("by the test");
    }
    const out = request({ host: upstream.hostname, port: upstream.port, method: r.method, path: r.url, headers: r.headers }, (answer) => {
      seen.status = answer.statusCode;
      w.writeHead(answer.statusCode, answer.rawHeaders);
      answer.pipe(w);
    });
    out.on("error", () => w.destroy());
    r.on("close", () => r.complete || out.destroy());
    r.pipe(out);
  });
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  t.after(() => {
    for (const hold of held) hold.letGo();
    server.closeAllConnections();
    server.close();
  });
  door.origin = `http://127.0.0.1:${server.address().port}`;
  return door;
}
