// Going on with uploads that came to a stop: which there are on the page's case, and, where the browser keeps handles, a
// click instead of a second drop.
import type { Item } from "./contract.js";
import type { Engine } from "./engine.js";
import { text } from "./format.js";
import { Handles } from "./handles.js";
import { pageWords, say } from "./page.js";
import { live } from "./traywords.js";
import { lookFor, nothing, reopen, type Look, type Stopped } from "./unfinished.js";

/** Milliseconds until one looks again for what others were sending, or after the server could not be asked. */
const AGAIN = 10_000;

export class GoOn {
  unopened = false; // a click could not open all files again

  #handles: Handles;
  #kept = new Set<Item>(); // whose handles are stored, by this page or one before
  #case = ""; // of the page
  #looked = ""; // the case and its rows when last looked for
  #found: Look = nothing;
  #leaves = false; // the person signs out
  #again: number | undefined; // the timer of the next look
  #dismissed = ""; // the look that the person closed

  constructor(
    private readonly engine: Engine,
    private readonly user: string,
    private readonly begin: () => void,
    private readonly changed: () => void,
  ) {
    this.#handles = new Handles(user);
  }

  /** How many uploads came to a stop that nobody here has taken up since; 0 once the person closed the message. */
  get count(): number {
    return this.#dismissed === this.#looked ? 0 : this.#stopped.length;
  }

  /** Whether any of them can go on with a click. */
  get able(): boolean {
    return this.#stopped.some(({ id }) => this.#found.handles.has(id));
  }

  dismiss(): void {
    this.unopened = false;
    this.#dismissed = this.#looked;
  }

  /** Looks for them when the page is another, or lists others than before. */
  look = (): void => {
    this.#case = document.querySelector("case-drop:not([readonly])")?.getAttribute("case") ?? "";
    const rows = [...document.querySelectorAll<HTMLElement>("[data-unfinished]")].map((row) => row.dataset.unfinished);
    const what = `${this.#case} ${rows.join()}`;
    if (what === this.#looked) {
      this.#offer();
      return;
    }
    this.#looked = what;
    clearTimeout(this.#again);
    void this.#find(what);
  };

  async #find(what: string): Promise<void> {
    const ours = () => new Set(this.engine.items.filter(live).map(({ id }) => id));
    const found = this.#case
      ? await lookFor(this.#case, this.user, this.#handles, ours).catch(() => undefined)
      : nothing;
    if (this.#looked !== what) return; // another page meanwhile
    if (!found || found.others) this.#again = window.setTimeout(() => void this.#find(what), AGAIN);
    this.#found = found ?? nothing;
    this.#offer();
    this.changed();
  }

  get #stopped(): Stopped[] {
    if (this.#found.files.length === 0) return [];
    const ours = new Set(this.engine.items.map(({ id }) => id));
    return this.#found.files.filter(({ id }) => !ours.has(id));
  }

  /** Shows the button of each row on the page that can go on with a click. */
  #offer(): void {
    const buttons = document.querySelectorAll<HTMLElement>("[data-go-on]");
    if (buttons.length === 0) return;
    for (const button of buttons) button.hidden = this.#meant(button).length === 0;
  }

  /** The files a row's button stands for: one, or all of a folder. */
  #meant({ dataset: { goOn, folder } }: HTMLElement): Stopped[] {
    const meant = (file: Stopped) => (folder === undefined ? file.id === goOn : file.path === folder);
    return this.#stopped.filter((file) => meant(file) && this.#found.handles.has(file.id));
  }

  clicked = (event: Event): void => {
    const button = (event.target as Element).closest<HTMLElement>("[data-go-on]");
    if (button) void this.#go(this.#meant(button));
  };

  /** Goes on with everything that can. */
  all(): Promise<void> {
    return this.#go(this.#stopped.filter(({ id }) => this.#found.handles.has(id)));
  }

  async #go(files: Stopped[]): Promise<void> {
    const caseId = this.#case;
    const sources = await reopen(files, this.#found.handles);
    this.unopened = sources.length < files.length;
    if (sources.length > 0) {
      this.begin();
      this.engine.add(caseId, sources);
    }
    if (this.unopened) say(text(pageWords(), "unopened"));
    this.changed();
  }

  /** Stores the handles of what is on its way, and removes those of what has arrived or was given up. */
  keep(): void {
    if (this.#leaves) return;
    const fresh: Item[] = [];
    for (const item of this.engine.items) {
      if (!item.id || this.#kept.has(item)) continue;
      const stored = !live(item) && this.#found.handles.has(item.id); // by a page before, and over already
      if (!stored && !(live(item) && item.source.handle)) continue;
      this.#kept.add(item);
      if (!stored) fresh.push(item);
    }
    const over = [...this.#kept].filter((item) => !live(item) && item.state !== "failed");
    for (const item of over) {
      this.#kept.delete(item);
      this.#found.handles.delete(item.id);
    }
    void this.#handles.keep(
      fresh.map((item) => ({ file: item.id, case: item.caseId, handle: item.source.handle as FileSystemHandle })),
    );
    void this.#handles.forget(over.map(({ id }) => id));
  }

  /** Removes every handle, and keeps no more: the person signs out. */
  forgetAll(): Promise<void> {
    this.#leaves = true;
    return this.#handles.clear();
  }
}
