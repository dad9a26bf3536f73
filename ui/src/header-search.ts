// <header-search [whole]>: as one types, the table shows the lines that hold every word. Where the page has not the whole
// header, only the form searches, on the server.
import { text } from "./format.js";

export class HeaderSearch extends HTMLElement {
  connectedCallback(): void {
    const input = this.querySelector("input");
    const told = this.querySelector<HTMLElement>("[data-told]");
    if (!this.hasAttribute("whole") || !input || !told) return;
    const rows = [...this.querySelectorAll<HTMLTableRowElement>("tbody tr")];
    const lines = rows.map((row) => (row.textContent ?? "").toLowerCase());
    const all = told.textContent;
    this.querySelector("form")?.addEventListener("submit", (event) => event.preventDefault());
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean).map(tag);
      let found = 0;
      rows.forEach((row, i) => {
        const shown = words.every((word) => lines[i]!.includes(word));
        row.hidden = !shown;
        if (shown) found++;
      });
      told.textContent =
        words.length === 0 ? all : text({ found: told.dataset.found ?? "" }, "found", { n: `${found}` });
    });
  }
}

/** A tag may be written (0010,0020), 0010,0020 or 00100020. */
export function tag(word: string): string {
  const digits = word.replace(/[(),]/g, "");
  return /^[0-9a-f]{8}$/.test(digits) ? `${digits.slice(0, 4)},${digits.slice(4)}` : word;
}
