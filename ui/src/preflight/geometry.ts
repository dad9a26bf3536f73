// The slices of a series along their normal: spacing, gaps, doubles. The rule is that of internal/dicom/geometry.go, so
// that what is said before sending is what the case says afterwards.

/** What the geometry needs of one image file. */
export interface Slice {
  number: number; // instance number, 0 when unknown
  frames: number;
  position: number[] | undefined; // mm, three
  orientation: number[] | undefined; // two directions, six
  framePositions: number[] | undefined; // mm along the normal, of a multi-frame image
}

/** A run of slice numbers, both ends included. */
export type Range = [from: number, to: number];

export interface Stack {
  images: number; // frames of all
  spacing: number; // mm between neighbours, 0 when unknown
  missing: Range[]; // 1-based in the order of the stack
  missingCount: number;
  byNumber: boolean; // told by image numbers, for want of positions
  uneven: boolean;
  deviation: number; // mm, the largest difference from the spacing or its multiple
  duplicates: number; // images at a place where another one is already
  others: number; // images in other planes: scouts
}

const SAME_PLACE = 0.001; // mm
const EVEN_WITHIN = 0.02; // of the spacing
const EVEN_AT_LEAST = 0.011; // mm: writers round positions to two decimals
const MISSING_AT_MOST = 10_000;
const PLANES_AT_MOST = 16;

export function geometry(slices: readonly Slice[]): Stack {
  const stack: Stack = {
    images: slices.reduce((sum, slice) => sum + Math.max(slice.frames, 1), 0),
    spacing: 0,
    missing: [],
    missingCount: 0,
    byNumber: false,
    uneven: false,
    deviation: 0,
    duplicates: 0,
    others: 0,
  };
  const { places, others } = placesAlongNormal(slices);
  stack.others = others;
  if (places.length >= 2) fromPlaces(stack, places);
  else fromNumbers(stack, slices);
  return stack;
}

/** The places in mm of all images of the most frequent orientation, sorted; and how many lie in other planes. */
function placesAlongNormal(slices: readonly Slice[]): { places: number[]; others: number } {
  const planes: { normal: number[]; places: number[] }[] = [];
  let others = 0;
  for (const slice of slices) {
    const normal = normalOf(slice.orientation);
    const own = slice.framePositions ?? [];
    if (!normal || (!slice.position && own.length === 0)) continue;
    let plane = planes.find((known) => Math.abs(dot(known.normal, normal)) > 0.999);
    if (!plane) {
      if (planes.length >= PLANES_AT_MOST) {
        others++;
        continue;
      }
      planes.push((plane = { normal, places: [] }));
    }
    const found = own.length === 0 && slice.frames <= 1 ? [dot(slice.position!, plane.normal)] : own;
    if (found.every((place) => Math.abs(place) < 1e6)) for (const place of found) plane.places.push(place);
  }
  let best: number[] = [];
  for (const { places } of planes) {
    others += places.length;
    if (places.length > best.length) best = places;
  }
  return { places: best.sort((a, b) => a - b), others: others - best.length };
}

/** Spacing is the median distance, gaps are whole multiples of it. */
function fromPlaces(stack: Stack, places: readonly number[]): void {
  const distinct: number[] = [];
  for (const place of places) {
    if (distinct.length > 0 && place - distinct.at(-1)! < SAME_PLACE) stack.duplicates++;
    else distinct.push(place);
  }
  if (distinct.length < 2) return;
  const distances = distinct.slice(1).map((place, i) => place - distinct[i]!);
  stack.spacing = [...distances].sort((a, b) => a - b)[Math.floor(distances.length / 2)]!;
  const tolerance = Math.max(EVEN_AT_LEAST, EVEN_WITHIN * stack.spacing);
  let number = 1;
  for (const distance of distances) {
    const steps = Math.max(1, Math.round(distance / stack.spacing));
    const off = Math.abs(distance - steps * stack.spacing);
    stack.deviation = Math.max(stack.deviation, off);
    stack.uneven ||= off > tolerance * steps;
    const gap = Math.min(steps - 1, MISSING_AT_MOST);
    if (gap > 0) addMissing(stack, [number + 1, number + gap]);
    number += gap + 1;
  }
}

/** Gaps in the image numbers of single-frame images without usable positions. */
function fromNumbers(stack: Stack, slices: readonly Slice[]): void {
  if (slices.length < 2 || slices.some((slice) => slice.frames > 1 || slice.number <= 0)) return;
  const numbers = slices.map((slice) => slice.number).sort((a, b) => a - b);
  for (let i = 1; i < numbers.length; i++) {
    const gap = numbers[i]! - numbers[i - 1]! - 1;
    if (gap < 0) stack.duplicates++;
    if (gap > MISSING_AT_MOST) {
      stack.missing = [];
      stack.missingCount = 0;
      return; // they do not count the slices
    }
    const from = numbers[i - 1]! - numbers[0]! + 2;
    if (gap > 0) addMissing(stack, [from, from + gap - 1]);
  }
  stack.byNumber = stack.missing.length > 0;
}

function addMissing(stack: Stack, range: Range): void {
  stack.missing.push(range);
  stack.missingCount += range[1] - range[0] + 1;
}

/** "113–118, 200": the first few of the ranges. */
export function rangeWords(missing: readonly Range[]): string {
  const shown = missing.slice(0, 5).map(([from, to]) => (from === to ? `${from}` : `${from}–${to}`));
  return [...shown, ...(missing.length > 5 ? ["…"] : [])].join(", ");
}

/** The unit normal of an orientation (row × column), undefined when it has none. */
export function normalOf(o: readonly number[] | undefined): number[] | undefined {
  if (o?.length !== 6) return undefined;
  const [a, b, c, d, e, f] = o as [number, number, number, number, number, number];
  const normal = [b * f - c * e, c * d - a * f, a * e - b * d];
  const length = Math.sqrt(dot(normal, normal));
  if (!(length > 0.1) || length === Infinity) return undefined;
  return normal.map((value) => value / length);
}

export function dot(a: readonly number[], b: readonly number[]): number {
  return a[0]! * b[0]! + a[1]! * b[1]! + a[2]! * b[2]!;
}
