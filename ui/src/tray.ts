// <case-uploader organization="…" user="…">: the tray. It stands outside what navigation exchanges, holds the engine, and
// shows every file on its way. It takes "caseload-send" events from the page that has the drop target.
import { workerChecksum } from "./checksums.js";
import { connections } from "./connections.js";
import type { Item, Totals } from "./contract.js";
import { Engine } from "./engine.js";
import { count, duration, percent, size, text } from "./format.js";
import { GoOn } from "./goon.js";
import { tabLocks } from "./locks.js";
import { pageWords, say } from "./page.js";
import { Preflight, type SendDetail } from "./preflight/preflight.js";
import { workerReader } from "./preflight/readers.js";
import { browserServer } from "./preflight/server.js";
import { Rate } from "./rate.js";
import { askSession, shareSession, type News } from "./session.js";
import { Speech } from "./speech.js";
import { TimeLeft } from "./timeleft.js";
import { Title } from "./title.js";
import { browserTransport, lanes } from "./transport.js";
import { TrayHead, type Action, type Note } from "./trayhead.js";
import { TrayList } from "./traylist.js";
import { headline, live, mood, type Standing } from "./traywords.js";

declare global {
  interface DocumentEventMap {
    "caseload-send": CustomEvent<SendDetail>;
  }
}

/** Milliseconds between two looks at the rate and at what is to be kept for later. */
const TICK = 500;
/** Milliseconds between two drawings at least: figures that change faster cannot be read. */
const DRAW = 500;
/** Milliseconds that a page has for itself before the workers are loaded. */
const READY = 200;
/** Up to this width the tray is a bar at the bottom of the window that opens to a sheet. */
const PHONE = "(max-width: 44rem)";

const checksums = workerChecksum(new URL("worker.js", import.meta.url));
const readers = workerReader(new URL("reader.js", import.meta.url));

export class CaseUploader extends HTMLElement {
  readonly engine = new Engine({
    transport: browserTransport,
    checksum: checksums.checksum,
    origin: location.origin,
    lanes: lanes(),
    connection: connections(navigator.locks)?.transfer,
    locks: tabLocks(navigator.locks),
    onChange: () => this.#draw(),
  });
  readonly preflight = new Preflight({
    engine: this.engine,
    reader: readers.reader,
    server: browserServer,
    beforeSending: () => this.#running || this.#begin(),
    onChange: () => this.#draw(),
  });

  #words = pageWords();
  #rate = new Rate();
  #left = new TimeLeft();
  #speech = new Speech(this.#words);
  #title = new Title();
  #goOn!: GoOn;
  #numbers = new Map<string, string>(); // of cases, by id
  #stranger = ""; // the organization that is signed in now, when it is another
  #running = false;
  #timer: number | undefined;
  #drawn = 0;
  #ticker: number | undefined;
  #unshare = () => {};

  #head = new TrayHead(
    this.#words,
    (action) => this.#act(action),
    () => this.#unfold(!this.hasAttribute("open")),
  );
  #list = new TrayList(this.#words, {
    pause: (item) => this.#do(() => this.engine.pause(item)),
    resume: (item) => this.#do(() => this.engine.resume(item)),
    cancel: (item) => this.#do(() => this.engine.cancel(item)),
    retry: (item) => this.#do(() => this.engine.retry(item)),
  });

  connectedCallback(): void {
    this.setAttribute("role", "region");
    this.setAttribute("aria-label", text(this.#words, "tray"));
    this.replaceChildren(this.#head.element, this.#list.element);
    this.#unfold(false);
    this.#goOn = new GoOn(
      this.engine,
      this.getAttribute("user") ?? "",
      () => this.#running || this.#begin(),
      () => this.#draw(),
    );
    this.#unshare = shareSession(this.#organization, this.#heard);
    document.addEventListener("caseload-send", this.#take);
    document.addEventListener("htmx:after:swap", this.#goOn.look);
    document.addEventListener("htmx:after:swap", this.#ready);
    document.addEventListener("visibilitychange", this.#back);
    document.addEventListener("click", this.#goOn.clicked);
    document.addEventListener("submit", this.#signOut, { capture: true });
    addEventListener("beforeunload", this.#ask);
    addEventListener("online", this.#online);
    addEventListener("offline", this.#online);
    this.#online();
    this.#goOn.look();
    this.#ready();
  }

  disconnectedCallback(): void {
    document.removeEventListener("caseload-send", this.#take);
    document.removeEventListener("htmx:after:swap", this.#goOn.look);
    document.removeEventListener("htmx:after:swap", this.#ready);
    document.removeEventListener("visibilitychange", this.#back);
    document.removeEventListener("click", this.#goOn.clicked);
    document.removeEventListener("submit", this.#signOut, { capture: true });
    removeEventListener("beforeunload", this.#ask);
    removeEventListener("online", this.#online);
    removeEventListener("offline", this.#online);
    this.#unshare();
    this.#title.stop();
    clearInterval(this.#ticker);
    clearTimeout(this.#timer);
  }

  get #organization(): string {
    return this.getAttribute("organization") ?? "";
  }

  // What comes in.

  #take = (event: CustomEvent<SendDetail>): void => {
    this.#numbers.set(event.detail.caseId, event.detail.number);
    this.preflight.take(event.detail);
  };

  /** Where something may be dropped, the workers are there before it is, and what is the same for every drop is known. */
  #ready = (): void => {
    if (!document.querySelector("case-drop:not([readonly])")) return;
    setTimeout(() => {
      checksums.start();
      readers.start();
      this.preflight.ready();
    }, READY);
  };

  #begin(): void {
    if (this.engine.totals.live === 0) this.engine.clear();
    this.#running = true;
    this.#unfold(!matchMedia(PHONE).matches); // there the list would cover the page
    this.#rate.reset();
    this.#left.forget();
    this.#list.begin();
    this.#ticker = window.setInterval(this.#tick, TICK);
  }

  #tick = (): void => {
    const { sent, resumed } = this.engine.totals;
    if (this.engine.gate !== "open" || this.engine.paused) this.#rate.rest();
    else this.#rate.sample(sent - resumed, performance.now());
    this.#goOn.keep();
    this.#draw();
  };

  #end(): void {
    this.#running = false;
    clearInterval(this.#ticker);
    this.#goOn.keep();
    if (this.engine.totals.failed === 0 && !this.#list.element.contains(document.activeElement)) this.#unfold(false); // no longer in the way
  }

  // The session and the network.

  #online = (): void => this.engine.setOnline(navigator.onLine);

  /** Whoever comes back from another tab may have signed in there. */
  #back = (): void => {
    if (!document.hidden && (this.engine.gate === "signIn" || this.#stranger)) void this.#askSession();
  };

  /** Another tab was loaded in a session: of somebody who signed in again, or of another organization? */
  #heard = ({ organization }: News): void => {
    const waits = this.engine.gate === "signIn" || this.#stranger !== "";
    if (waits || organization !== this.#organization) void this.#askSession();
  };

  async #askSession(): Promise<void> {
    const session = await askSession(this.#organization);
    if (session.is === "other") {
      if (!this.#stranger) this.engine.pauseAll(); // not a byte goes anywhere in another organization's name
      this.#stranger = session.organization;
    } else if (session.is === "own") {
      if (this.#stranger) this.engine.resumeAll();
      if (this.#stranger || this.engine.gate === "signIn") this.engine.retryAll();
      this.#stranger = "";
      document.dispatchEvent(new Event("caseload-signed-in"));
    }
    this.#draw();
  }

  /** Who signs out leaves no handle behind. */
  #signOut = (event: Event): void => {
    const form = event.target as HTMLFormElement;
    if (form.getAttribute("action") !== "/sign-out") return;
    event.preventDefault();
    void this.#goOn.forgetAll().finally(() => form.submit());
  };

  /** Asks before bytes would stop moving; what is paused or sent by another tab loses nothing. */
  #ask = (event: BeforeUnloadEvent): void => {
    const sending = this.engine.items.some(
      (item) => live(item) && item.state !== "paused" && item.state !== "elsewhere",
    );
    if (sending || this.preflight.busy) event.preventDefault();
  };

  // What the person does.

  #act(action: Action): void {
    switch (action) {
      case "goOn":
        return void this.#goOn.all();
      case "close":
        return this.#dismiss();
      case "cancelAll":
        this.preflight.giveUp();
        return this.#do(() => this.engine.cancelAll());
      default:
        this.#do(() => this.engine[action]());
    }
  }

  /** What a person does is seen at once. */
  #do(act: () => void): void {
    act();
    this.#drawAtOnce();
  }

  #unfold(open: boolean): void {
    this.toggleAttribute("open", open);
    this.#list.element.hidden = !open;
    this.#head.fold(open);
    this.#drawAtOnce();
  }

  #dismiss(): void {
    this.engine.clear();
    this.#goOn.dismiss();
    this.#render();
    document.getElementById("main")?.focus({ preventScroll: true });
  }

  // What is shown.

  /** Draws soon, however often something changes; also while nobody looks, for the title's sake. */
  #draw(): void {
    if (this.#timer !== undefined) return;
    const wait = Math.max(0, this.#drawn + DRAW - performance.now());
    this.#timer = window.setTimeout(() => {
      this.#timer = undefined;
      this.#drawn = performance.now();
      this.#render();
    }, wait);
  }

  #drawAtOnce(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#drawn = -Infinity;
    this.#draw();
  }

  #render(): void {
    const t = this.engine.totals;
    if (this.#running && t.live === 0 && !this.preflight.busy) this.#end(); // the rest of a drop is still to come
    if (!this.#running && t.live > 0) this.#begin();
    const standing = this.#standing(t);
    const now = mood(standing);
    const done = percent(t.sent, t.bytes);
    const { asking } = this.preflight;
    this.hidden = t.files === 0 && standing.unfinished === 0 && !asking && this.engine.items.length === 0;
    this.dataset.state = now;
    this.#head.show({
      mood: now,
      headline:
        asking && this.engine.items.length === 0 ? text(this.#words, "asking") : headline(this.#words, standing),
      percent: t.live > 0 ? done : undefined,
      bar: t.files > 0 && t.live === 0 && t.failed === 0 ? 100 : done,
      amount: this.#amount(t),
      left: this.#remaining(t),
      target: this.#target(),
      notes: this.#notes(standing),
      actions: this.#actions(t, standing),
      foldable: this.engine.items.length > 0,
    });
    if (!this.#list.element.hidden) this.#list.show(this.#ordered(t.failed), t.failed);
    this.#title.show(t.live > 0 && !this.engine.paused ? done : undefined, performance.now());
    const said = this.#speech.hear({
      live: t.live,
      done: t.done + t.received,
      failed: t.failed,
      percent: done,
      gate: this.engine.gate,
      paused: this.engine.paused,
      relayed: this.engine.relay !== undefined,
    });
    if (said.length > 0) say(said.join(" "));
    this.preflight.moved();
  }

  #standing(t: Totals): Standing {
    const elsewhere = t.live > 0 ? this.engine.items.filter(({ state }) => state === "elsewhere").length : 0;
    const unfinished = t.live > 0 ? 0 : this.#goOn.count;
    const { files, live, done, received, failed } = t;
    const { gate, paused } = this.engine;
    return { files, live, done: done + received, received, failed, elsewhere, gate, paused, unfinished };
  }

  /** The files as they were added; what failed stands first, or nobody would find it among a thousand. */
  #ordered(failed: number): readonly Item[] {
    const items = this.engine.items;
    if (failed === 0) return items;
    return [...items.filter((item) => item.state === "failed"), ...items.filter((item) => item.state !== "failed")];
  }

  #amount(t: Totals): string {
    if (t.bytes === 0) return "";
    if (t.live === 0) return size(t.bytes);
    const amount = text(this.#words, "of", { done: size(t.sent), total: size(t.bytes) });
    const rate = this.#rate.perSecond;
    const moving = rate >= 1 && t.sent < t.bytes && this.engine.gate === "open" && !this.engine.paused;
    return moving ? `${amount} · ${text(this.#words, "rate", { rate: size(rate) })}` : amount;
  }

  #remaining(t: Totals): string {
    if (t.live === 0 || this.engine.gate !== "open" || this.engine.paused || this.engine.outage) return "";
    if (t.sent >= t.bytes) return text(this.#words, "state.finishing");
    const seconds = this.#left.show(this.#rate.secondsFor(t.bytes - t.sent), performance.now());
    return seconds === undefined ? "" : text(this.#words, "left", { time: duration(this.#words, seconds) });
  }

  /** The case that is sent to, where the page shows something else. */
  #target(): { address: string; label: string } | undefined {
    const first = this.engine.items[0]?.caseId;
    const number = first && this.#numbers.get(first);
    if (!number || location.pathname === `/cases/${first}`) return undefined;
    if (this.engine.items.some(({ caseId }) => caseId !== first)) return undefined;
    return { address: `/cases/${first}`, label: number };
  }

  #notes(s: Standing): Note[] {
    const words = this.#words;
    const notes: Note[] = [];
    const note = (sentence: string, more: Omit<Note, "sentence"> = {}) => notes.push({ sentence, ...more });
    const signIn = { address: "/sign-in", label: text(words, "signInDo"), apart: true };
    if (this.#stranger) note(text(words, "stranger", { name: this.#stranger }), { urgent: true });
    else if (this.engine.gate === "signIn" && s.live > 0) note(text(words, "signIn"), { urgent: true, link: signIn });
    if (s.unfinished > 0) {
      if (s.files > 0) note(count(words, "unfinished", s.unfinished));
      note(count(words, "unfinishedDo", s.unfinished));
    }
    if (this.#goOn.unopened) note(text(words, "unopened"));
    if (this.engine.outage && s.live > 0) note(text(words, "outage"));
    const relay = this.engine.relay;
    if (relay && s.live > 0) note(text(words, `relay.${relay.code}`, { detail: relay.detail }));
    const { asking } = this.preflight;
    if (asking) {
      const link = {
        address: `/cases/${asking.caseId}#preflight`,
        label: text(words, "askingDo", { number: asking.number }),
      };
      note(this.engine.items.length > 0 ? text(words, "asking") : "", { urgent: true, link });
    }
    if (s.live === 0) for (const link of this.#receipts()) note("", { link });
    return notes;
  }

  /** The receipts of what has arrived, one for each drop. */
  #receipts(): { address: string; label: string }[] {
    const drops = new Map<string, number>();
    for (const { drop, state } of this.engine.items) {
      if (drop && (state === "done" || state === "received")) drops.set(drop, (drops.get(drop) ?? 0) + 1);
    }
    const one = drops.size === 1;
    return [...drops].map(([drop, files]) => ({
      address: `/drops/${drop}/receipt`,
      label: one ? text(this.#words, "receipt") : count(this.#words, "receiptOf", files),
    }));
  }

  #actions(t: Totals, s: Standing): Set<Action> {
    const may = new Set<Action>();
    if (s.unfinished > 0 && this.#goOn.able) may.add("goOn");
    if (t.paused < t.live && !this.#stranger) may.add("pauseAll");
    if (t.paused > 0 && !this.#stranger) may.add("resumeAll");
    if (t.failed > 0) may.add("retryAll");
    if (t.live > 0) may.add("cancelAll");
    else if (this.engine.items.length > 0 || s.unfinished > 0) may.add("close");
    return may;
  }
}
