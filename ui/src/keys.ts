// Habits of the keyboard: arrows walk the list of cases, "/" leads to the search, Escape closes what is folded open.

export function listenToKeys(): void {
  document.addEventListener("toggle", leadIntoForm, { capture: true });
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") walk(event);
    else if (event.key === "/" && !typing(event.target)) leadToSearch(event);
    else if (event.key === "Escape") closeFold(event.target);
  });
  document.addEventListener("click", (event) => {
    const inside = (event.target as Element).closest("details.fold");
    for (const fold of openFolds()) if (fold !== inside && fold.querySelector(".panel")) fold.open = false;
  });
}

function walk(event: KeyboardEvent): void {
  const target = event.target as Element;
  const search = document.querySelector<HTMLElement>("[data-keys=cases]");
  const rows = [...document.querySelectorAll<HTMLElement>("[data-keys=rows] .row-link")];
  const at = rows.indexOf(target as HTMLElement);
  if (rows.length === 0 || (at < 0 && target !== search && target !== document.body)) return;
  const next = event.key === "ArrowDown" ? rows[at + 1] : at <= 0 ? search : rows[at - 1];
  if (!next || (at < 0 && event.key === "ArrowUp")) return;
  event.preventDefault();
  next.focus();
}

function leadToSearch(event: KeyboardEvent): void {
  const search = document.querySelector<HTMLInputElement>("[data-keys=cases]");
  if (!search) return;
  event.preventDefault();
  search.select();
}

function closeFold(target: EventTarget | null): void {
  const fold = (target as Element).closest<HTMLDetailsElement>("details.fold[open]") ?? openFolds()[0];
  if (!fold) return;
  fold.open = false;
  fold.querySelector("summary")?.focus();
}

/** Who opens a fold with a form in it means to fill it in. */
function leadIntoForm(event: Event): void {
  const fold = event.target as HTMLDetailsElement;
  if (!fold.open || !fold.matches("details.fold")) return;
  fold.querySelector<HTMLElement>(".panel :is(input:not([type=hidden]), textarea, select)")?.focus();
}

function openFolds(): HTMLDetailsElement[] {
  return [...document.querySelectorAll<HTMLDetailsElement>("details.fold[open]")];
}

function typing(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  );
}
