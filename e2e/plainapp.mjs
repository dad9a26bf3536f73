// What examples/django does, in as few lines, for machines without Django: a page with Uppy and a forwarding with a token.
import { createReadStream } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";

const page = (id, files) => `<!doctype html><meta charset="utf-8"><title>Files</title><link rel="icon" href="data:,"><link rel="stylesheet" href="/static/uppy.css">
  <body data-endpoint="/uploads/${id}"><div id="files"></div>
  <table>${files.map((f) => `<tr><td>${f.name.replace(/[&<]/g, "")}</td><td>${f.state}</td></tr>`).join("")}</table><script src="/static/uppy.js"></script>`;

/** Serves the page of a case and its uploads on the port until the test ends. env as for examples/django. */
export async function plainApp(t, port, env) {
  const headers = { Authorization: `Bearer ${env.CASELOAD_TOKEN}` };
  const server = createServer(async (r, w) => {
    const [, kind, id, rest] = r.url.match(/^\/(cases|uploads|static)\/([^/?]+)\/?(.*)$/) ?? [];
    if (kind === "static") return void createReadStream(join(env.STATIC_FOLDER, id)).on("error", () => w.writeHead(404).end()).pipe(w);
    if (kind === "uploads" && /^s3\/[a-z0-9/]+(\?|$)/.test(rest)) {
      const body = r.method === "POST" ? Buffer.concat(await r.toArray()) : undefined;
      const answer = await fetch(`${env.CASELOAD_URL}/companion/cases/${id}/${rest}`, { method: r.method, body, headers: { ...headers, ...(body && { "Content-Type": "application/json" }) } });
      return void w.writeHead(answer.status, { "Content-Type": "application/json" }).end(Buffer.from(await answer.arrayBuffer()));
    }
    if (kind !== "cases") return void w.writeHead(404).end();
    const { files } = await (await fetch(`${env.CASELOAD_URL}/api/v1/cases/${id}/files`, { headers })).json();
    w.writeHead(200, { "Content-Type": "text/html; charset=utf-8" }).end(page(id, files));
  });
  server.listen(port, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
}
