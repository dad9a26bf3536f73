// <pdf-page file="…" bytes="…">: its button draws the first page here. PDF.js is loaded then, and nothing is handed anywhere.
import { size, text } from "./format.js";
import { pageWords, say } from "./page.js";
import { contentOf } from "./stored.js";

/** Bytes of the largest document that is fetched for its first page. */
const MOST = 64_000_000;
/** CSS pixels of a page's width at most. */
const WIDEST = 640;

export class PdfPage extends HTMLElement {
  #shadow = this.attachShadow({ mode: "open" }); // what is in it, a live fragment does not take away

  connectedCallback(): void {
    this.#shadow.replaceChildren(document.createElement("slot"));
    this.addEventListener("click", (event) => {
      if ((event.target as Element).closest("button")) void this.#show();
    });
  }

  async #show(): Promise<void> {
    const bytes = Number(this.getAttribute("bytes"));
    const words = pageWords();
    if (bytes > MOST) return this.#tell(text(words, "pdf.large", { size: size(bytes) }));
    this.#tell(text(words, "pdf.loading"));
    let canvas: HTMLCanvasElement;
    try {
      const address = new URL("pdf-view.js", import.meta.url).href;
      const [{ firstPage }, data] = await Promise.all([
        import(address) as Promise<typeof import("./pdf/view.js")>,
        contentOf(this.getAttribute("file") ?? "", bytes, {
          loaded: () => {},
          relayed: () => this.#tell(text(words, "pdf.relayed")),
        }),
      ]);
      const width = Math.min(WIDEST, (this.parentElement?.clientWidth ?? WIDEST) || WIDEST);
      canvas = await firstPage(data, width).catch(() => {
        throw new Error("damaged");
      });
    } catch (error) {
      return this.#tell(text(words, (error as Error).message === "damaged" ? "pdf.damaged" : "pdf.unreached"));
    }
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", text(words, "pdf.first"));
    canvas.part.add("page");
    this.#shadow.replaceChildren(canvas);
    say(text(words, "pdf.shown"));
  }

  #tell(sentence: string): void {
    const told = document.createElement("p");
    told.textContent = sentence;
    told.setAttribute("role", "status");
    told.part.add("told");
    this.#shadow.replaceChildren(document.createElement("slot"), told);
  }
}
