// What pre-flight says, from its facts and the page's words.
import { count, date, group as thousands, size, text, type Words } from "../format.js";
import type { Drop, DropFile } from "./drop.js";
import { rangeWords } from "./geometry.js";
import { isNamed, type Contents, type Patient, type Series } from "./group.js";
import type { Kind } from "./kind.js";

/** How other files are counted, in this order: photos are photos, whatever wrote them. */
const KINDS: [word: string, ...kinds: Kind[]][] = [
  ["stl", "stl"],
  ["mesh", "ply", "obj"],
  ["photo", "jpeg", "png"],
  ["pdf", "pdf"],
  ["dicomdir", "dicomdir"],
  ["other", "other", "zip", "dicom"],
];

/** "1 STL, 3 photos": what is neither image nor ZIP. */
export function othersSummary(words: Words, { kinds }: Contents): string {
  const parts = KINDS.map(([word, ...of]): [string, number] => [
    word,
    of.reduce((n, kind) => n + (kinds.get(kind) ?? 0), 0),
  ]);
  return parts
    .filter(([, n]) => n > 0)
    .map(([word, n]) => count(words, `pre.kind.${word}`, n))
    .join(", ");
}

/** "1 patient, 1 study, 2 series, 612 images, 2 STL, 318 MB". */
export function summary(words: Words, drop: Drop): string {
  const { contents } = drop;
  const parts: string[] = [];
  const add = (word: string, n: number) => n > 0 && parts.push(count(words, word, n));
  if (contents.images > 0) {
    add("pre.patients", Math.max(1, contents.patients.filter(isNamed).length));
    add("pre.studies", contents.studies);
    add("pre.series", contents.series);
    add("pre.images", contents.images);
  }
  add("pre.zips", contents.zips.length);
  const others = othersSummary(words, contents);
  if (others) parts.push(others);
  const counted = drop.files.filter(({ look }) => look);
  if (counted.length === 0) return text(words, drop.files.length === 0 ? "nothing" : "pre.nothingLeft");
  parts.push(size(counted.reduce((sum, { source }) => sum + source.size, 0)));
  return parts.join(", ");
}

/** "slices 113–118 missing in series 2"; "" when nothing is missing. */
export function gaps(words: Words, { contents }: Drop): string {
  const found = seriesOf(contents).flatMap(({ stack }, i) =>
    stack.missing.length === 0
      ? []
      : [count(words, "pre.missingIn", stack.missingCount, { slices: rangeWords(stack.missing), series: i + 1 })],
  );
  return [...found.slice(0, 3), ...(found.length > 3 ? ["…"] : [])].join("; ");
}

const seriesOf = (contents: Contents): Series[] => contents.patients.flatMap(({ series }) => series);

/** What is missing or odd in a series, in the words the case will use; "" when nothing is. */
export function seriesNote(words: Words, { stack, copies }: Series): string {
  const notes: string[] = [];
  if (stack.others > 0) notes.push(count(words, "pre.others", stack.others));
  if (stack.duplicates > 0) notes.push(count(words, "pre.doubled", stack.duplicates));
  if (stack.missing.length > 0) {
    const gap = count(words, "pre.gap", stack.missingCount, { slices: rangeWords(stack.missing) });
    notes.push(stack.byNumber ? `${gap} ${text(words, "pre.byNumber")}` : gap);
  }
  if (stack.uneven) notes.push(text(words, "pre.uneven", { mm: Number(stack.deviation.toPrecision(3)) }));
  if (copies > 0) notes.push(count(words, "pre.copies", copies));
  return notes.join("; ");
}

/** "412 images · 16 × 16 · 216 MB". */
export function seriesFacts(words: Words, series: Series): string {
  const parts = [count(words, "pre.images", series.images)];
  if (series.rows > 0) parts.push(`${series.columns} × ${series.rows}`);
  parts.push(size(series.bytes));
  return parts.join(" · ");
}

export const patientName = (words: Words, { label }: Patient): string => label || text(words, "pre.nobody");

/** "12 Apr 1987 · P-10442": what tells namesakes apart. */
export function patientFacts(words: Words, { ids, birthDate, label }: Patient): string {
  return [date(words, birthDate), ...ids.filter((id) => id !== label)].filter(Boolean).join(" · ");
}

/** Why there is a question. */
export function questionSentence(words: Words, drop: Drop): string {
  const names = (patients: readonly Patient[]) => {
    const shown = patients.slice(0, 4).map((patient) => patientName(words, patient));
    return [...shown, ...(patients.length > 4 ? ["…"] : [])].join("; ");
  };
  if (drop.question === "several") {
    const patients = drop.contents.patients.filter(isNamed);
    return count(words, "pre.several", patients.length, { names: names(patients) });
  }
  return text(words, "pre.other", { patient: names(drop.strangers), whose: drop.whose });
}

/** Files of one fate in a sentence: how many, and the names of the first few. */
export function fateSentence(words: Words, word: string, names: readonly string[], values = {}): string {
  const shown = names.slice(0, 3).join(", ") + (names.length > 3 ? ", …" : "");
  return count(words, word, names.length, { ...values, names: shown });
}

export const fileName = ({ source }: DropFile): string =>
  source.path === "" ? source.name : `${source.path}/${source.name}`;

/** What has become of some files; "" while they are simply on their way. */
export function outcome(words: Words, files: readonly DropFile[], phase: Drop["phase"]): string {
  const states = files.map(({ fate, item }) => (fate === "sent" ? (item?.state ?? "sending") : fate));
  const n = (...of: string[]) => states.filter((state) => of.includes(state)).length;
  const all = states.length;
  if (all === 0) return "";
  if (n("left", "cancelled") === all && phase !== "asking") return text(words, "pre.left");
  if (n("received") === all) return text(words, "pre.already");
  const parts: string[] = [];
  if (n("failed") > 0) parts.push(count(words, "failed", n("failed")));
  if (n("received") > 0) parts.push(count(words, "pre.alreadySome", n("received")));
  if (parts.length === 0 && n("done") === all) return text(words, "pre.received");
  const sent = n("done", "received");
  if (parts.length === 0 && sent > 0) return count(words, "pre.some", all, { done: thousands(sent) });
  return parts.join(", ");
}
