// The flat facts of one DICOM header: what pre-flight groups, counts and shows.
import { Charset, latin } from "./charset.js";
import { dot, normalOf, type Slice } from "./geometry.js";
import { Tag, traits } from "./tags.js";
import { plainText, type Element, type Header, type Item } from "./walk.js";

/** Absent text is "", absent numbers are 0. Slice's part is what the geometry needs. */
export interface Facts extends Slice {
  patientName: string; // as DICOM writes it, decoded: "Hong^Gildong=洪^吉洞=홍^길동"
  patientID: string;
  birthDate: string; // YYYYMMDD as written
  study: string; // UIDs
  series: string;
  instance: string;
  studyDate: string;
  studyDescription: string;
  seriesNumber: string;
  seriesDescription: string;
  modality: string;
  rows: number; // pixels
  columns: number;
  syntax: string; // UID
  directory: boolean; // a DICOMDIR: no image
  guessed: boolean; // text whose character set nobody stated, or that did not fit it
  cutShort: boolean;
}

/** The directory of a medium (PS3.3 F.2.2). */
const MEDIA_DIRECTORY = "1.2.840.10008.1.3.10";

export function describe(header: Header): Facts {
  const { elements } = header;
  const terms = plainText(elements.get(Tag.SpecificCharacterSet)).split("\\").map(trim);
  const charset = new Charset(terms);
  let guessed = false;
  const text = (tag: number): string => {
    const element = elements.get(tag);
    if (!element) return "";
    if (traits.get(element.vr)?.text !== "charset") return trim(latin(element.value.subarray(0, 1024)).split("\\")[0]!);
    const decoded = charset.decode(element.value.subarray(0, 1024));
    guessed ||= !decoded.certain;
    return trim(decoded.text.split("\\")[0]!);
  };
  const count = (tag: number): number => Math.max(0, whole(numbers(elements.get(tag))?.[0]));
  const facts: Facts = {
    patientName: text(Tag.PatientName).replace(/[\^= ]+$/, ""),
    patientID: text(Tag.PatientID),
    birthDate: text(Tag.PatientBirthDate),
    study: text(Tag.StudyInstanceUID),
    series: text(Tag.SeriesInstanceUID),
    instance: text(Tag.SOPInstanceUID) || text(Tag.MediaStorageSOPInstanceUID),
    studyDate: text(Tag.StudyDate),
    studyDescription: text(Tag.StudyDescription),
    seriesNumber: text(Tag.SeriesNumber),
    seriesDescription: text(Tag.SeriesDescription),
    modality: text(Tag.Modality),
    rows: count(Tag.Rows),
    columns: count(Tag.Columns),
    syntax: header.syntax,
    directory:
      text(Tag.MediaStorageSOPClassUID) === MEDIA_DIRECTORY || elements.get(Tag.DirectoryRecordSequence) !== undefined,
    number: count(Tag.InstanceNumber),
    frames: count(Tag.NumberOfFrames) || (header.hasPixels ? 1 : 0),
    position: exactly(3, numbers(elements.get(Tag.ImagePositionPatient))),
    orientation: cosines(numbers(elements.get(Tag.ImageOrientationPatient))),
    framePositions: undefined,
    guessed,
    cutShort: header.cutShort,
  };
  functionalGroups(facts, elements);
  facts.guessed = guessed;
  if (!facts.framePositions && facts.frames > 1) facts.framePositions = gridOffsets(facts, elements);
  return facts;
}

const trim = (text: string): string => text.replace(/^ +|[ \0]+$/g, "");

const whole = (n: number | undefined): number => (n !== undefined && Number.isSafeInteger(n) ? n : 0);

const exactly = (n: number, values: number[] | undefined): number[] | undefined =>
  values && values.length >= n ? values.slice(0, n) : undefined;

function cosines(values: number[] | undefined): number[] | undefined {
  const six = exactly(6, values);
  return normalOf(six) ? six : undefined;
}

/** The element's values as numbers, written as text or in binary; undefined when one of them is none. */
function numbers(element: Element | undefined): number[] | undefined {
  if (!element || element.value.length === 0) return undefined;
  const kind = traits.get(element.vr)?.number;
  if (kind) return binary(element, kind);
  const parts = latin(element.value)
    .split("\\")
    .map((part) => part.replace(/^[\s\0]+|[\s\0]+$/g, ""));
  const values = parts.map((part) => (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(part) ? Number(part) : NaN));
  return values.every(Number.isFinite) ? values : undefined;
}

function binary({ value, bigEndian }: Element, kind: NonNullable<ReturnType<typeof traits.get>>["number"]): number[] {
  const b = new DataView(value.buffer, value.byteOffset, value.byteLength);
  const width = kind === "double" ? 8 : kind === "uint16" || kind === "int16" ? 2 : 4;
  const values: number[] = [];
  for (let at = 0; at + width <= value.length; at += width) {
    if (kind === "double") values.push(b.getFloat64(at, !bigEndian));
    else if (kind === "float") values.push(b.getFloat32(at, !bigEndian));
    else if (kind === "int32") values.push(b.getInt32(at, !bigEndian));
    else if (kind === "uint32") values.push(b.getUint32(at, !bigEndian));
    else if (kind === "int16") values.push(b.getInt16(at, !bigEndian));
    else values.push(b.getUint16(at, !bigEndian));
  }
  return values;
}

/** Geometry of enhanced objects: plane position and orientation of shared and per-frame groups (PS3.3 C.7.6.16.2). */
function functionalGroups(facts: Facts, elements: Item): void {
  const frames = elements.get(Tag.PerFrameFunctionalGroups)?.items ?? [];
  const shared = elements.get(Tag.SharedFunctionalGroups)?.items[0];
  const lookUp = (sequence: number, tag: number) => macro(frames[0], sequence, tag) ?? macro(shared, sequence, tag);
  facts.orientation = cosines(lookUp(Tag.PlaneOrientationSequence, Tag.ImageOrientationPatient)) ?? facts.orientation;
  facts.position = exactly(3, lookUp(Tag.PlanePositionSequence, Tag.ImagePositionPatient)) ?? facts.position;
  const normal = normalOf(facts.orientation);
  if (!normal || frames.length === 0) return;
  const positions = frames.map((frame) =>
    exactly(3, macro(frame, Tag.PlanePositionSequence, Tag.ImagePositionPatient)),
  );
  if (positions.every((position) => position !== undefined)) {
    facts.framePositions = positions.map((position) => dot(position, normal));
  }
}

/** The numbers of a tag in the first item of a functional group's sequence. */
function macro(group: Item | undefined, sequence: number, tag: number): number[] | undefined {
  return numbers(group?.get(sequence)?.items[0]?.get(tag));
}

/** The frame positions of a dose grid (PS3.3 C.8.8.3.2), relative to its first plane. */
function gridOffsets(facts: Facts, elements: Item): number[] | undefined {
  const offsets = numbers(elements.get(Tag.GridFrameOffsetVector));
  const normal = normalOf(facts.orientation);
  if (!offsets || offsets.length !== facts.frames || !normal || !facts.position) return undefined;
  const origin = dot(facts.position, normal) - offsets[0]!;
  return offsets.map((offset) => origin + offset);
}
