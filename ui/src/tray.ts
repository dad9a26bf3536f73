// <case-uploader>: the tray. It stands outside what navigation exchanges, holds the engine, and shows every file on its
// way. It takes "caseload-send" events from the page that has the drop target.
import { workerChecksum } from "./checksums.js";
import type { Item } from "./contract.js";
import type { Dropped } from "./dropped.js";
import { Engine } from "./engine.js";
import { count, duration, percent, size, text } from "./format.js";
import { make, pageWords, say } from "./page.js";
import { Rate } from "./rate.js";
import { browserTransport } from "./transport.js";
import { TrayList } from "./traylist.js";

/** What the drop target tells: files for a case. */
export interface SendDetail {
  caseId: string;
  number: string; // the case's, for people
  dropped: Dropped;
}

declare global {
  interface DocumentEventMap {
    "caseload-send": CustomEvent<SendDetail>;
  }
}

/** Milliseconds between two looks at the rate. */
const TICK = 500;
/** Parts of the way that are said aloud. */
const SPOKEN = [25, 50, 75];

export class CaseUploader extends HTMLElement {
  readonly engine = new Engine({
    transport: browserTransport,
    checksum: workerChecksum(new URL("worker.js", import.meta.url)),
    origin: location.origin,
    onChange: () => this.#draw(),
  });

  #words = pageWords();
  #rate = new Rate();
  #drawing = false;
  #junk = 0; // of this run
  #unreadable = 0;
  #nothing = false; // in the last drop
  #spoken = 0;
  #running = false;
  #ticker: number | undefined;

  #title = make("span");
  #percent = make("span");
  #bar = make("progress", { className: "thin", max: 100 });
  #amount = make("span");
  #left = make("span");
  #note = make("p", { className: "tray-note", hidden: true });
  #signIn = make("a", { href: "/sign-in", target: "_blank", textContent: text(this.#words, "signInDo") });
  #cancelAll = this.#button("cancelAll", () => this.engine.cancelAll());
  #retryAll = this.#button("retryAll", () => this.engine.retryAll());
  #fold = this.#button("hide", () => this.#toggle());
  #close = this.#button("close", () => this.#dismiss());
  #list = new TrayList(this.#words, {
    cancel: (item) => this.engine.cancel(item),
    retry: (item) => this.engine.retry(item),
  });

  connectedCallback(): void {
    this.setAttribute("role", "region");
    this.setAttribute("aria-label", text(this.#words, "tray"));
    this.#bar.setAttribute("aria-label", text(this.#words, "tray"));
    const title = make("div", { className: "tray-title" }, this.#title, this.#percent);
    const line = make("div", { className: "tray-line" }, this.#amount, this.#left);
    const buttons = make("div", { className: "tray-do" }, this.#cancelAll, this.#retryAll, this.#fold, this.#close);
    this.#unfold(false);
    this.replaceChildren(
      make("div", { className: "tray-head" }, title, this.#bar, line, this.#note, buttons),
      this.#list.element,
    );
    document.addEventListener("caseload-send", this.#take);
    addEventListener("beforeunload", this.#ask);
    addEventListener("online", this.#online);
    addEventListener("offline", this.#online);
    document.addEventListener("visibilitychange", this.#back);
    this.#online();
  }

  disconnectedCallback(): void {
    document.removeEventListener("caseload-send", this.#take);
    removeEventListener("beforeunload", this.#ask);
    removeEventListener("online", this.#online);
    removeEventListener("offline", this.#online);
    document.removeEventListener("visibilitychange", this.#back);
    clearInterval(this.#ticker);
  }

  #take = (event: CustomEvent<SendDetail>): void => {
    const { caseId, dropped } = event.detail;
    if (!this.#running) this.#begin();
    this.#junk += dropped.junk;
    this.#unreadable += dropped.unreadable;
    this.#nothing = dropped.sources.length === 0;
    if (!this.#nothing) say(count(this.#words, "sending", dropped.sources.length));
    this.hidden = false;
    this.engine.add(caseId, dropped.sources);
    this.#draw();
  };

  #begin(): void {
    if (this.engine.totals.live === 0) this.engine.clear();
    this.#running = true;
    this.#junk = this.#unreadable = this.#spoken = 0;
    this.#unfold(!matchMedia("(max-width: 44rem)").matches); // on a phone the list would cover the page
    this.#rate.reset();
    this.#ticker = window.setInterval(() => {
      this.#rate.sample(this.engine.totals.sent, performance.now());
      this.#draw();
    }, TICK);
  }

  #end(): void {
    this.#running = false;
    clearInterval(this.#ticker);
    const { done, failed } = this.engine.totals;
    if (failed === 0 && !this.#list.element.contains(document.activeElement)) this.#unfold(false); // no longer in the way
    const heard = [];
    if (done > 0) heard.push(count(this.#words, "done", done));
    if (failed > 0) heard.push(count(this.#words, "failed", failed));
    say(heard.join(". ") || text(this.#words, "cancelled"));
  }

  #ask = (event: BeforeUnloadEvent): void => {
    if (this.engine.totals.live > 0) event.preventDefault();
  };

  #online = (): void => this.engine.setOnline(navigator.onLine);

  /** Whoever comes back from another tab may have signed in there. */
  #back = (): void => {
    if (!document.hidden && this.engine.gate === "signIn") this.engine.retryAll();
  };

  #toggle(): void {
    this.#unfold(this.#list.element.hidden === true);
    this.#draw();
  }

  #unfold(shown: boolean): void {
    this.#list.element.hidden = !shown;
    this.#fold.setAttribute("aria-expanded", String(shown));
    this.#fold.textContent = text(this.#words, shown ? "hide" : "show");
  }

  #dismiss(): void {
    this.engine.clear();
    this.hidden = true;
    document.getElementById("main")?.focus({ preventScroll: true });
  }

  /** Draws once a frame at most, however often something changes. */
  #draw(): void {
    if (this.#drawing) return;
    this.#drawing = true;
    requestAnimationFrame(() => {
      this.#drawing = false;
      this.#render();
    });
  }

  #render(): void {
    const t = this.engine.totals;
    if (this.#running && t.live === 0) this.#end();
    if (!this.#running && t.live > 0) this.#begin();
    const done = percent(t.sent, t.bytes);
    this.dataset.state = this.#state(t.live, t.failed);
    this.#title.textContent = this.#headline(t.live, t.done, t.failed, t.files);
    this.#percent.textContent = t.live > 0 ? `${done} %` : "";
    this.#bar.value = t.files > 0 && t.live === 0 && t.failed === 0 ? 100 : done;
    this.#bar.hidden = t.files === 0;
    this.#amount.textContent = t.bytes > 0 ? this.#progress(t.sent, t.bytes, t.live) : "";
    this.#left.textContent = this.#remaining(t.bytes - t.sent, t.live);
    this.#cancelAll.hidden = t.live === 0;
    this.#retryAll.hidden = t.failed === 0 && this.engine.gate !== "signIn";
    this.#fold.hidden = this.engine.items.length === 0;
    this.#close.hidden = t.live > 0;
    this.#tell();
    if (!this.#list.element.hidden) this.#list.show(this.#ordered(t.failed));
    for (const step of SPOKEN) {
      if (t.live > 0 && done >= step && this.#spoken < step) {
        this.#spoken = step;
        say(text(this.#words, "percent", { n: step }));
      }
    }
  }

  /** The files as they were added; what failed stands first, or nobody would find it among a thousand. */
  #ordered(failed: number): readonly Item[] {
    const items = this.engine.items;
    if (failed === 0) return items;
    return [...items.filter((item) => item.state === "failed"), ...items.filter((item) => item.state !== "failed")];
  }

  #state(live: number, failed: number): string {
    if (live > 0) return this.engine.gate === "open" ? "sending" : this.engine.gate;
    return failed > 0 ? "failed" : "done";
  }

  #headline(live: number, done: number, failed: number, files: number): string {
    if (live > 0) return count(this.#words, "sending", files);
    if (failed > 0) return count(this.#words, "failed", failed);
    return done > 0 ? count(this.#words, "done", done) : text(this.#words, files > 0 ? "tray" : "cancelled");
  }

  #progress(sent: number, bytes: number, live: number): string {
    if (live === 0) return size(bytes);
    const amount = text(this.#words, "of", { done: size(sent), total: size(bytes) });
    const rate = this.#rate.perSecond;
    return rate > 0 && sent < bytes ? `${amount} · ${text(this.#words, "rate", { rate: size(rate) })}` : amount;
  }

  #remaining(rest: number, live: number): string {
    if (live === 0) return "";
    if (rest <= 0) return text(this.#words, "state.finishing");
    if (this.engine.gate === "offline") return text(this.#words, "offline");
    const seconds = this.#rate.secondsFor(rest);
    return seconds === undefined ? "" : text(this.#words, "left", { time: duration(this.#words, seconds) });
  }

  #tell(): void {
    const notes = [];
    if (this.engine.gate === "signIn") notes.push(text(this.#words, "signIn"));
    if (this.#nothing) notes.push(text(this.#words, "nothing"));
    if (this.#junk > 0) notes.push(count(this.#words, "junk", this.#junk));
    if (this.#unreadable > 0) notes.push(count(this.#words, "unreadable", this.#unreadable));
    if (this.engine.relay) notes.push(text(this.#words, "relay"));
    if (this.#note.firstChild?.textContent !== notes.join(" ")) this.#note.replaceChildren(notes.join(" "));
    if (this.engine.gate !== "signIn") this.#signIn.remove();
    else if (!this.#signIn.isConnected) this.#note.append(" ", this.#signIn);
    this.#note.hidden = notes.length === 0;
  }

  #button(word: string, act: () => void): HTMLButtonElement {
    const button = make("button", { type: "button", textContent: text(this.#words, word) });
    button.addEventListener("click", act);
    return button;
  }
}
