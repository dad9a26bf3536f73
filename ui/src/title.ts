// The window's title tells how far the sending is, before what the page itself is called. Pages change their title
// (soft navigation does): whatever it becomes is kept and given back in the end.

/** Between the percentage and the page's own title. */
const SEPARATOR = " · ";
/** Milliseconds between two percentages: each new title costs the page and the browser ten and more (decision 046). */
const PAUSE = 1000;

export class Title {
  #own = document.title;
  #prefix = "";
  #shown = -Infinity; // when last
  #watching = new MutationObserver(() => this.#changed());

  constructor() {
    this.#watching.observe(document.head, { childList: true, subtree: true, characterData: true });
  }

  /**
   * Shows a percentage at a moment in milliseconds, unless one was shown just before; without one the page's own title
   * stands alone, at once.
   */
  show(percent: number | undefined, now: number): void {
    const prefix = percent === undefined ? "" : `${percent} %${SEPARATOR}`;
    if (prefix === this.#prefix) return;
    if (prefix !== "" && this.#prefix !== "" && now - this.#shown < PAUSE) return;
    this.#shown = now;
    this.#changed();
    this.#prefix = prefix;
    document.title = prefix + this.#own;
  }

  stop(): void {
    this.show(undefined, this.#shown);
    this.#watching.disconnect();
  }

  #changed(): void {
    const title = document.title;
    if (title === this.#prefix + this.#own) return;
    this.#own = title;
    document.title = this.#prefix + this.#own;
  }
}
