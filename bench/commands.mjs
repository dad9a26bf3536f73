// `caseload upload` beside other command lines: 1 GiB on loopback into the same store, a stock versitygw in a process of
// its own, whose credentials all of them have, or into the embedded store (BENCH_STORE=inside). By turns; each has its checksums on where it has any.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { largeFile, work } from "./house.mjs";
import { keep, megabits, median, mib, note, number, table } from "./report.mjs";
import { cpuSeconds, run, start } from "./process.mjs";
import { bin, rounds, sizes, storeInside, wantedContender } from "./settings.mjs";
import { signedPut } from "./sign.mjs";

const caseload = process.env.CASELOAD_TEST_BINARY ?? join(bin, "caseload");
const address = "127.0.0.1:18080";
const store = { endpoint: "http://127.0.0.1:18081", region: "us-east-1", bucket: "separate-bucket", access: "test-access", secret: "test-secret" };
const path = process.env.PATH;
let turn = 0;

/** A server with its store inside. What curl signs with is what this server made for itself. */
async function siteInside() {
  const dir = mkdtempSync(join(work, "commands-"));
  const env = { PATH: path, HOME: dir, CASELOAD_ADDR: address };
  const { token, server } = await serve(dir, env);
  const made = JSON.parse(readFileSync(join(dir, "caseload-data", "store", "credentials.json"), "utf8"));
  Object.assign(store, { endpoint: `http://${address}`, bucket: "caseload-files", access: made.access_key, secret: made.secret_key });
  const stop = async () => {
    await server.stop();
    rmSync(dir, { recursive: true, force: true });
  };
  return { dir, token, stop, busy: () => cpuSeconds(server.child.pid) };
}

/** Makes somebody who may send, and starts the server. */
async function serve(dir, env) {
  const command = (input, ...args) => execFileSync(caseload, args, { cwd: dir, env, input, encoding: "utf8", stdio: ["pipe", "pipe", "ignore"] });
  command("correct horse battery staple\n", "user", "add", "kim@clinic.example", "--organization", "Seoul Dental", "--role", "admin");
  const token = command("", "token", "create", "kim@clinic.example").trim();
  return { token, server: await start([caseload, "serve"], { cwd: dir, env }) };
}

/** A server over a store of its own, and what a client of it needs. */
async function site() {
  const dir = mkdtempSync(join(work, "commands-"));
  const objects = join(dir, "objects");
  mkdirSync(objects);
  const s3 = await start([
    join(bin, "s3test"), "-dir", objects, "-addr", new URL(store.endpoint).host, "-bucket", store.bucket,
    "-access-key", store.access, "-secret-key", store.secret,
  ]);
  const env = {
    PATH: path, HOME: dir, CASELOAD_ADDR: address, USE_S3: "True", AWS_S3_ENDPOINT_URL: store.endpoint, AWS_S3_REGION_NAME: store.region,
    AWS_STORAGE_BUCKET_NAME: store.bucket, AWS_S3_ADDRESSING_STYLE: "path", AWS_ACCESS_KEY_ID: store.access, AWS_SECRET_ACCESS_KEY: store.secret,
  };
  const { token, server } = await serve(dir, env);
  const stop = async () => {
    await server.stop();
    await s3.stop();
    rmSync(dir, { recursive: true, force: true });
  };
  const busy = () => cpuSeconds(server.child.pid) + cpuSeconds(s3.child.pid);
  return { dir, token, stop, busy };
}

/** Waits until the server has read what it was sent: reading must not slow the next one. */
async function quiet({ token }) {
  const ask = async (way) => (await fetch(`http://${address}/api/v1${way}`, { headers: { Authorization: `Bearer ${token}` } })).json();
  for (;;) {
    const { cases } = await ask("/cases");
    const all = await Promise.all(cases.map(async ({ id }) => (await ask(`/cases/${id}/files`)).files));
    if (!all.flat().some((file) => ["stored", "reading"].includes(file.state))) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

const aws = (settings) => (file, { dir }) => {
  const config = join(dir, "aws-config");
  writeFileSync(config, ["[default]", `region = ${store.region}`, "s3 =", "    addressing_style = path", ...settings, ""].join("\n"));
  const env = { PATH: path, HOME: dir, AWS_CONFIG_FILE: config, AWS_ACCESS_KEY_ID: store.access, AWS_SECRET_ACCESS_KEY: store.secret };
  return run(["aws", "--endpoint-url", store.endpoint, "s3", "cp", "--only-show-errors", file, `s3://${store.bucket}/bench-aws-${++turn}`], { env });
};

const rclone = (...options) => (file, { dir }) => {
  const remote = `:s3,provider=Other,env_auth=false,access_key_id=${store.access},secret_access_key=${store.secret},endpoint="${store.endpoint}",force_path_style=true`;
  const to = `${remote}:${store.bucket}/bench-rclone-${++turn}`;
  return run(["rclone", "copyto", "--config", "/dev/null", ...options, file, to], { env: { PATH: path, HOME: dir } });
};

const curl = (file) => run(["curl", "-sS", "--fail-with-body", "-T", file, signedPut(store, `bench-curl-${++turn}`)], { env: { PATH: path } });

const peers = {
  ours: {
    title: "caseload upload",
    sums: "CRC-64/NVME of each part",
    send: (file, { dir, token }) =>
      run([caseload, "upload", "--new-case", `bench ${++turn}`, file], { cwd: dir, env: { PATH: path, HOME: dir, CASELOAD_URL: `http://${address}`, CASELOAD_TOKEN: token } }),
  },
  aws: { title: "aws s3 cp, defaults", sums: "CRC-32 of each part", send: aws([]) },
  aws32: { title: "aws s3 cp, parts of 32 MiB", sums: "CRC-32 of each part", send: aws(["    multipart_chunksize = 32MB"]) },
  rclone: { title: "rclone copyto, defaults", sums: "MD5 of each part and the whole", send: rclone() },
  rclone32: { title: "rclone copyto, 8 parts of 32 MiB at once", sums: "MD5 of each part and the whole", send: rclone("--s3-chunk-size", "32M", "--s3-upload-concurrency", "8") },
  curl: {
    title: "curl -T, one signed PUT",
    sums: "none",
    send: curl,
  },
  curlSynced: {
    title: "curl -T, and what it sent forced to the disk",
    sums: "none",
    send: async (file, { dir }) => {
      const sent = await curl(file);
      const synced = await run(["sync", "-f", dir], { env: { PATH: path } });
      return { ...sent, seconds: sent.seconds + synced.seconds };
    },
  },
};

function version(...command) {
  try {
    return execFileSync(command[0], command.slice(1), { encoding: "utf8" }).split("\n")[0];
  } catch {
    return `${command[0]} is NOT INSTALLED`;
  }
}

export async function inCommands() {
  const size = sizes.commands;
  const file = largeFile(size);
  const s = storeInside ? await siteInside() : await site();
  const seen = new Map(Object.keys(peers).filter((name) => wantedContender(name) && !(storeInside && /aws|rclone/.test(name))).map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [name, figures] of seen) {
      await quiet(s);
      execFileSync("sync"); // nobody pays for what another left to be written
      try {
        const busy = s.busy();
        const { seconds, memory, cpu } = await peers[name].send(file, s);
        const figure = { seconds, memory, cpu, served: s.busy() - busy };
        figures.push(figure);
        keep("command", { contender: name, round, ...figure });
      } catch (error) {
        console.error(`${name}: ${error.message}`);
        keep("command", { contender: name, round, error: error.message });
      }
    }
  }
  await s.stop();
  const rows = [...seen].map(([name, figures]) => {
    const { title, sums } = peers[name];
    if (figures.length === 0) return [title, sums, "failed", "–", "–", "–", "–", "–"];
    const seconds = median(figures.map((f) => f.seconds));
    const each = figures.map((f) => number(f.seconds, 1)).join(", ");
    return [title, sums, number(seconds, 1), each, number(megabits(size, seconds) / 8, 0), number(median(figures.map((f) => f.cpu)), 1), number(median(figures.map((f) => f.served)), 1), mib(Math.max(...figures.map((f) => f.memory)))];
  });
  note(`${version("aws", "--version")}; ${version("rclone", "version")}; ${version("curl", "--version")}.`);
  table(`${mib(size)} MiB on loopback by command lines${storeInside ? " into the embedded store" : ""}, median of ${rounds}`, ["command", "checksums", "seconds", "each", "MB/s", "its CPU s", "server's CPU s", "its peak MiB"], rows);
}
