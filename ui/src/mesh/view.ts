// The mesh of a file in the whole window: turned by pointer, fingers and keys. Loaded when somebody asks for it.
import { count, group, size, text, type Words } from "../format.js";
import { make, pageWords, say } from "../page.js";
import { Orbit } from "./orbit.js";
import { Stage } from "./scene.js";
import type { Kind, Surface } from "./surface.js";
import type { Answer, Question } from "./worker.js";

export interface Shown {
  file: string; // id
  name: string;
  kind: Kind;
  bytes: number;
}

/** What a finger or key does once, in radians and shares. */
const KEY = { turn: 0.12, move: 0.06, zoom: 0.88 };

/** Opens the window; it closes by its button, Escape and leaving the page. */
export function open(shown: Shown): void {
  new View(shown);
}

class View {
  #words: Words = pageWords();
  #orbit = new Orbit();
  #stage: Stage | undefined;
  #worker: Worker | undefined;
  #over = new AbortController();
  #fingers = new Map<number, { x: number; y: number }>();
  #canvas = make("canvas", { className: "mesh-canvas", tabIndex: 0 });
  #told = make("p", { className: "mesh-told" });
  #facts = make("p", { className: "mesh-facts" });
  #bar = make("progress", { className: "thin", max: 1, value: 0 });
  #wires = make("button", { type: "button", textContent: this.#text("wires") });
  #reset = make("button", { type: "button", textContent: this.#text("reset") });
  #dialog: HTMLDialogElement;

  constructor(private readonly shown: Shown) {
    const title = make("h2", { id: "mesh-title", textContent: shown.name });
    const close = make("button", { type: "button", className: "mesh-close", textContent: this.#text("close") });
    const keys = make("p", { className: "mesh-keys", textContent: this.#text("keys") });
    this.#told.setAttribute("role", "status");
    this.#wires.setAttribute("aria-pressed", "false");
    this.#canvas.setAttribute("role", "img");
    this.#canvas.hidden = this.#wires.disabled = this.#reset.disabled = true;
    this.#dialog = make(
      "dialog",
      { className: "mesh", id: "mesh" },
      make(
        "header",
        { className: "mesh-head" },
        make("div", {}, title, this.#facts),
        make("div", { className: "mesh-tools" }, this.#reset, this.#wires, close),
      ),
      make(
        "div",
        { className: "mesh-stage" },
        this.#canvas,
        make("div", { className: "mesh-wait" }, this.#told, this.#bar),
      ),
      keys,
    );
    this.#dialog.setAttribute("aria-labelledby", "mesh-title");
    const { signal } = this.#over;
    close.addEventListener("click", () => this.#dialog.close());
    this.#dialog.addEventListener("close", () => this.#end(), { once: true });
    for (const event of ["popstate", "pagehide"]) addEventListener(event, () => this.#dialog.close(), { signal });
    this.#reset.addEventListener("click", () => (this.#orbit.reset(), this.#stage?.draw()));
    this.#wires.addEventListener("click", () => this.#toggleWires());
    document.body.append(this.#dialog);
    this.#dialog.showModal();
    this.#load();
  }

  #text(key: string, values: Record<string, string | number> = {}): string {
    return text(this.#words, `mesh.${key}`, values);
  }

  #end(): void {
    this.#over.abort();
    this.#worker?.terminate();
    this.#stage?.end();
    this.#dialog.remove();
  }

  /** Says why nothing is shown, or what is awaited. */
  #tell(sentence: string, waiting = false): void {
    this.#told.textContent = sentence;
    this.#bar.hidden = !waiting;
  }

  #load(): void {
    if (!document.createElement("canvas").getContext("webgl2")) return this.#tell(this.#text("noWebGL"));
    this.#tell(this.#text("loading", { size: size(this.shown.bytes) }), true);
    this.#worker = new Worker(new URL("mesh-reader.js", import.meta.url), { type: "module" });
    this.#worker.onerror = () => this.#tell(this.#text("damaged"));
    this.#worker.onmessage = (event: MessageEvent<Answer>) => {
      const answer = event.data;
      if ("loaded" in answer) this.#bar.value = answer.loaded / Math.max(this.shown.bytes, 1);
      else if ("relayed" in answer) this.#tell(this.#text("relayed", { size: size(this.shown.bytes) }), true);
      else if ("error" in answer) this.#tell(this.#text(answer.error));
      else this.#show(answer.surface);
    };
    const question: Question = { file: this.shown.file, kind: this.shown.kind, size: this.shown.bytes };
    this.#worker.postMessage(question);
  }

  #show(s: Surface): void {
    this.#worker?.terminate();
    const facts = [`${s.extent.map(length).join(" × ")} mm`, count(this.#words, "mesh.triangles", s.triangles)];
    try {
      this.#stage = new Stage(this.#canvas, this.#orbit, s);
    } catch {
      return this.#tell(this.#text("noWebGL"));
    }
    this.#canvas.hidden = this.#wires.disabled = this.#reset.disabled = false;
    this.#facts.textContent = facts.join(" · ");
    this.#canvas.setAttribute("aria-label", this.#text("label", { name: this.shown.name, facts: facts.join(", ") }));
    this.#told.parentElement!.hidden = true;
    this.#listen();
    this.#canvas.focus();
    this.#stage.draw();
    say(this.#text("shown"));
  }

  #toggleWires(): void {
    const on = this.#wires.getAttribute("aria-pressed") !== "true";
    this.#wires.setAttribute("aria-pressed", String(on));
    if (this.#stage) this.#stage.wires = on;
  }

  #listen(): void {
    const { signal } = this.#over;
    const canvas = this.#canvas;
    addEventListener("resize", () => this.#stage?.draw(), { signal });
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.#fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    });
    for (const kind of ["pointerup", "pointercancel"] as const)
      canvas.addEventListener(kind, (event) => this.#fingers.delete(event.pointerId));
    canvas.addEventListener("pointermove", (event) => this.#drag(event));
    canvas.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        this.#orbit.zoom(Math.exp(Math.max(-0.5, Math.min(0.5, event.deltaY * 0.0015))));
        this.#stage?.draw();
      },
      { passive: false },
    );
    canvas.addEventListener("dblclick", () => this.#reset.click());
    this.#dialog.addEventListener("keydown", (event) => this.#key(event));
  }

  #drag(event: PointerEvent): void {
    const before = this.#fingers.get(event.pointerId);
    if (!before) return;
    const now = { x: event.clientX, y: event.clientY };
    const high = Math.max(this.#canvas.clientHeight, 1);
    const [right, down] = [(now.x - before.x) / high, (now.y - before.y) / high];
    const other = [...this.#fingers].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const apart = (p: { x: number; y: number }) => Math.max(1, Math.hypot(p.x - other.x, p.y - other.y));
      this.#orbit.zoom(apart(before) / apart(now));
      this.#orbit.move(right / 2, down / 2);
    } else if (event.shiftKey || event.buttons & 6) this.#orbit.move(right, down);
    else this.#orbit.turn(right * 3.6, down * 3.6);
    this.#fingers.set(event.pointerId, now);
    this.#stage?.draw();
  }

  #key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const arrow = (
      { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] } as Record<
        string,
        [number, number]
      >
    )[event.key];
    if (arrow && event.shiftKey) this.#orbit.move(arrow[0] * KEY.move, arrow[1] * KEY.move);
    else if (arrow) this.#orbit.turn(arrow[0] * KEY.turn, arrow[1] * KEY.turn);
    else if (event.key === "+" || event.key === "=") this.#orbit.zoom(KEY.zoom);
    else if (event.key === "-") this.#orbit.zoom(1 / KEY.zoom);
    else if (event.key === "0" || event.code === "KeyR") this.#orbit.reset();
    else if (event.code === "KeyW") return this.#toggleWires();
    else return;
    event.preventDefault();
    this.#stage?.draw();
  }
}

/** A length in mm to three figures, as the server writes it. */
export function length(mm: number): string {
  return mm >= 100 ? group(mm) : String(Number(mm.toPrecision(3)));
}
