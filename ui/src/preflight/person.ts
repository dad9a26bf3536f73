// Names of people: how a value of representation PN is shown (PS3.5 6.2.1.1), and whether two writings mean the same
// person.

const eastern = /[\p{Script=Hangul}\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u;
const endsEastern = new RegExp(`${eastern.source}$`, "u");
const startsEastern = new RegExp(`^${eastern.source}`, "u");

const squeeze = (text: string): string => text.trim().split(/\s+/).filter(Boolean).join(" ");

/**
 * The name as people read it: "Müller, Jürgen", "임대석", "Yamada, Tarou (山田 太郎, やまだ たろう)". Hangul comes
 * before Hanja. The rules are those of PersonName.Display in internal/dicom.
 */
export function displayName(name: string): string {
  const groups = name.split("=", 3);
  if (/\p{Script=Hangul}/u.test(groups[2] ?? "")) groups.splice(1, 2, groups[2]!, groups[1]!);
  const spaced = /[\p{Script=Hiragana}\p{Script=Katakana}]/u.test(groups.join(""));
  const [first = "", ...others] = [...new Set(groups.map((group) => displayGroup(group, spaced)))].filter(Boolean);
  return others.length > 0 ? `${first} (${others.join(", ")})` : first;
}

function displayGroup(group: string, spaced: boolean): string {
  const [family = "", given = "", middle = "", prefix = "", suffix = ""] = group.split("^").map(squeeze);
  if (eastern.test(family) || (family === "" && eastern.test(given))) {
    const name = joinEastern(joinEastern(family, given, spaced), middle, spaced);
    return squeeze(`${prefix} ${name} ${suffix}`);
  }
  return [family, squeeze(`${prefix} ${given} ${middle}`), suffix].filter(Boolean).join(", ");
}

/** A space stands where it is wanted or where another script meets. */
function joinEastern(a: string, b: string, spaced: boolean): string {
  const close = a === "" || b === "" || (!spaced && endsEastern.test(a) && startsEastern.test(b));
  return close ? a + b : `${a} ${b}`;
}

/** Letters and digits only, without case and diacritics; "ü", "ue" and "u" are one. */
export function fold(text: string): string {
  return text
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/ß/g, "ss")
    .replace(/ø/g, "o")
    .replace(/ł/g, "l")
    .replace(/æ/g, "a")
    .replace(/œ/g, "o")
    .replace(/([aou])e/g, "$1")
    .normalize("NFC")
    .replace(/[^\p{L}\p{N}]/gu, "");
}

/** The words of a text, folded; those without a letter are no part of a name. */
const words = (text: string): string[] =>
  text
    .split(/[^\p{L}\p{M}\p{N}]+/u)
    .map(fold)
    .filter((word) => /\p{L}/u.test(word));

interface Writing {
  words: string[];
  joined: string[]; // family and given in either order
  eastern: boolean;
}

function writings(name: string): Writing[] {
  const found: Writing[] = [];
  for (const group of name.split("=", 3)) {
    const [family = "", given = "", middle = ""] = group.split("^");
    const all = words([family, given, middle].join(" "));
    if (all.length === 0) continue;
    const joined = [family + given, given + family, family + given + middle, given + middle + family].map(fold);
    found.push({ words: all, joined: [...new Set(joined)], eastern: eastern.test(group) });
  }
  return found;
}

export type Verdict = "same" | "other" | "unknown";

/**
 * Tells whether two PN values mean the same person: in any order, without case, spaces and diacritics, by any of their
 * writings. Names in different scripts (김^민지, Kim^Minji) cannot be compared: "unknown".
 */
export function compareNames(a: string, b: string): Verdict {
  const [left, right] = [writings(a), writings(b)];
  const pairs = left.flatMap((one) => right.map((other) => [one, other] as const));
  const sorted = (writing: Writing) => [...writing.words].sort().join(" ");
  const same = pairs.some(
    ([one, other]) => one.joined.some((name) => other.joined.includes(name)) || sorted(one) === sorted(other),
  );
  if (same) return "same";
  return pairs.some(([one, other]) => one.eastern === other.eastern) ? "other" : "unknown";
}

/**
 * Compares a patient with what a person wrote on the case ("Kim Minji, implant 26"). Nothing written, or nothing but
 * numbers, or a name in another script (김민지, Kim^Minji) claims nothing: "unknown".
 */
export function compareToLabel(label: string, name: string, id: string): Verdict {
  const claimed = words(label);
  if (id !== "" && label.split(/[\s,;/()]+/).some((word) => fold(word) === fold(id))) return "same";
  const writingsOfName = writings(name);
  if (claimed.length === 0 || writingsOfName.length === 0) return "unknown";
  const letters = fold(label);
  for (const { words: own, joined } of writingsOfName) {
    if (joined.some((whole) => whole.length >= 2 && letters.includes(whole))) return "same";
    if (claimed.every((word) => own.includes(word))) return "same";
    if (own.length >= 2 && own.slice(0, 2).every((word) => claimed.includes(word))) return "same";
  }
  const scripts = new Set(writingsOfName.map((writing) => writing.eastern));
  const labelled = claimed.some((word) => eastern.test(word));
  return scripts.has(labelled) ? "other" : "unknown";
}
