// Text as (0008,0005) Specific Character Set says (PS3.3 C.12.1.1.2, PS3.5 6.1): single sets, UTF-8, GB18030, GBK, and
// code extensions by ISO 2022 escapes. The tables are the browser's own (TextDecoder); the rules are those of
// internal/dicom (charset.go, iso2022.go).

const ESCAPE = 0x1b;
const UNKNOWN = "\ufffd";

/** One set: how its characters stand in the bytes and what they mean. */
interface CodeSet {
  low: boolean; // below 0x80 (G0), else above (G1)
  width: 1 | 2; // bytes of a character
  decode(first: number, second: number): string; // UNKNOWN when it has no meaning
}

const decoders = new Map<string, TextDecoder>();

function read(label: string, bytes: Uint8Array): string | undefined {
  let decoder = decoders.get(label);
  if (!decoder) decoders.set(label, (decoder = new TextDecoder(label, { fatal: true, ignoreBOM: true })));
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

const single = (label: string): CodeSet => ({
  low: false,
  width: 1,
  decode: (byte) => read(label, Uint8Array.of(byte)) ?? UNKNOWN,
});

/** One character of a 94 × 94 set through its EUC form: both bytes above 0x80, after a prefix. */
function double(label: string, low = false, ...prefix: number[]): CodeSet {
  const decode = (first: number, second: number) => {
    const text = read(label, Uint8Array.of(...prefix, first | 0x80, second | 0x80));
    return text !== undefined && [...text].length === 1 ? text : UNKNOWN;
  };
  return { low, width: 2, decode };
}

const latin1: CodeSet = { low: false, width: 1, decode: (byte) => String.fromCharCode(byte) };
/** The upper half of JIS X 0201. */
const halfWidthKatakana: CodeSet = {
  low: false,
  width: 1,
  decode: (byte) => (byte >= 0xa1 && byte <= 0xdf ? String.fromCharCode(0xff61 + byte - 0xa1) : UNKNOWN),
};
const ascii: CodeSet = { ...latin1, low: true };
const none: CodeSet = { low: false, width: 1, decode: () => UNKNOWN };

/** By the registration number of the defined term: "100" for ISO_IR 100 and ISO 2022 IR 100. */
const sets = new Map<string, CodeSet>([
  ["100", latin1],
  ["101", single("iso-8859-2")],
  ["109", single("iso-8859-3")],
  ["110", single("iso-8859-4")],
  ["126", single("iso-8859-7")],
  ["127", single("iso-8859-6")],
  ["138", single("iso-8859-8")],
  ["144", single("iso-8859-5")],
  ["148", single("windows-1254")], // ISO 8859-9 and a few more
  ["166", single("windows-874")],
  ["203", single("iso-8859-15")],
  ["13", halfWidthKatakana],
  ["87", double("euc-jp", true)],
  ["159", double("euc-jp", true, 0x8f)],
  ["149", double("euc-kr")],
  ["58", double("gbk")],
]);

/** Escape sequences without the ESC byte (PS3.3 tables C.12-3 and C.12-4) and the set each calls. */
const escapes: [string, CodeSet][] = [
  ["(B", ascii],
  ["(J", ascii],
  [")I", halfWidthKatakana],
  ["-A", latin1],
  ...(["B101", "C109", "D110", "F126", "G127", "H138", "L144", "M148", "T166", "b203"] as const).map(
    (both): [string, CodeSet] => [`-${both[0]}`, sets.get(both.slice(1))!],
  ),
  ["$B", sets.get("87")!],
  ["$(D", sets.get("159")!],
  ["$)C", sets.get("149")!],
  ["$)A", sets.get("58")!],
  ["$@", sets.get("87")!],
  ["$(B", sets.get("87")!],
];

/** The spellings of a defined term, brought to one. */
function plainTerm(term: string): string {
  const plain = term
    .toUpperCase()
    .split(/[ _-]+/)
    .filter((part) => part !== "")
    .join(" ");
  if (plain === "UTF 8" || plain === "UTF8") return "ISO IR 192";
  if (plain === "ISO 8859 1") return "ISO IR 100";
  return plain.replace(/^ISO2022/, "ISO 2022").replace(/^ISOIR/, "ISO IR");
}

/** Text, and whether every byte had a meaning in the stated set. */
export interface Decoded {
  text: string;
  certain: boolean;
}

export class Charset {
  #stated = false;
  #whole: string | undefined; // a multi-byte set without code extensions
  #utf8 = false;
  #initial: CodeSet | undefined;

  /** terms: the values of (0008,0005). */
  constructor(terms: readonly string[]) {
    let fallback: CodeSet | undefined;
    terms.map(plainTerm).forEach((term, i) => {
      if (term === "" || term === "ISO IR 6" || term === "ISO 2022 IR 6") return;
      this.#stated = true;
      if (term === "ISO IR 192") this.#utf8 = true;
      else if (term === "GB18030") this.#whole = "gb18030";
      else if (term === "GBK" || term === "GB2312") this.#whole = "gbk";
      const set = sets.get(term.replace(/^ISO (2022 )?IR /, ""));
      if (!set) return;
      if (i === 0) this.#initial = set;
      if (!set.low) fallback ??= set; // writers forget to repeat the escape after a delimiter
    });
    this.#initial ??= fallback;
  }

  decode(bytes: Uint8Array): Decoded {
    if (!bytes.some((byte) => byte >= 0x80 || byte === ESCAPE)) return { text: latin(bytes), certain: true };
    if (this.#utf8) return utf8OrLatin1(bytes);
    if (this.#whole !== undefined) {
      const text = read(this.#whole, bytes);
      return { text: text ?? new TextDecoder(this.#whole).decode(bytes), certain: text !== undefined };
    }
    if (this.#stated || bytes.includes(ESCAPE)) return this.#extended(bytes);
    return { text: utf8OrLatin1(bytes).text, certain: false };
  }

  /**
   * Text with code extensions (PS3.5 6.1.2.5): G0 holds the set of the bytes below 0x80, G1 of those above; escapes change
   * one of them, delimiters bring the first back.
   */
  #extended(bytes: Uint8Array): Decoded {
    const initial = this.#initial ?? none;
    let [g0, g1, text, certain] = [ascii, initial, "", true];
    for (let at = 0; at < bytes.length;) {
      const byte = bytes[at]!;
      if (byte === ESCAPE) {
        const after = latin(bytes.subarray(at + 1, at + 4));
        const found = escapes.find(([sequence]) => after.startsWith(sequence));
        if (!found) certain = false;
        else if (found[1].low) g0 = found[1];
        else g1 = found[1];
        at += 1 + (found?.[0].length ?? 0);
        continue;
      }
      let set = byte >= 0x80 ? g1 : g0;
      if (byte < 0x20 || (byte < 0x80 && g0.width === 1 && delimits(byte))) {
        g0 = set = ascii;
        g1 = initial;
      } else if (byte === 0x20) {
        set = ascii;
      }
      const second = bytes[at + 1];
      const whole = set.width === 1 || (second !== undefined && ((byte ^ second) & 0x80) === 0);
      const char = whole ? set.decode(byte, second ?? 0) : UNKNOWN;
      certain &&= char !== UNKNOWN;
      text += char;
      at += whole ? set.width : 1;
    }
    return { text, certain };
  }
}

/** The delimiters of values and of name components end the reach of an escape. */
const delimits = (byte: number): boolean => byte === 0x5c || byte === 0x5e || byte === 0x3d;

/** Latin-1, and so ASCII. */
export function latin(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 4096) text += String.fromCharCode(...bytes.subarray(at, at + 4096));
  return text;
}

export function utf8OrLatin1(bytes: Uint8Array): Decoded {
  const text = read("utf-8", bytes);
  return { text: text ?? latin(bytes), certain: text !== undefined };
}
