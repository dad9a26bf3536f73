// <case-drop case="…" number="…">: makes the whole page a drop target for its case, and works the choose buttons. What
// is dropped goes out as a "caseload-send" event; pre-flight takes it.
import { fromDrop, fromInput, fromPicker, type Dropped } from "./dropped.js";
import { text } from "./format.js";
import { pageWords } from "./page.js";
import type { SendDetail } from "./preflight/preflight.js";

/** Milliseconds of looking through a folder until the page says so. */
const SLOW = 250;

export class CaseDrop extends HTMLElement {
  #depth = 0; // of nested dragenter events

  connectedCallback(): void {
    this.#say(this.#readonly ? "lookOnly" : "dropHere", false);
    addEventListener("dragenter", this.#enter);
    addEventListener("dragover", this.#over);
    addEventListener("dragleave", this.#leave);
    addEventListener("drop", this.#drop);
    this.addEventListener("click", this.#choose);
    this.addEventListener("change", this.#chosen);
  }

  disconnectedCallback(): void {
    removeEventListener("dragenter", this.#enter);
    removeEventListener("dragover", this.#over);
    removeEventListener("dragleave", this.#leave);
    removeEventListener("drop", this.#drop);
  }

  get #readonly(): boolean {
    return this.hasAttribute("readonly");
  }

  #enter = (event: DragEvent): void => {
    if (!hasFiles(event)) return;
    this.#depth++;
    this.toggleAttribute("over", true);
  };

  #leave = (event: DragEvent): void => {
    if (!hasFiles(event)) return;
    this.#depth = Math.max(0, this.#depth - 1);
    if (this.#depth === 0) this.removeAttribute("over");
  };

  #over = (event: DragEvent): void => {
    if (!hasFiles(event) || !event.dataTransfer) return;
    event.preventDefault(); // else the browser would open the file in place of the page
    event.dataTransfer.dropEffect = this.#readonly ? "none" : "copy";
  };

  #drop = async (event: DragEvent): Promise<void> => {
    if (!hasFiles(event) || !event.dataTransfer) return;
    event.preventDefault();
    this.#depth = 0;
    this.removeAttribute("over");
    if (this.#readonly) return;
    const looking = setTimeout(() => this.#say("looking"), SLOW);
    const dropped = await fromDrop(event.dataTransfer);
    clearTimeout(looking);
    this.removeAttribute("over");
    this.#say("dropHere", false);
    this.#send(dropped);
  };

  /** What stands over the page. */
  #say(word: string, shown = true): void {
    this.setAttribute("message", text(pageWords(), word, { number: this.getAttribute("number") ?? "" }));
    if (shown) this.setAttribute("over", "");
  }

  #choose = async (event: Event): Promise<void> => {
    const what = (event.target as Element).closest<HTMLButtonElement>("[data-choose]")?.dataset.choose;
    if (!what) return;
    const picked = what === "files" ? await fromPicker() : "unavailable";
    if (picked === "unavailable") this.querySelector<HTMLInputElement>(`[data-input="${what}"]`)?.click();
    else if (picked !== "none") this.#send(picked);
  };

  #chosen = async (event: Event): Promise<void> => {
    const input = event.target as HTMLInputElement;
    if (!input.dataset.input || !input.files) return;
    const dropping = fromInput(input.files);
    input.value = ""; // so that the same files can be chosen again
    this.#send(await dropping);
  };

  #send(dropped: Dropped): void {
    const detail: SendDetail = {
      caseId: this.getAttribute("case") ?? "",
      number: this.getAttribute("number") ?? "",
      patient: this.getAttribute("patient") ?? "",
      dropped,
    };
    document.dispatchEvent(new CustomEvent("caseload-send", { detail }));
  }
}

function hasFiles(event: DragEvent): boolean {
  return event.dataTransfer?.types.includes("Files") ?? false;
}
