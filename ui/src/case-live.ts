// <case-live src="…" target="#…" revision="n">: hears of every change by server-sent events and fetches its part of the
// page again, morphed in place: focus, scroll and what is open stay as they are.
import htmx from "htmx.org";

/** Milliseconds between two fetches at least. */
const PAUSE = 700;

export class CaseLive extends HTMLElement {
  #source: EventSource | undefined;
  #seen = "";
  #due = false;
  #fetching = false;
  #timer: number | undefined;

  connectedCallback(): void {
    if (this.hasAttribute("idle")) return; // nothing moves here any more
    this.#seen = this.getAttribute("revision") ?? "";
    this.#source = new EventSource(this.getAttribute("src") ?? "");
    this.#source.addEventListener("change", this.#changed);
    document.addEventListener("visibilitychange", this.#visible);
  }

  disconnectedCallback(): void {
    this.#source?.close();
    document.removeEventListener("visibilitychange", this.#visible);
    clearTimeout(this.#timer);
  }

  #changed = (event: MessageEvent<string>): void => {
    if (event.lastEventId === this.#seen) return;
    this.#seen = event.lastEventId;
    this.#due = true;
    this.#soon();
  };

  #visible = (): void => this.#soon();

  #soon(): void {
    if (!this.#due || this.#fetching || document.hidden) return;
    this.#fetching = true;
    this.#due = false;
    void this.#fetch().finally(() => {
      this.#timer = window.setTimeout(() => {
        this.#fetching = false;
        this.#soon();
      }, PAUSE);
    });
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
      this.#source?.close(); // signed out: the next click says so
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
  }
}
