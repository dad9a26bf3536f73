// Dates of files are told before sending as the pages tell them afterwards.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { date } from "../../src/format.js";

/** The page's words in a language, as the server puts them there. */
function words(language: "en" | "ko"): Record<string, string> {
  const all = JSON.parse(readFileSync("words.json", "utf8")) as Record<string, Record<string, string>>;
  return Object.fromEntries(
    Object.entries(all).flatMap(([key, text]) => (key.startsWith("script.") ? [[key.slice(7), text[language]!]] : [])),
  );
}

test("a date of birth is told in the reader's language, and nothing of what is none", () => {
  assert.equal(date(words("en"), "19870412"), "12 Apr 1987");
  assert.equal(date(words("ko"), "19871201"), "1987년 12월 1일");
  for (const none of ["", "1987", "1987-04-12", "19871301", "19870400", "19870432"])
    assert.equal(date(words("en"), none), "");
});

test("the script's dates and the server's have the same months and order", () => {
  const all = JSON.parse(readFileSync("words.json", "utf8")) as Record<string, Record<string, string>>;
  for (const language of ["en", "ko"]) {
    assert.equal(all["script.date"]![language], all["time.date"]![language]);
    assert.deepEqual(
      all["script.months"]![language]!.split(" "),
      Array.from({ length: 12 }, (_, m) => all[`month.${m + 1}`]![language]),
    );
  }
});
