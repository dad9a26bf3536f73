// Words, sizes and times as people read them. The words come with the page, in its language.

export type Words = Record<string, string>;

/** The text of key with every {name} filled. A missing key shows itself. */
export function text(words: Words, key: string, values: Record<string, string | number> = {}): string {
  return fill(words[key] ?? key, values);
}

/** The text of key for a number, which fills {n}; "one|other" parts the two. */
export function count(words: Words, key: string, n: number, values: Record<string, string | number> = {}): string {
  const [one, other] = (words[key] ?? key).split("|");
  return fill((n === 1 || other === undefined ? one : other) ?? key, { ...values, n: group(n) });
}

function fill(template: string, values: Record<string, string | number>): string {
  return template.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** A whole number with thousands parted by commas. */
export function group(n: number): string {
  return Math.round(n)
    .toString()
    .replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

/** A date that DICOM writes (YYYYMMDD) as the server's pages tell it: "12 Apr 1987"; "" of what is none. */
export function date(words: Words, da: string): string {
  const [, year, month, day] = /^(\d{4})(\d\d)(\d\d)$/.exec(da) ?? [];
  const name = (words.months ?? "").split(" ")[Number(month) - 1];
  if (!year || !name || Number(day) < 1 || Number(day) > 31) return "";
  return text(words, "date", { year: String(Number(year)), month: name, day: Number(day) });
}

/** Bytes in decimal units, like the server's pages: "812 B", "4.1 kB", "318 MB", "1.1 GB". */
export function size(bytes: number): string {
  if (bytes < 1000) return `${Math.max(0, Math.round(bytes))} B`;
  let value = bytes;
  let unit = 0;
  for (; value >= 999.5 && unit < 4; unit++) value /= 1000;
  return `${value < 9.95 ? value.toFixed(1) : Math.round(value)} ${["B", "kB", "MB", "GB", "TB"][unit]}`;
}

/** Seconds in words, coarser the longer they are, so that it does not flicker. */
export function duration(words: Words, seconds: number): string {
  if (seconds < 55)
    return text(words, "seconds", { n: seconds < 10 ? Math.max(1, Math.ceil(seconds)) : Math.ceil(seconds / 5) * 5 });
  const minutes = Math.ceil(seconds / 60);
  if (minutes < 60) return text(words, "minutes", { n: minutes });
  return text(words, "hours", { h: Math.floor(minutes / 60), m: minutes % 60 });
}

/** How much of the whole is done, 0 to 100; 100 only when all is. */
export function percent(done: number, whole: number): number {
  if (whole <= 0) return 0;
  return done >= whole ? 100 : Math.min(99, Math.floor((done / whole) * 100));
}
