// The window's title tells how far the sending is, before what the page itself is called. Pages change their title
// (soft navigation does): whatever it becomes is kept and given back in the end.

/** Between the percentage and the page's own title. */
const SEPARATOR = " · ";

export class Title {
  #own = document.title;
  #prefix = "";
  #watching = new MutationObserver(() => this.#changed());

  constructor() {
    this.#watching.observe(document.head, { childList: true, subtree: true, characterData: true });
  }

  /** Shows a percentage; without one the page's own title stands alone. */
  show(percent: number | undefined): void {
    const prefix = percent === undefined ? "" : `${percent} %${SEPARATOR}`;
    if (prefix === this.#prefix) return;
    this.#changed();
    this.#prefix = prefix;
    document.title = prefix + this.#own;
  }

  stop(): void {
    this.show(undefined);
    this.#watching.disconnect();
  }

  #changed(): void {
    const title = document.title;
    if (title === this.#prefix + this.#own) return;
    this.#own = title;
    document.title = this.#prefix + this.#own;
  }
}
