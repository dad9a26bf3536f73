// <preview-draw preview="…" [give]>: stands where the server has no preview because it does not decode the image. Draws it here,
// in a worker that is loaded only then, and hands it to the server (give), which draws it anew and shows it to everybody;
// who may not write sees it in this tab only. One preview at a time, and of all browsers that look at the case one at a time.
import type { Answer } from "./decode/serve.js";
import type { Frame } from "./decode/frame.js";
import { pageWords } from "./page.js";

/** Milliseconds that decoding may take. */
const LONGEST = 30_000;
/** Milliseconds until this browser offers again to draw what it may not yet, because another one draws for the case. */
const AGAIN = 10_000;

/** Transfer syntax (PS3.6 table A-1) → worker. */
const workers: Record<string, string> = {
  "1.2.840.10008.1.2.4.80": "charls.js",
  "1.2.840.10008.1.2.4.81": "charls.js",
  "1.2.840.10008.1.2.4.90": "openjpeg.js",
  "1.2.840.10008.1.2.4.91": "openjpeg.js",
  "1.2.840.10008.1.2.4.92": "openjpeg.js",
  "1.2.840.10008.1.2.4.93": "openjpeg.js",
  "1.2.840.10008.1.2.4.201": "openjph.js",
  "1.2.840.10008.1.2.4.202": "openjph.js",
  "1.2.840.10008.1.2.4.203": "openjph.js",
};

let turn: Promise<void> = Promise.resolve();

/** Address of the preview that this page has claimed and not yet drawn. */
let claimed: string | undefined;

// Who leaves does not keep the others waiting until his claim lapses.
addEventListener("pagehide", () => {
  if (!claimed) return;
  void fetch(`${claimed}/claim`, { method: "DELETE", keepalive: true, credentials: "same-origin" }).catch(() => {});
  claimed = undefined;
});

export class PreviewDraw extends HTMLElement {
  #begun = false;
  #shadow = this.attachShadow({ mode: "open" }); // what is in it, a live fragment does not take away
  #later: number | undefined;

  connectedCallback(): void {
    this.#shadow.replaceChildren(document.createElement("slot"));
    this.#soon();
  }

  disconnectedCallback(): void {
    clearTimeout(this.#later);
    document.removeEventListener("visibilitychange", this.#soon);
  }

  #soon = (): void => {
    document.removeEventListener("visibilitychange", this.#soon);
    if (document.hidden) return document.addEventListener("visibilitychange", this.#soon);
    if (this.#begun) return;
    this.#begun = true;
    turn = turn
      .then(() => this.#draw())
      .catch(() => this.#say("drawFailed"))
      .finally(() => (claimed = undefined));
  };

  async #draw(): Promise<void> {
    if (!this.isConnected) return;
    const address = `/api/v1/previews/${this.getAttribute("preview")}`;
    const give = this.hasAttribute("give");
    if (give) {
      const claim = await fetch(`${address}/claim`, { method: "POST", credentials: "same-origin" });
      if (claim.status === 409) return this.#again(); // another browser draws it, or it is made by now
      if (!claim.ok) throw new Error(`answered ${claim.status}`);
      claimed = address;
    }
    this.#say("drawing");
    const described = await fetch(`${address}/frame`, { credentials: "same-origin" });
    if (!described.ok) throw new Error(`answered ${described.status}`);
    const frame = (await described.json()) as Frame;
    const drawn = await decoded(frame, `${location.origin}${address}/frame`);
    if (!give) return this.#show(drawn.map(({ picture }) => picture));
    for (const { view, picture } of drawn.sort((a, b) => a.view.localeCompare(b.view))) {
      // sagittal ends the three
      const put = await fetch(`${address}/${view}`, {
        method: "PUT",
        body: picture,
        headers: { "Content-Type": picture.type },
        credentials: "same-origin",
      });
      if (put.status === 409) return;
      if (!put.ok) throw new Error(`answered ${put.status}`);
    }
  }

  #again(): void {
    this.#later = window.setTimeout(() => {
      this.#begun = false;
      this.#soon();
    }, AGAIN);
  }

  #say(key: "drawing" | "drawFailed"): void {
    const told = document.createElement("span");
    told.textContent = pageWords()[key] ?? "";
    told.part.add("told");
    this.#shadow.replaceChildren(document.createElement("slot"), told);
  }

  #show(drawn: Blob[]): void {
    const images = drawn.map((picture) => {
      const image = document.createElement("img");
      image.src = URL.createObjectURL(picture);
      image.alt = pageWords().drawn ?? "";
      image.part.add("picture");
      image.addEventListener("load", () => URL.revokeObjectURL(image.src), { once: true });
      return image;
    });
    this.#shadow.replaceChildren(...images);
  }
}

/** Has a worker of its own decode and draw the frame, or the planes of its volume. */
async function decoded(frame: Frame, address: string): Promise<{ view: string; picture: Blob }[]> {
  const script = workers[frame.transfer_syntax];
  if (!script) throw new Error("kind");
  const worker = new Worker(new URL(script, import.meta.url), { type: "module" });
  let late: number | undefined;
  try {
    const answer = await new Promise<Answer>((resolve, reject) => {
      worker.onmessage = (event: MessageEvent<Answer>) => resolve(event.data);
      worker.onerror = () => reject(new Error("worker"));
      late = window.setTimeout(() => reject(new Error("slow")), LONGEST);
      worker.postMessage({ address, frame });
    });
    if ("error" in answer) throw new Error(answer.error);
    return answer.pictures;
  } finally {
    clearTimeout(late);
    worker.terminate();
  }
}
