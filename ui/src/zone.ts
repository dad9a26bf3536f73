// The server tells times in the browser's zone once it knows it: a cookie says which, and this one page is fetched again.
import htmx from "htmx.org";

const COOKIE = "caseload-zone";
const YEAR = 365 * 24 * 3600;

export function tellZone(): void {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const told = encodeURIComponent(zone);
  if (!zone || document.documentElement.dataset.zone === zone) return;
  if (document.cookie.split("; ").includes(`${COOKIE}=${told}`)) return; // the server does not know this zone
  document.cookie = `${COOKIE}=${told}; path=/; max-age=${YEAR}; samesite=lax`;
  if (!document.querySelector("#page time")) return;
  void htmx.ajax("GET", location.pathname + location.search, { target: "#page", select: "#page", swap: "outerMorph" });
}
