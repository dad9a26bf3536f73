// Tables for the terminal and for docs/benchmarks.md, and the figures as JSON lines.
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bin, MiB } from "./settings.mjs";

const markdown = join(bin, "bench-upload.md");
const figures = join(bin, "bench-upload.jsonl");
mkdirSync(bin, { recursive: true });
writeFileSync(markdown, "");
writeFileSync(figures, "");

export const number = (value, digits = 2) => (value === undefined || Number.isNaN(value) ? "–" : value.toFixed(digits));
export const mib = (bytes) => number(bytes / MiB, 0);
export const megabits = (bytes, seconds) => (bytes * 8) / 1e6 / seconds;
export const median = (values) => [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)];

export function note(text) {
  console.log(text);
  appendFileSync(markdown, text + "\n\n");
}

export function keep(section, figure) {
  appendFileSync(figures, JSON.stringify({ section, at: new Date().toISOString(), ...figure }) + "\n");
}

export function table(title, head, rows) {
  const widths = head.map((cell, i) => Math.max(cell.length, ...rows.map((row) => String(row[i]).length)));
  console.log(`\n${title}`);
  for (const row of [head, ...rows]) console.log("  " + row.map((cell, i) => String(cell).padEnd(widths[i])).join("  "));
  const line = (cells) => `| ${cells.join(" | ")} |`;
  appendFileSync(markdown, [`### ${title}`, "", line(head), line(head.map(() => "---")), ...rows.map(line), "", ""].join("\n"));
}
