// The line between the two namespaces, from the harness's side: its profiles, its orders, its counts.
import { join } from "node:path";
import { bin } from "./settings.mjs";
import { run, start } from "./process.mjs";

export const serverAddress = "192.0.2.2"; // bench/line/pair_linux.go
const mtu = 1500;
const headers = 52; // of IPv4 and of TCP with timestamps
const millisecond = 1e6; // of Go's durations

const client = ["ip", "netns", "exec", "caseload-bench-client"];
const server = ["ip", "netns", "exec", "caseload-bench-server"];
export const atClient = (...command) => [...client, ...command];
export const atServer = (...command) => [...server, ...command];

/** The profiles. Each direction has the rate; loss and stalls, too, are of both. The queue holds 100 ms. */
export const profiles = {
  loss: { title: "50 Mbit/s, 80 ms, 0.5 % loss", rate: 50e6, rtt: 80, loss: 0.005 },
  lossCubic: { title: "50 Mbit/s, 80 ms, 0.5 % loss, TCP cubic", rate: 50e6, rtt: 80, loss: 0.005, congestion: "cubic" },
  stalls: { title: "50 Mbit/s, 80 ms, stalls of 1 s every 15 s", rate: 50e6, rtt: 80, stallEvery: 15, stallFor: 1 },
  middle: { title: "200 Mbit/s, 50 ms", rate: 200e6, rtt: 50 },
  fast: { title: "1 Gbit/s, 50 ms", rate: 1e9, rtt: 50, gather: true },
  slow: { title: "20 Mbit/s, 50 ms", rate: 20e6, rtt: 50 },
};

/** Bits of payload a second that a line carries at best: full packets, less their headers, less its stalls. */
export function payloadRate({ rate, stallEvery, stallFor }) {
  return ((rate * (mtu - headers)) / mtu) * (stallEvery ? 1 - stallFor / stallEvery : 1);
}

export class Line {
  #process;
  #answers = [];

  static async start() {
    const line = new Line();
    // Nice from the beginning, for all its threads: the line must not get slow because its ends are busy.
    line.#process = await start(["nice", "-n", "-15", join(bin, "line"), "-mtu", String(mtu)]);
    line.#process.lines.on("line", (text) => line.#answers.shift()?.(JSON.parse(text)));
    return line;
  }

  async stop() {
    await this.#process.stop();
  }

  async become(profile) {
    const direction = {
      rate: profile.rate,
      delay: (profile.rtt / 2) * millisecond,
      queue: 100 * millisecond,
      loss: profile.loss ?? 0,
      stall_every: (profile.stallEvery ?? 0) * 1000 * millisecond,
      stall_for: (profile.stallFor ?? 0) * 1000 * millisecond,
    };
    const gather = profile.gather ?? false;
    await this.#order({ profile: { up: direction, down: direction, gather, congestion: profile.congestion ?? "" } });
  }

  async cut(seconds) {
    await this.#order({ cut: seconds });
  }

  /** What went from client to server since the line was made. */
  async sent() {
    return (await this.#order({})).up;
  }

  async #order(order) {
    const answer = await new Promise((resolve) => {
      this.#answers.push(resolve);
      this.#process.child.stdin.write(JSON.stringify(order) + "\n");
    });
    if (answer.error) throw new Error(answer.error);
    return answer;
  }
}

/** The peer at the server's end: it swallows streams at port 9000 and PUTs at sinkOrigin. */
export const startPeer = () => start(atServer(join(bin, "peer"), "serve", "-addr", `${serverAddress}:9000`));
export const sinkOrigin = `http://${serverAddress}:9001`;

/** What plain TCP makes of the line: round trip, loss, rate of six streams. */
export async function probe(seconds) {
  const { out } = await run(atClient(join(bin, "peer"), "probe", "-to", `${serverAddress}:9000`, "-for", `${seconds}s`));
  return JSON.parse(out);
}
