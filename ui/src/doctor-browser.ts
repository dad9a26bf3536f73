// <doctor-browser>: what this browser sees of the deployment, tried when the page Doctor is opened.
import { text } from "./format.js";
import { make, pageWords } from "./page.js";
import { selfTest, type Seen } from "./selftest.js";
import { browserTransport } from "./transport.js";

export class DoctorBrowser extends HTMLElement {
  connectedCallback(): void {
    const words = pageWords();
    const list = make("ul", { className: "found" });
    const title = make("h2", { id: "group-browser", textContent: words["doctor.title"] ?? "" });
    const section = make("section", { className: "card exam" }, make("header", {}, title), list);
    section.setAttribute("aria-labelledby", title.id);
    this.replaceChildren(section);
    const place = {
      secure: isSecureContext,
      now: () => Date.now(),
      serverDate: async () => (await fetch("/healthz", { cache: "no-store" })).headers.get("Date") ?? "",
    };
    void selfTest(browserTransport, place, (line) => {
      if (this.isConnected) list.append(finding(line));
    });
  }
}

function finding(line: Seen): HTMLLIElement {
  const words = pageWords();
  const key = `doctor.${line.name}.${line.outcome}`;
  const said = make("span", { textContent: text(words, key, { detail: line.detail }) });
  const dot = make("span", { className: "dot" });
  dot.setAttribute("aria-hidden", "true");
  const level = make("span", { className: "finding-level", textContent: words[`doctor.level.${line.level}`] ?? "" });
  const name = make("code", { className: "finding-name", textContent: `browser.${line.name}` });
  const shown = make(
    "li",
    { className: "finding" },
    make("p", { className: "finding-said" }, dot, level, " ", said, " ", name),
  );
  shown.dataset.level = line.level;
  const more = words[`${key}.more`];
  if (more) shown.append(make("p", { className: "finding-more", textContent: more }));
  return shown;
}
