// What was dropped, as people think of it: patients, their series, ZIPs, other files.
import type { Facts } from "./describe.js";
import { geometry, type Stack } from "./geometry.js";
import type { Kind } from "./kind.js";
import type { Look } from "./look.js";
import { compareNames, displayName, fold, type Verdict } from "./person.js";
import type { Trouble } from "./zip.js";

/** One dropped file that has been looked at. */
export interface Looked {
  index: number; // within the drop
  name: string;
  size: number; // bytes
  look: Look;
}

export interface Series {
  key: string;
  study: string;
  description: string;
  modality: string;
  seriesNumber: string;
  images: number;
  copies: number; // the same image again
  bytes: number;
  rows: number;
  columns: number;
  stack: Stack;
  files: number[]; // indexes of loose files
  zips: number[]; // indexes of ZIPs that hold images of it
}

export interface Patient extends Person {
  key: string;
  label: string; // name as people read it; "" when the files do not say
  ids: string[];
  series: Series[];
}

export interface Zip {
  index: number;
  name: string;
  bytes: number;
  entries: number;
  images: number;
  trouble: Trouble | undefined;
}

export interface Contents {
  patients: Patient[];
  studies: number;
  series: number;
  images: number;
  zips: Zip[];
  others: number[]; // indexes of files that are neither DICOM images nor ZIPs
  kinds: Map<Kind, number>; // of the others, and of what ZIPs hold besides images
  junk: number; // inside ZIPs
}

interface Image {
  facts: Facts;
  size: number;
  index: number;
  zip: boolean;
}

export function group(files: readonly Looked[]): Contents {
  const contents: Contents = {
    patients: [],
    studies: 0,
    series: 0,
    images: 0,
    zips: [],
    others: [],
    kinds: new Map(),
    junk: 0,
  };
  const images: Image[] = [];
  const other = (kind: Kind) => contents.kinds.set(kind, (contents.kinds.get(kind) ?? 0) + 1);
  for (const { index, name, size, look } of files) {
    if (look.facts) {
      images.push({ facts: look.facts, size, index, zip: false });
    } else if (look.inside) {
      const held = look.inside.filter(({ facts }) => facts);
      for (const { facts, size } of held) images.push({ facts: facts!, size, index, zip: true });
      for (const { facts, kind } of look.inside) if (!facts) other(kind);
      const { trouble, inside } = look;
      contents.zips.push({ index, name, bytes: size, entries: inside.length, images: held.length, trouble });
      contents.junk += look.junk;
    } else {
      contents.others.push(index);
      other(look.kind);
    }
  }
  contents.patients = patientsOf(images);
  const all = contents.patients.flatMap(({ series }) => series);
  contents.studies = new Set(all.map(({ study }) => study)).size;
  contents.series = all.length;
  contents.images = all.reduce((sum, { images }) => sum + images, 0);
  return contents;
}

/** Sorts images by patient; images that name nobody belong to nobody else. */
function patientsOf(images: readonly Image[]): Patient[] {
  const patients: Patient[] = [];
  const byWriting = new Map<string, Patient>(); // exactly as written
  const members = new Map<Patient, Image[]>();
  for (const image of images) {
    const { patientName: name, patientID: id, birthDate } = image.facts;
    const writing = JSON.stringify([name, id, birthDate]);
    let patient = byWriting.get(writing);
    if (!patient) {
      const person = { name, ids: id === "" ? [] : [id], birthDate };
      patient = patients.find((known) => (isNamed(person) ? comparePeople(known, person) === "same" : !isNamed(known)));
      if (!patient) {
        const key = `patient ${fold(name)} ${id} ${birthDate}`;
        patients.push((patient = { ...person, key, label: displayName(name) || id, ids: [], series: [] }));
        members.set(patient, []);
      }
      if (fold(patient.name) === "" && fold(name) !== "") Object.assign(patient, { name, label: displayName(name) });
      if (id !== "" && !patient.ids.includes(id)) patient.ids.push(id);
      if (patient.birthDate === "") patient.birthDate = birthDate;
      byWriting.set(writing, patient);
    }
    members.get(patient)!.push(image);
  }
  for (const patient of patients) patient.series = seriesOf(patient.key, members.get(patient)!);
  return patients;
}

/** Who somebody is, as far as files or the case say: name as DICOM writes it, ID and date of birth. */
export interface Person {
  name: string;
  ids: readonly string[];
  birthDate: string;
}

export const isNamed = ({ name, ids }: Person): boolean => fold(name) !== "" || ids.length > 0;

/** The name decides, and where it cannot (none, or another script), the ID; different dates of birth part namesakes. */
export function comparePeople(a: Person, b: Person): Verdict {
  const sameID = a.ids.some((id) => b.ids.includes(id));
  const parted = a.birthDate !== "" && b.birthDate !== "" && a.birthDate !== b.birthDate;
  const names = compareNames(a.name, b.name);
  if (names === "same") return parted && !sameID ? "other" : "same";
  if (names === "unknown" && sameID && !parted) return "same";
  return names;
}

function seriesOf(patient: string, images: readonly Image[]): Series[] {
  const sorted = new Map<string, Image[]>();
  for (const image of images) {
    const key = `${patient} ${image.facts.study} ${image.facts.series}`;
    const members = sorted.get(key);
    if (members) members.push(image);
    else sorted.set(key, [image]);
  }
  const series = [...sorted].map(([key, members]) => oneSeries(key, members));
  return series.sort(
    (a, b) => a.study.localeCompare(b.study) || (Number(a.seriesNumber) || 0) - (Number(b.seriesNumber) || 0),
  );
}

function oneSeries(key: string, images: readonly Image[]): Series {
  const { facts } = images[0]!;
  const seen = new Set<string>();
  const distinct = images.filter(({ facts: { instance, position, number, frames } }) => {
    if (instance === "") return true;
    const name = `${instance} ${position?.join()} ${number} ${frames}`;
    return !seen.has(name) && seen.add(name);
  });
  const pictures = distinct.map(({ facts }) => facts).filter(({ rows, columns }) => rows > 0 && columns > 0);
  const stack = geometry(pictures);
  return {
    key,
    study: facts.study,
    description: images.find((image) => image.facts.seriesDescription)?.facts.seriesDescription ?? "",
    modality: facts.modality,
    seriesNumber: facts.seriesNumber,
    images: stack.images || distinct.length,
    copies: images.length - distinct.length,
    bytes: images.reduce((sum, { size }) => sum + size, 0),
    rows: pictures[0]?.rows ?? 0,
    columns: pictures[0]?.columns ?? 0,
    stack,
    files: images.filter(({ zip }) => !zip).map(({ index }) => index),
    zips: [...new Set(images.filter(({ zip }) => zip).map(({ index }) => index))],
  };
}
