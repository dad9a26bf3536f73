// The names of ZIP entries as people read them. Old tools write the code page of their country without saying which; one
// archive comes from one machine, so all its names are judged together. The rules are those of internal/archive/names.go.
import { isJunk } from "../dropped.js";

const CP437 =
  "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0";

const cp437 = (bytes: Uint8Array): string =>
  [...bytes].map((byte) => (byte < 0x80 ? String.fromCharCode(byte) : CP437[byte - 0x80]!)).join("");

function strict(label: string, bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder(label, { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** The 2,350 Hangul syllables of KS X 1001; the others of CP949 are so rare that meeting them means other bytes. */
const commonHangul = new Set(
  new TextDecoder("euc-kr").decode(
    Uint8Array.from({ length: 25 * 94 * 2 }, (_, i) =>
      i % 2 === 0 ? 0xb0 + Math.floor(i / 188) : 0xa1 + (((i - 1) / 2) % 94),
    ),
  ),
);

/** How plausible a decoding is: letters a person names files with count for it, symbols and rarities against. */
function score(text: string): number {
  let [sum, chars] = [0, 0];
  for (const char of text) {
    const point = char.codePointAt(0)!;
    if (point < 0x80) continue;
    chars++;
    if (char === "\ufffd") sum -= 4;
    else if (point >= 0xac00 && point <= 0xd7a3) sum += commonHangul.has(char) ? 2 : -1;
    else if (point >= 0x3040 && point <= 0x30ff) sum += 2;
    else if (point >= 0xff61 && point <= 0xff9f) sum -= 0.5;
    else if ("äöüÄÖÜßéèêëàâçñôîïûùåæÆÅøØíóúáÉ".includes(char)) sum += 1.2;
    else if (/\p{Script=Han}/u.test(char)) sum += 0.9;
    else if (/\p{L}/u.test(char)) sum += 0.3;
    else sum--;
  }
  return chars === 0 ? 0 : sum / chars;
}

export interface RawName {
  bytes: Uint8Array;
  flagged: boolean; // as UTF-8 (APPNOTE 4.4.4, bit 11)
}

/** The names as display text, "/" between folders, without control and direction characters. */
export function readNames(names: readonly RawName[]): string[] {
  const sample: number[] = [];
  const known = names.map(({ bytes, flagged }) => {
    const text = strict("utf-8", bytes);
    if (text !== undefined) return text;
    if (flagged) return new TextDecoder().decode(bytes);
    if (sample.length < 64 << 10) sample.push(...bytes, 0x0a);
    return undefined;
  });
  let [best, bestScore] = ["", sample.length > 0 ? score(cp437(Uint8Array.from(sample))) : 0];
  for (const label of sample.length > 0 ? ["euc-kr", "shift_jis", "windows-1252"] : []) {
    const candidate = score(new TextDecoder(label).decode(Uint8Array.from(sample)));
    if (candidate > bestScore) [best, bestScore] = [label, candidate];
  }
  return names.map(({ bytes }, i) =>
    display(known[i] ?? (best === "" ? undefined : strict(best, bytes)) ?? cp437(bytes)),
  );
}

const display = (name: string): string =>
  name
    .replace(/\\/g, "/")
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}]/gu, "")
    .normalize("NFC");

/** Tells whether an entry is what operating systems leave behind. */
export function isJunkEntry(name: string): boolean {
  const slash = name.lastIndexOf("/");
  return isJunk(name.slice(0, Math.max(0, slash)), name.slice(slash + 1));
}
