// <mesh-open file="…" name="…" kind="…" bytes="…">: its button opens the mesh in 3D. What that takes is loaded then.
import type { Shown } from "./mesh/view.js";
import { pageWords, say } from "./page.js";

export class MeshOpen extends HTMLElement {
  connectedCallback(): void {
    this.addEventListener("click", (event) => {
      if ((event.target as Element).closest("button")) void this.#open();
    });
  }

  async #open(): Promise<void> {
    const shown = {
      file: this.getAttribute("file") ?? "",
      name: this.getAttribute("name") ?? "",
      kind: (this.getAttribute("kind") ?? "") as Shown["kind"],
      bytes: Number(this.getAttribute("bytes")),
    };
    try {
      const address = new URL("mesh-view.js", import.meta.url).href;
      const view = (await import(address)) as typeof import("./mesh/view.js");
      view.open(shown);
    } catch {
      say(pageWords().failedRequest ?? "");
    }
  }
}
