// What every page gets: soft navigation and live fragments by htmx, the elements, and a few habits of the keyboard.
import "htmx.org";
import { CaseDrop } from "./case-drop.js";
import { CaseLive } from "./case-live.js";
import { DoctorBrowser } from "./doctor-browser.js";
import { FileReplace } from "./file-replace.js";
import { HeaderSearch } from "./header-search.js";
import { listenToKeys } from "./keys.js";
import { MeshOpen } from "./mesh-open.js";
import { make, pageWords, say } from "./page.js";
import { PdfPage } from "./pdf-page.js";
import { CasePreflight } from "./preflight/panel.js";
import { PreviewDraw } from "./preview-draw.js";
import { CaseUploader } from "./tray.js";
import { tellZone } from "./zone.js";

customElements.define("case-uploader", CaseUploader);
customElements.define("case-drop", CaseDrop);
customElements.define("case-live", CaseLive);
customElements.define("case-preflight", CasePreflight);
customElements.define("doctor-browser", DoctorBrowser);
customElements.define("file-replace", FileReplace);
customElements.define("header-search", HeaderSearch);
customElements.define("preview-draw", PreviewDraw);
customElements.define("mesh-open", MeshOpen);
customElements.define("pdf-page", PdfPage);

interface Context {
  target?: Element | string;
  request: { method: string; body?: FormData | null };
}

const contextOf = (event: Event): Context => (event as CustomEvent<{ ctx: Context }>).detail.ctx;

// Filters stand in the address; empty ones need not.
document.addEventListener("htmx:config:request", (event) => {
  const { method, body } = contextOf(event).request;
  if (method !== "GET" || !(body instanceof FormData)) return;
  for (const [name, value] of [...body]) if (value === "") body.delete(name);
});

// What is being sent is not sent again by a second click or Enter: two cases would be opened.
let sending: HTMLFormElement | undefined;
const sent = (): void => (sending = undefined);
document.addEventListener(
  "submit",
  (event) => {
    const form = event.target as HTMLFormElement;
    if (form.method !== "post") return;
    if (sending === form) {
      event.preventDefault();
      event.stopImmediatePropagation();
      return;
    }
    sending = form;
    setTimeout(sent, 10_000); // or it was broken off
  },
  { capture: true },
);
document.addEventListener("htmx:finally:request", (event) => {
  if (contextOf(event).request.method === "POST") sent();
});
addEventListener("pageshow", sent);

// After a soft navigation the reader begins at the top of the content, as after a load.
document.addEventListener("htmx:after:swap", () => {
  enhance();
  if (document.activeElement === document.body) document.getElementById("main")?.focus({ preventScroll: true });
});

document.addEventListener("htmx:error", () => {
  const words = pageWords();
  document.getElementById("unreached")?.remove();
  const sentence = make("p", { textContent: words.failedRequest ?? "" });
  const notice = make("div", { className: "notice bad", id: "unreached" }, sentence);
  notice.setAttribute("role", "alert");
  document.getElementById("main")?.prepend(notice);
});

document.addEventListener("click", (event) => {
  const button = (event.target as Element).closest<HTMLElement>("[data-copy]");
  if (!button) return;
  const copied = document.querySelector(button.dataset.copy!)?.textContent ?? "";
  void navigator.clipboard.writeText(copied).then(() => {
    button.textContent = pageWords().copied ?? "";
    say(button.textContent);
  });
});

document.addEventListener("click", (event) => {
  if ((event.target as Element).closest("[data-print]")) print();
});

function enhance(): void {
  for (const button of document.querySelectorAll<HTMLElement>("[data-print][hidden]")) button.hidden = false;
  if (!navigator.clipboard) return; // plain http from another computer: people copy by hand
  for (const button of document.querySelectorAll<HTMLElement>("[data-copy][hidden]")) button.hidden = false;
}

listenToKeys();
tellZone();
enhance();
