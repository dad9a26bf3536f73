// <case-preflight case="…">: what was dropped on this case, as it is read: whose, which series, what is missing; what
// was left out and why. It shows the model that the tray keeps, so it is the same after going elsewhere and back.
import { count, group as thousands, percent, size, text, type Words } from "../format.js";
import { make, pageWords, say } from "../page.js";
import { OTHERS, zipUnit, type Drop, type Fate, type Phase } from "./drop.js";
import type { Patient, Series, Zip } from "./group.js";
import type { Preflight } from "./preflight.js";
import * as says from "./says.js";

/** Milliseconds between two drawings at least. */
const DRAW = 500;

interface Row {
  element: HTMLLIElement;
  box: HTMLInputElement;
  name: HTMLSpanElement;
  facts: HTMLSpanElement;
  note: HTMLSpanElement;
  state: HTMLSpanElement;
}

export class CasePreflight extends HTMLElement {
  #model: Preflight | undefined;
  #cards = new Map<number, Card>();
  #unlisten = () => {};
  #timer: number | undefined;
  #drawn = -Infinity;

  connectedCallback(): void {
    this.#model = document.querySelector<HTMLElement & { preflight: Preflight }>("case-uploader")?.preflight;
    this.#unlisten = this.#model?.listen(() => this.#soon()) ?? (() => {});
    this.#draw();
  }

  disconnectedCallback(): void {
    this.#unlisten();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#cards.clear();
  }

  #soon(): void {
    this.#timer ??= window.setTimeout(
      () => {
        this.#timer = undefined;
        this.#drawn = performance.now();
        this.#draw();
      },
      Math.max(0, this.#drawn + DRAW - performance.now()),
    );
  }

  #draw(): void {
    const drops = this.#model?.of(this.getAttribute("case") ?? "") ?? [];
    for (const [key, card] of this.#cards) {
      if (drops.some((drop) => drop.key === key)) continue;
      const held = card.element.contains(document.activeElement);
      card.element.remove();
      this.#cards.delete(key);
      if (held) document.getElementById("main")?.focus({ preventScroll: true });
    }
    for (const drop of drops) {
      let card = this.#cards.get(drop.key);
      if (!card) {
        card = new Card(pageWords(), drop, () => {
          this.#model?.dismiss(drop);
          this.#draw(); // what a person does is seen at once
        });
        this.#cards.set(drop.key, card);
        this.append(card.element);
      }
      card.draw();
    }
    this.hidden = drops.length === 0;
  }
}

/** One drop. */
class Card {
  readonly element = make("section", { className: "card pre" });
  #title: HTMLHeadingElement;
  #summary = make("span");
  #gaps = make("span", { className: "warn" });
  #bar = make("progress", { className: "thin", max: 100 });
  #state = make("span", { className: "pre-state muted" });
  #fold: HTMLButtonElement;
  #close: HTMLButtonElement;
  #question = make("p", { className: "pre-question" });
  #answers = make("div", { className: "pre-do" });
  #ticked: HTMLButtonElement;
  #list = make("ul", { className: "pre-list" });
  #notes = make("ul", { className: "pre-notes" });
  #body: HTMLDivElement;
  #rows = new Map<string, Row>();
  #phase: Phase | "" = "";
  #open = true;

  constructor(
    private readonly words: Words,
    private readonly drop: Drop,
    private readonly dismiss: () => void,
  ) {
    const id = `pre-${drop.key}`;
    this.#title = make("h2", { id: `${id}-title` }, this.#summary, this.#gaps);
    this.element.setAttribute("aria-labelledby", this.#title.id);
    this.#bar.setAttribute("aria-label", text(words, "pre.title"));
    this.#fold = this.#button("pre.hide", () => this.#unfold(!this.#open));
    this.#close = this.#button("close", () => this.dismiss());
    this.#ticked = this.#button("pre.sendTicked", () => this.#answer("ticked"));
    this.#answers.append(
      this.#button("pre.sendAll", () => this.#answer("all")),
      this.#ticked,
      this.#button("pre.sendNone", () => this.#answer("none")),
    );
    this.#question.setAttribute("role", "alert");
    this.#body = make("div", { className: "pre-body", id: `${id}-body` }, this.#list, this.#notes);
    this.#fold.setAttribute("aria-controls", this.#body.id);
    const buttons = make("div", { className: "pre-head-do" }, this.#fold, this.#close);
    const head = make("header", { className: "pre-head" }, make("div", {}, this.#title, this.#state), buttons);
    this.element.append(head, this.#bar, this.#question, this.#answers, this.#body);
  }

  draw(): void {
    const { drop, words } = this;
    if (drop.phase === "reading") drop.regroup();
    const { phase } = drop;
    const { read, files } = drop.progress;
    const reading = phase === "reading";
    this.element.dataset.phase = phase;
    const known = !reading || read >= files / 2;
    const gaps = reading ? "" : says.gaps(words, drop); // before all is read, gaps are everywhere
    set(this.#summary, known ? says.summary(words, drop) : text(words, "pre.title"));
    set(this.#gaps, gaps && `; ${gaps}`);
    set(this.#state, reading ? count(words, "pre.reading", files, { read: thousands(read) }) : this.#standing());
    this.#bar.hidden = !reading;
    this.#bar.value = percent(read, files);
    this.#ask(phase);
    this.#drawRows();
    this.#drawNotes();
    if (phase === this.#phase) return;
    if (this.#phase === "reading") say(this.#title.textContent ?? "");
    this.#phase = phase;
    this.#close.hidden = phase === "reading" || phase === "asking";
    const held = this.#body.contains(document.activeElement);
    if (!held) this.#unfold(phase !== "over" || this.#hasNews());
  }

  /** What must not be overlooked keeps the panel open: files that were not sent for a reason of their own. */
  #hasNews(): boolean {
    const { unreadable, files } = this.drop;
    const kept: Fate[] = ["empty", "large", "unreadable"];
    return unreadable.length > 0 || files.some(({ fate, item }) => kept.includes(fate) || item?.state === "failed");
  }

  #standing(): string {
    const { drop, words } = this;
    if (drop.phase === "asking") return "";
    const outcome = says.outcome(
      words,
      drop.files.filter(({ look }) => look),
      drop.phase,
    );
    return outcome || (drop.phase === "sending" ? text(words, "state.sending") : "");
  }

  #ask(phase: Phase): void {
    const { drop, words } = this;
    const open = drop.question !== undefined && (phase === "asking" || phase === "reading");
    const sentence = open ? says.questionSentence(words, drop) : "";
    const sent = drop.files.some(({ fate }) => fate === "sent");
    const next = phase === "asking" ? text(words, sent ? "pre.stopped" : "pre.held") : "";
    set(this.#question, [sentence, next].filter(Boolean).join(" "));
    this.#question.hidden = !open;
    this.#answers.hidden = phase !== "asking";
    this.#ticked.hidden = !this.#several;
    const primary = this.#several ? this.#ticked : this.#answers.lastElementChild!;
    for (const button of this.#answers.children) button.classList.toggle("primary", button === primary);
    const none = text(words, this.#several ? "pre.sendNone" : "pre.leaveOut");
    set(this.#answers.lastElementChild as HTMLElement, none);
  }

  /** Ticks mean something only where there is more than one thing to tick. */
  get #several(): boolean {
    return this.drop.contents.patients.length > 1;
  }

  #answer(what: "all" | "ticked" | "none"): void {
    this.drop.answer(what);
    this.#fold.focus();
  }

  #unfold(open: boolean): void {
    this.#open = open;
    this.#body.hidden = !open;
    this.#fold.setAttribute("aria-expanded", String(open));
    set(this.#fold, text(this.words, open ? "pre.hide" : "pre.show"));
  }

  #drawRows(): void {
    const { contents } = this.drop;
    const wanted = new Set<string>();
    let number = 0;
    contents.patients.forEach((patient, i) => {
      wanted.add(patient.key);
      this.#patient(patient, this.drop.verdicts[i] === "other");
      for (const series of patient.series) {
        wanted.add(series.key);
        this.#series(series, ++number);
      }
    });
    for (const zip of contents.zips) {
      wanted.add(zipUnit(zip.index));
      this.#zip(zip);
    }
    if (contents.others.length > 0) {
      wanted.add(OTHERS);
      this.#others();
    }
    for (const [key, row] of this.#rows) {
      if (wanted.has(key)) continue;
      row.element.remove();
      this.#rows.delete(key);
    }
    const order = [...wanted].map((key) => this.#rows.get(key)!.element);
    order.forEach((element, i) => {
      if (this.#list.children[i] !== element) this.#list.insertBefore(element, this.#list.children[i] ?? null);
    });
    this.#list.hidden = order.length === 0;
    const long = order.length > 12;
    this.#list.tabIndex = long ? 0 : -1; // what scrolls must be reached by the keyboard
    this.#list.classList.toggle("long", long);
  }

  #patient(patient: Patient, stranger: boolean): void {
    const row = this.#row(patient.key, "pre-patient", () => this.#tickPatient(patient.key));
    const loose = patient.series.filter(({ files }) => files.length > 0);
    const ticked = loose.filter(({ key }) => this.drop.isTicked(key)).length;
    row.box.checked = loose.length === 0 || ticked > 0;
    row.box.indeterminate = ticked > 0 && ticked < loose.length;
    const kept = loose.length > 0 && loose.every(({ key }) => this.#isKept(key));
    able(row, loose.length > 0, kept);
    row.element.dataset.stranger = String(stranger);
    set(row.name, says.patientName(this.words, patient));
    set(row.facts, says.patientFacts(this.words, patient));
  }

  #tickPatient(key: string): void {
    const patient = this.drop.contents.patients.find((patient) => patient.key === key);
    const row = this.#rows.get(key);
    if (patient && row)
      this.drop.tick(
        patient.series.map(({ key }) => key),
        row.box.checked,
      );
  }

  #series(series: Series, number: number): void {
    const { words, drop } = this;
    const row = this.#row(series.key, "pre-series", (on) => drop.tick([series.key], on));
    const inZip = series.files.length === 0;
    row.box.checked = inZip ? series.zips.some((index) => drop.isTicked(zipUnit(index))) : drop.isTicked(series.key);
    able(row, !inZip, this.#isKept(series.key));
    row.box.title = inZip ? text(words, "pre.inZipWhy") : "";
    const description = series.description || text(words, "pre.untitled");
    set(row.name, `${number}. ${[series.modality, description].filter(Boolean).join(" · ")}`);
    const names = series.zips.map((index) => drop.files[index]!.source.name);
    const where = names.length > 0 ? ` · ${text(words, "pre.inZip", { name: names.join(", ") })}` : "";
    set(row.facts, says.seriesFacts(words, series) + where);
    set(row.note, says.seriesNote(words, series));
    const files = inZip ? series.zips.map((index) => drop.files[index]!) : drop.filesOf(series.key);
    set(row.state, drop.phase === "reading" ? "" : says.outcome(words, files, drop.phase));
  }

  #zip(zip: Zip): void {
    const { words, drop } = this;
    const unit = zipUnit(zip.index);
    const row = this.#row(unit, "pre-other", (on) => drop.tick([unit], on));
    row.box.checked = drop.isTicked(unit);
    able(row, true, this.#isKept(unit));
    set(row.name, zip.name);
    const parts = ["ZIP", size(zip.bytes)];
    if (zip.entries > 0) parts.push(count(words, "pre.entries", zip.entries));
    if (zip.images > 0) parts.push(count(words, "pre.images", zip.images));
    set(row.facts, parts.join(" · "));
    set(row.note, zip.trouble ? text(words, `pre.trouble.${zip.trouble}`) : "");
    set(row.state, drop.phase === "reading" ? "" : says.outcome(words, drop.filesOf(unit), drop.phase));
  }

  #others(): void {
    const { words, drop } = this;
    const row = this.#row(OTHERS, "pre-other", (on) => drop.tick([OTHERS], on));
    const files = drop.filesOf(OTHERS);
    row.box.checked = drop.isTicked(OTHERS);
    able(row, true, this.#isKept(OTHERS));
    set(row.name, files.length === 1 ? files[0]!.source.name : text(words, "pre.otherFiles"));
    const bytes = files.reduce((sum, { source }) => sum + source.size, 0);
    const kinds = says.othersSummary(words, { ...drop.contents, kinds: drop.looseKinds });
    set(row.facts, [kinds, size(bytes)].join(" · "));
    set(row.state, drop.phase === "reading" ? "" : says.outcome(words, files, drop.phase));
  }

  /** What has arrived cannot be left out any more. */
  #isKept(unit: string): boolean {
    const files = this.drop.filesOf(unit);
    return files.length > 0 && files.every(({ item }) => item?.state === "done" || item?.state === "received");
  }

  #row(key: string, className: string, tick: (on: boolean) => void): Row {
    const known = this.#rows.get(key);
    if (known) return known;
    const box = make("input", { type: "checkbox" });
    box.addEventListener("change", () => tick(box.checked));
    const [name, facts] = [make("span", { className: "pre-name" }), make("span", { className: "pre-facts muted" })];
    const [note, state] = [make("span", { className: "pre-note" }), make("span", { className: "pre-state muted" })];
    const label = make("label", {}, box, name);
    const element = make("li", { className }, label, facts, state, note);
    const row = { element, box, name, facts, note, state };
    this.#rows.set(key, row);
    return row;
  }

  #drawNotes(): void {
    const { words, drop } = this;
    const notes: [word: string, sentence: string][] = [];
    const named = (fate: Fate, values = {}) => {
      const names = drop.files.filter((file) => file.fate === fate).map(says.fileName);
      if (names.length > 0) notes.push(["warn", says.fateSentence(words, `pre.${fate}`, names, values)]);
    };
    if (drop.needs > drop.room)
      notes.push(["warn", text(words, "pre.room", { free: size(drop.room), need: size(drop.needs) })]);
    named("large", { limit: size(drop.limit) });
    named("empty");
    named("unreadable");
    if (drop.unreadable.length > 0) notes.push(["warn", says.fateSentence(words, "pre.unopened", drop.unreadable)]);
    const junk = drop.junk + drop.contents.junk;
    if (junk > 0) notes.push(["muted", count(words, "junk", junk)]);
    const lines = notes.map(([className, textContent]) => make("li", { className, textContent }));
    this.#notes.hidden = lines.length === 0;
    const spoken = (list: Iterable<Element>) => [...list].map(({ textContent }) => textContent).join();
    if (spoken(this.#notes.children) !== spoken(lines)) this.#notes.replaceChildren(...lines);
  }

  #button(word: string, act: () => void): HTMLButtonElement {
    const button = make("button", { type: "button", textContent: text(this.words, word) });
    button.addEventListener("click", act);
    return button;
  }
}

/** A tick that can be changed, unless its files have arrived. */
function able(row: Row, may: boolean, kept: boolean): void {
  row.box.disabled = !may || kept;
  row.element.classList.toggle("kept", kept);
}

/** Sets text only where it differs: what is selected or read aloud stays. */
function set(element: HTMLElement, content: string): void {
  if (element.textContent !== content) element.textContent = content;
  if (element.tagName === "SPAN") element.hidden = content === "";
}
