// What those hear who listen to the page: the few steps of an upload that matter, each once.
import type { Gate } from "./contract.js";
import { count, text, type Words } from "./format.js";

/** Parts of the way that are said, in percent. */
const STEPS = [75, 50, 25];

/** What the tray knows at a moment. */
export interface Moment {
  live: number; // files on their way
  done: number; // files received, those that were here already among them
  failed: number;
  percent: number;
  gate: Gate;
  paused: boolean; // all
  relayed: boolean; // through the server
}

const silent: Moment = { live: 0, done: 0, failed: 0, percent: 0, gate: "open", paused: false, relayed: false };

export class Speech {
  #last = silent;
  #step = 0;

  constructor(private readonly words: Words) {}

  /** The sentences to say now; mostly none. */
  hear(now: Moment): string[] {
    const last = this.#last;
    this.#last = now;
    const said: string[] = [];
    const began = now.live > 0 && last.live === 0;
    if (began) {
      this.#step = now.percent;
      said.push(count(this.words, "sending", now.live));
    }
    if (now.live > 0) {
      if (now.gate !== last.gate) said.push(this.#gate(now.gate, last.gate));
      if (now.paused !== last.paused) said.push(text(this.words, now.paused ? "saidPaused" : "saidResumed"));
      if (now.relayed && !last.relayed) said.push(text(this.words, "relay"));
      if (now.failed > 0 && (last.failed === 0 || began)) said.push(count(this.words, "failed", now.failed));
      const step = STEPS.find((s) => now.percent >= s && this.#step < s);
      if (step !== undefined) {
        this.#step = step;
        said.push(text(this.words, "percent", { n: step }));
      }
    } else if (last.live > 0) {
      if (now.done > 0) said.push(count(this.words, "done", now.done));
      if (now.failed > 0) said.push(count(this.words, "failed", now.failed));
      if (said.length === 0) said.push(text(this.words, "cancelled"));
    }
    return said;
  }

  #gate(now: Gate, last: Gate): string {
    if (now === "offline") return text(this.words, "offline");
    if (now === "signIn") return text(this.words, "signIn");
    return text(this.words, last === "offline" ? "online" : "signedIn");
  }
}
