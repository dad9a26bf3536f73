// <file-replace case="…" number="…" file="…">: chooses one file of this computer and sends it as a new version of the file.
// It goes out as a "caseload-send" event, as what is dropped on a case does.
import { fromInput } from "./dropped.js";
import type { SendDetail } from "./preflight/preflight.js";

export class FileReplace extends HTMLElement {
  connectedCallback(): void {
    const button = this.querySelector("button");
    const input = this.querySelector("input");
    if (!button || !input) return;
    button.addEventListener("click", () => input.click());
    input.addEventListener("change", async () => {
      const chosen = [...(input.files ?? [])];
      input.value = ""; // so that the same file can be chosen again
      const dropped = await fromInput(chosen);
      for (const source of dropped.sources) source.replaces = this.getAttribute("file") ?? "";
      const detail: SendDetail = {
        caseId: this.getAttribute("case") ?? "",
        number: this.getAttribute("number") ?? "",
        patient: this.getAttribute("patient") ?? "",
        dropped,
      };
      if (dropped.sources.length > 0) document.dispatchEvent(new CustomEvent("caseload-send", { detail }));
    });
  }
}
