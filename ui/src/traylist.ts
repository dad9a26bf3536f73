// The tray's list of files. Only the rows in sight are in the page, so twenty thousand files scroll as smoothly as ten.
import type { Item } from "./contract.js";
import { percent, text, type Words } from "./format.js";
import { draw, icon } from "./icons.js";
import { make } from "./page.js";
import { Rows } from "./rows.js";
import { asked, live, reason, where, words as inWords } from "./traywords.js";

/** Heights of the rows in rem: as in style/tray.css. */
const LOW = 3.25;
const HIGH = 6;
/** Pixels kept ready beyond what is in sight. */
const BEYOND = 200;
/** Milliseconds between two looks for the first file that is under way. */
const FOLLOW = 1000;
/** Milliseconds between two looks at the size of the text: a look lays the page out. */
const MEASURE = 2000;

export interface RowActions {
  pause(item: Item): void;
  resume(item: Item): void;
  cancel(item: Item): void;
  retry(item: Item): void;
}

interface Row {
  element: HTMLLIElement;
  what: HTMLSpanElement;
  why: HTMLSpanElement;
  hold: HTMLButtonElement; // pause, resume or retry
  sign: SVGSVGElement;
  drop: HTMLButtonElement; // cancel
  bar: HTMLProgressElement;
}

export class TrayList {
  readonly element = make("div", { className: "tray-list", tabIndex: 0 });
  #list = make("ul", { className: "tray-rows" });
  #shown = new Map<number, Row>();
  #items: readonly Item[] = [];
  #rows = new Rows(LOW * 16, HIGH * 16);
  #measured = -Infinity;
  #followed = 0;
  #moved = 0; // where we scrolled to ourselves
  #left = false; // the person looks somewhere else in the list

  constructor(
    private readonly words: Words,
    private readonly actions: RowActions,
  ) {
    this.element.setAttribute("role", "group");
    this.element.setAttribute("aria-label", text(words, "files"));
    this.element.append(this.#list);
    this.element.addEventListener("scroll", this.#scrolled, { passive: true });
  }

  /** Shows these files; the first `failed` of them say why. */
  show(items: readonly Item[], failed: number): void {
    this.#measure();
    this.#items = items;
    this.#rows.count = items.length;
    this.#rows.first = failed;
    const height = `${this.#rows.height}px`;
    if (this.#list.style.height !== height) this.#list.style.height = height;
    this.#follow();
    this.#draw();
  }

  /** Follows what is under way again: a new run begins. */
  begin(): void {
    this.#left = false;
    this.#followed = 0;
  }

  #measure(): void {
    const now = performance.now();
    if (now - this.#measured < MEASURE) return;
    this.#measured = now;
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize) || 16;
    if (this.#rows.low !== LOW * rem) this.#rows = new Rows(LOW * rem, HIGH * rem);
  }

  #scrolled = (): void => {
    if (!this.#left && Math.abs(this.element.scrollTop - this.#moved) <= 2) return; // by ourselves: it is drawn
    this.#left = true;
    this.#draw();
  };

  /** Keeps the first file under way in sight, unless the person is at work in the list. */
  #follow(): void {
    const now = performance.now();
    if (this.#left || this.#rows.first > 0 || now - this.#followed < FOLLOW) return;
    if (this.element.matches(":hover, :focus-within")) return;
    this.#followed = now;
    const next = this.#items.findIndex(live);
    if (next < 0) return;
    this.#moved = Math.max(0, Math.min(this.#rows.top(next - 1), this.#rows.height - this.element.clientHeight));
    this.element.scrollTop = this.#moved;
  }

  #draw(): void {
    if (this.#items.length === 0 || this.element.hidden) return;
    const { scrollTop, clientHeight } = this.element;
    const first = this.#rows.at(scrollTop - BEYOND);
    const last = this.#rows.at(scrollTop + clientHeight + BEYOND);
    const wanted = new Set<number>();
    for (let i = first; i <= last; i++) wanted.add(this.#items[i]!.key);
    const focused = document.activeElement;
    for (const [key, row] of this.#shown) {
      if (wanted.has(key)) continue;
      row.element.remove();
      this.#shown.delete(key);
    }
    // In the page as in sight: the keyboard goes through the rows in their order.
    let place = this.#list.firstElementChild;
    for (let i = first; i <= last; i++) {
      const row = this.#fill(this.#items[i]!, i);
      if (row.element === place) place = place.nextElementSibling;
      else this.#list.insertBefore(row.element, place);
    }
    if (focused !== document.activeElement && focused instanceof HTMLElement) {
      if (this.element.contains(focused)) focused.focus({ preventScroll: true });
      else this.element.focus({ preventScroll: true });
    }
  }

  #fill(item: Item, index: number): Row {
    let row = this.#shown.get(item.key);
    if (!row) {
      row = this.#make(item);
      this.#shown.set(item.key, row);
    }
    const { element, what, why, hold, sign, drop, bar } = row;
    element.style.top = `${this.#rows.top(index)}px`;
    element.dataset.state = item.state;
    element.setAttribute("aria-posinset", String(index + 1));
    element.setAttribute("aria-setsize", String(this.#items.length));
    put(what, inWords(this.words, item));
    bar.value = percent(item.sent, item.source.size);
    bar.hidden = !live(item) || item.state === "queued";
    const failed = item.state === "failed";
    why.hidden = !failed;
    if (failed) put(why, reason(this.words, item));
    const may = asked(item);
    hold.hidden = may === undefined;
    drop.hidden = !live(item) && !failed;
    if (may) {
      const label = text(this.words, `${may}Of`, { name: item.source.name });
      if (hold.title !== label) {
        hold.title = label;
        hold.setAttribute("aria-label", label);
        draw(sign, may);
      }
    }
    return row;
  }

  #make(item: Item): Row {
    const { name } = item.source;
    const path = where(item);
    const title = make("span", { className: "tray-name", textContent: name, title: path ? `${path}/${name}` : name });
    const folder = make("span", { className: "tray-path", textContent: path, hidden: path === "" });
    const what = make("span", { className: "tray-what" });
    const line = make("span", { className: "tray-sub" }, folder, what);
    const why = make("span", { className: "tray-why", hidden: true });
    const sign = icon("pause");
    const hold = make("button", { type: "button", className: "tray-sign" }, sign);
    const label = text(this.words, "cancelOf", { name });
    const drop = make("button", { type: "button", className: "tray-sign", title: label }, icon("cancel"));
    drop.setAttribute("aria-label", label);
    const bar = make("progress", { className: "thin", max: 100 });
    bar.setAttribute("aria-label", name);
    hold.addEventListener("click", () => {
      const may = asked(item);
      if (may) this.actions[may](item);
    });
    drop.addEventListener("click", () => this.actions.cancel(item));
    const buttons = make("span", { className: "tray-signs" }, hold, drop);
    const element = make("li", { className: "tray-row" }, title, buttons, line, why, bar);
    return { element, what, why, hold, sign, drop, bar };
  }
}

/** Writes only what changed: a text that stays is not laid out again. */
function put(element: HTMLElement, sentence: string): void {
  if (element.textContent !== sentence) element.textContent = sentence;
}
