// <case-live src="…" target="#…" revision="n">: hears of every change by server-sent events and fetches its part of the
// page again, morphed in place: focus, scroll and what is open stay as they are. Only the tab that is looked at listens:
// browsers open six connections to one host, and hidden tabs must not take them from uploads.
import htmx from "htmx.org";
import { connections } from "./connections.js";

/** Milliseconds between two fetches at least; a page that took long is left alone for four times as long. */
const PAUSE = 700;
/** The same while this tab sends: its own progress makes most of the events, and the tray shows it. */
const PAUSE_SENDING = 3000;
/**
 * Milliseconds until a stream that the server refused is asked for again; a broken line the browser mends itself. Also
 * between two fetches while too many tabs listen for this one to have a stream.
 */
const AGAIN = 15_000;

export class CaseLive extends HTMLElement {
  #source: EventSource | undefined;
  #seen = "";
  #due = false;
  #fetched = -Infinity; // when last
  #fetching = false;
  #timer: number | undefined;
  #again: number | undefined;
  #without: number | undefined; // fetches again while there is no connection for a stream
  #hangUp = new AbortController();
  #later: number | undefined;

  connectedCallback(): void {
    if (this.hasAttribute("idle")) return; // nothing moves here any more
    this.#seen = this.getAttribute("revision") ?? "";
    document.addEventListener("visibilitychange", this.#looked);
    document.addEventListener("caseload-signed-in", this.#looked);
    this.#expect();
    if (!document.hidden) this.#listen();
  }

  disconnectedCallback(): void {
    this.#deaf();
    document.removeEventListener("visibilitychange", this.#looked);
    document.removeEventListener("caseload-signed-in", this.#looked);
    clearTimeout(this.#timer);
    clearTimeout(this.#later);
  }

  /** What only time changes (data-again: in so many seconds) is fetched without an event. */
  #expect(): void {
    clearTimeout(this.#later);
    const seconds = Number(document.querySelector<HTMLElement>(this.getAttribute("target") ?? "")?.dataset.again);
    if (!(seconds > 0)) return;
    this.#later = window.setTimeout(() => {
      this.#due = true;
      this.#soon();
    }, seconds * 1000);
  }

  #listen(): void {
    this.#deaf();
    const { signal } = (this.#hangUp = new AbortController());
    const connection = connections(navigator.locks)?.stream(signal);
    if (!connection) return this.#open();
    this.#without = window.setInterval(() => ((this.#due = true), this.#soon()), AGAIN);
    const listen = (release: () => void) => {
      clearInterval(this.#without);
      signal.addEventListener("abort", release);
      this.#open();
    };
    connection.then(listen, () => {}); // or nobody looks any longer
  }

  #open(): void {
    this.#source = new EventSource(this.getAttribute("src") ?? "");
    this.#source.addEventListener("change", this.#changed);
    this.#source.addEventListener("error", () => {
      if (this.#source?.readyState === EventSource.CLOSED) this.#again = window.setTimeout(this.#looked, AGAIN);
    });
  }

  #deaf(): void {
    clearTimeout(this.#again);
    clearInterval(this.#without);
    this.#hangUp.abort();
    this.#source?.close();
    this.#source = undefined;
  }

  #changed = (event: MessageEvent<string>): void => {
    if (event.lastEventId === this.#seen) return;
    this.#seen = event.lastEventId;
    this.#due = true;
    this.#soon();
  };

  /** Somebody looks at the tab again, or no longer. */
  #looked = (): void => {
    if (document.hidden) {
      this.#deaf();
      return;
    }
    this.#due = true; // whatever happened meanwhile
    this.#soon();
    this.#listen();
  };

  #soon(): void {
    if (!this.#due || this.#fetching || document.hidden) return;
    this.#fetching = true;
    const began = performance.now();
    if (this.#sending && began - this.#fetched < PAUSE_SENDING) return this.#rest(PAUSE);
    this.#due = false;
    this.#fetched = began;
    void this.#fetch().finally(() => this.#rest(Math.max(PAUSE, 4 * (performance.now() - began))));
  }

  #rest(pause: number): void {
    this.#timer = window.setTimeout(() => {
      this.#fetching = false;
      this.#soon();
    }, pause);
  }

  get #sending(): boolean {
    return document.querySelector<HTMLElement>("case-uploader")?.dataset.state === "sending";
  }

  async #fetch(): Promise<void> {
    const target = this.getAttribute("target") ?? "";
    const address = location.href;
    const response = await fetch(location.pathname + location.search, {
      headers: { "HX-Request": "true", Accept: "text/html" },
      credentials: "same-origin",
    }).catch(() => undefined); // the next event tries again
    if (!response || response.redirected || !this.isConnected) return;
    if (response.headers.has("HX-Redirect")) {
      this.#deaf(); // signed out: the next click says so, or somebody signs in again in another tab
      return;
    }
    if (!response.ok) return;
    const page = await response.text();
    if (location.href !== address) {
      this.#due = true; // searched or filtered meanwhile: this is the answer to another question
      return;
    }
    const place = document.querySelector(target);
    if (!place) return;
    await htmx.swap({
      text: page,
      target: place,
      select: target,
      swap: "outerMorph ignoreTitle:true",
      sourceElement: this,
    });
    this.#expect();
  }
}
