// The head of the tray: what is going on in all, how far, how fast, and what can be done about it.
import htmx from "htmx.org";
import { text, type Words } from "./format.js";
import { icon } from "./icons.js";
import { make } from "./page.js";
import type { Mood } from "./traywords.js";

/** A sentence below the figures, perhaps with a way to go. */
export interface Note {
  sentence: string;
  link?: { address: string; label: string; apart?: boolean }; // apart: in a tab of its own, this one goes on sending
  urgent?: boolean; // nothing goes on until somebody acts
}

export type Action = "pauseAll" | "resumeAll" | "retryAll" | "cancelAll" | "goOn" | "close";

const actions: readonly Action[] = ["goOn", "pauseAll", "resumeAll", "retryAll", "cancelAll", "close"];

export interface Figures {
  mood: Mood;
  headline: string;
  percent: number | undefined; // undefined: not told
  bar: number; // 0 to 100
  amount: string;
  left: string;
  target: { address: string; label: string } | undefined; // the case, where the page shows another
  notes: Note[];
  actions: ReadonlySet<Action>;
  foldable: boolean;
}

export class TrayHead {
  readonly element: HTMLElement;
  #headline = make("span", { className: "tray-headline" });
  #percent = make("span", { className: "tray-percent" });
  #fold = make("button", { type: "button", className: "tray-sign tray-fold" }, icon("fold"));
  #bar = make("progress", { className: "thin tray-bar", max: 100 });
  #target = make("a", { className: "tray-case" });
  #amount = make("span", { className: "tray-amount" });
  #left = make("span", { className: "tray-left" });
  #line: HTMLElement;
  #notes = make("div", { className: "tray-notes", hidden: true });
  #told = ""; // the notes that stand there
  #buttons = new Map<Action, HTMLButtonElement>();

  constructor(
    private readonly words: Words,
    act: (action: Action) => void,
    fold: () => void,
  ) {
    this.#bar.setAttribute("aria-label", text(words, "tray"));
    this.#fold.addEventListener("click", fold);
    const buttons = make("div", { className: "tray-do" });
    for (const action of actions) {
      const button = make("button", { type: "button", textContent: text(words, action) });
      button.addEventListener("click", () => act(action));
      this.#buttons.set(action, button);
      buttons.append(button);
    }
    this.#line = make("div", { className: "tray-line" }, this.#target, this.#amount, this.#left);
    this.element = make(
      "div",
      { className: "tray-head" },
      make("div", { className: "tray-title" }, this.#headline, this.#percent, this.#fold),
      this.#bar,
      this.#line,
      this.#notes,
      buttons,
    );
  }

  /** Shows the list as folded or not. */
  fold(open: boolean): void {
    const label = text(this.words, open ? "hide" : "show");
    this.#fold.setAttribute("aria-expanded", String(open));
    this.#fold.setAttribute("aria-label", label);
    this.#fold.title = label;
  }

  show(f: Figures): void {
    put(this.#headline, f.headline);
    put(this.#percent, f.percent === undefined ? "" : `${f.percent} %`);
    this.#bar.value = f.bar;
    this.#bar.hidden = f.mood === "unfinished" || f.mood === "cancelled";
    put(this.#amount, f.amount);
    put(this.#left, f.left);
    this.#line.hidden = f.amount === "" && f.left === "";
    this.#aim(f.target);
    this.#tell(f.notes);
    this.#fold.hidden = !f.foldable;
    for (const [action, button] of this.#buttons) button.hidden = !f.actions.has(action);
  }

  #aim(target: Figures["target"]): void {
    this.#target.hidden = target === undefined;
    if (!target || this.#target.textContent === target.label) return;
    this.#target.href = target.address;
    this.#target.textContent = this.#target.title = target.label;
    htmx.process(this.#target); // a soft navigation, which the tray outlives
  }

  #tell(notes: Note[]): void {
    const told = JSON.stringify(notes);
    if (told === this.#told) return;
    this.#told = told;
    this.#notes.hidden = notes.length === 0;
    this.#notes.replaceChildren(
      ...notes.map(({ sentence, link, urgent }) => {
        const line = make("p", { className: urgent ? "tray-note urgent" : "tray-note" }, sentence);
        if (!link) return line;
        const way = make("a", { href: link.address, textContent: link.label });
        if (link.apart) way.target = "_blank";
        line.append(sentence ? " " : "", way);
        return line;
      }),
    );
    htmx.process(this.#notes);
  }
}

/** Writes only what changed: a text that stays is not laid out again. */
function put(element: HTMLElement, sentence: string): void {
  if (element.textContent !== sentence) element.textContent = sentence;
}
