// What the tray says about one file, and about all of them. No DOM: tested in Node.
import type { Gate, Item } from "./contract.js";
import { count, percent, size, text, type Words } from "./format.js";

/** Whether a file is still on its way. */
export function live(item: Item): boolean {
  return !["done", "received", "failed", "cancelled"].includes(item.state);
}

/** What may be asked of a file beside cancelling it. */
export function asked(item: Item): "pause" | "resume" | "retry" | undefined {
  if (item.state === "failed") return "retry";
  if (item.state === "paused") return "resume";
  return ["queued", "checking", "sending"].includes(item.state) ? "pause" : undefined;
}

/** The folder a file came from, so that two of the same name differ. */
export function where(item: Item): string {
  return item.source.path;
}

/** How a file stands, in words. */
export function words(words: Words, item: Item): string {
  const { state, sent, resumedBytes } = item;
  const whole = item.source.size;
  if (state === "sending") {
    const amount = text(words, "of", { done: size(sent), total: size(whole) });
    return resumedBytes > 0 ? `${amount} · ${text(words, "resumed", { size: size(resumedBytes) })}` : amount;
  }
  if (state === "paused" && sent > 0) return text(words, "pausedAt", { n: percent(sent, whole) });
  const said = text(words, `state.${state}`);
  return state === "checking" || state === "elsewhere" || state === "failed" ? said : `${said} · ${size(whole)}`;
}

/** What went wrong and what to do: the server's own words, or ours where there was no answer. */
export function reason(words: Words, item: Item): string {
  const { code = "", detail = "", hint = "" } = item.error ?? {};
  if (words[`error.${code}`]) return text(words, `error.${code}`, { detail, hint }).trim();
  return `${words[detail] ?? detail} ${words[hint] ?? hint}`.trim();
}

/** What the tray knows of everything. */
export interface Standing {
  files: number; // cancelled ones left out
  live: number;
  done: number; // received ones among them
  received: number; // of these: were here already
  failed: number;
  elsewhere: number;
  gate: Gate;
  paused: boolean; // all that is live
  unfinished: number; // of the page's case, that nobody here sends
}

export type Mood =
  "sending" | "paused" | "offline" | "signIn" | "elsewhere" | "failed" | "done" | "cancelled" | "unfinished";

/** What the tray is about, all in all. */
export function mood(s: Standing): Mood {
  if (s.live > 0) {
    if (s.gate !== "open") return s.gate;
    if (s.paused) return "paused";
    return s.elsewhere === s.live ? "elsewhere" : "sending";
  }
  if (s.failed > 0) return "failed";
  if (s.done > 0) return "done";
  return s.unfinished > 0 && s.files === 0 ? "unfinished" : "cancelled";
}

export function headline(words: Words, s: Standing): string {
  switch (mood(s)) {
    case "sending":
      return count(words, "sending", s.files);
    case "paused":
      return text(words, "pausedAll");
    case "offline":
      return text(words, "offline");
    case "signIn":
      return text(words, "signInTitle");
    case "elsewhere":
      return count(words, "elsewhere", s.live);
    case "failed":
      return count(words, "failed", s.failed);
    case "done":
      return s.received === s.done ? count(words, "received", s.done) : count(words, "done", s.done);
    case "unfinished":
      return count(words, "unfinished", s.unfinished);
    case "cancelled":
      return text(words, "cancelled");
  }
}
