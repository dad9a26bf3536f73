// The tray's list of files. Only the rows in sight are in the page, so a thousand files scroll as smoothly as ten.
import type { Item } from "./contract.js";
import { percent, size, text, type Words } from "./format.js";
import { make } from "./page.js";

/** Height of a row in pixels: 3.25rem at the usual size; measured once a row is in the page. */
const ROW = 52;
/** Rows kept ready beyond those in sight. */
const BEYOND = 4;

export interface RowActions {
  cancel(item: Item): void;
  retry(item: Item): void;
}

interface Row {
  element: HTMLLIElement;
  name: HTMLSpanElement;
  what: HTMLSpanElement;
  why: HTMLSpanElement;
  act: HTMLButtonElement;
  bar: HTMLProgressElement;
}

export class TrayList {
  readonly element = make("div", { className: "tray-list", tabIndex: 0 });
  #rows = make("ul", { className: "tray-rows" });
  #shown = new Map<number, Row>();
  #items: readonly Item[] = [];

  constructor(
    private readonly words: Words,
    private readonly actions: RowActions,
  ) {
    this.element.setAttribute("role", "group");
    this.element.setAttribute("aria-label", text(words, "tray"));
    this.element.append(this.#rows);
    this.element.addEventListener("scroll", () => this.#draw(), { passive: true });
  }

  show(items: readonly Item[]): void {
    this.#items = items;
    this.#rows.style.height = `${items.length * ROW}px`;
    this.#draw();
  }

  #draw(): void {
    const first = Math.max(0, Math.floor(this.element.scrollTop / ROW) - BEYOND);
    const last = Math.min(this.#items.length, Math.ceil((this.element.scrollTop + 320) / ROW) + BEYOND);
    const wanted = new Set<number>();
    for (let i = first; i < last; i++) wanted.add(this.#items[i]!.key);
    for (const [key, row] of this.#shown) {
      if (!wanted.has(key)) {
        row.element.remove();
        this.#shown.delete(key);
      }
    }
    for (let i = first; i < last; i++) this.#fill(this.#items[i]!, i);
  }

  #fill(item: Item, index: number): void {
    let row = this.#shown.get(item.key);
    if (!row) {
      row = this.#make(item);
      this.#shown.set(item.key, row);
      this.#rows.append(row.element);
    }
    row.element.style.top = `${index * ROW}px`;
    row.element.dataset.state = item.state;
    row.element.setAttribute("aria-posinset", String(index + 1));
    row.element.setAttribute("aria-setsize", String(this.#items.length));
    const done = percent(item.sent, item.source.size);
    const state = text(this.words, `state.${item.state}`);
    row.what.textContent = item.state === "sending" ? `${done} %` : `${state} · ${size(item.source.size)}`;
    row.bar.value = item.state === "done" ? 100 : done;
    row.bar.hidden = item.state === "failed" || item.state === "cancelled" || item.state === "done";
    const failed = item.state === "failed";
    row.why.hidden = !failed;
    if (failed) row.why.textContent = row.why.title = this.#why(item);
    const live = item.state === "queued" || item.state === "sending" || item.state === "finishing";
    row.act.hidden = !live && !failed;
    row.act.textContent = text(this.words, failed ? "retry" : "cancel");
    row.act.setAttribute("aria-label", text(this.words, failed ? "retryOf" : "cancelOf", { name: item.source.name }));
  }

  /** What went wrong: the server's own words, or ours where there was no answer. */
  #why(item: Item): string {
    const { detail = "", hint = "" } = item.error ?? {};
    return `${this.words[detail] ?? detail} ${hint}`.trim();
  }

  #make(item: Item): Row {
    const name = make("span", { className: "tray-name", textContent: item.source.name });
    name.title = item.source.path === "" ? item.source.name : `${item.source.path}/${item.source.name}`;
    const what = make("span", { className: "tray-what" });
    const why = make("span", { className: "tray-why" });
    const act = make("button", { type: "button" });
    const bar = make("progress", { className: "thin", max: 100 });
    bar.setAttribute("aria-label", item.source.name);
    act.addEventListener("click", () =>
      item.state === "failed" ? this.actions.retry(item) : this.actions.cancel(item),
    );
    return { element: make("li", { className: "tray-row" }, name, what, act, why, bar), name, what, why, act, bar };
  }
}
