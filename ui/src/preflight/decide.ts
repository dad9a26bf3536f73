// Whose files these are, compared with whose case it is: the one thing pre-flight asks about.
import { comparePeople, isNamed, type Patient, type Person } from "./group.js";
import { compareToLabel, type Verdict } from "./person.js";

/** What is known of the case when something is dropped on it. */
export interface CasePatient {
  label: string; // as a person wrote it; "" claims nothing
  known: Person[]; // whose images the case holds already
}

/** Somebody is not like the case, or there are several. */
export type Question = "other" | "several";

/** Compares one patient with the case: those in it already count before what somebody wrote on it. */
export function verdict(patient: Patient, { label, known }: CasePatient): Verdict {
  if (!isNamed(patient)) return "unknown";
  const compared = known.filter(isNamed).map((person) => comparePeople(patient, person));
  const written = compareToLabel(label, patient.name, patient.ids[0] ?? "");
  if (compared.includes("same") || written === "same") return "same";
  return compared.includes("other") ? "other" : compared.length > 0 ? "unknown" : written;
}

/** What has to be asked before anything of a drop goes out; undefined in the normal case. */
export function questionOf(patients: readonly Patient[], verdicts: readonly Verdict[]): Question | undefined {
  if (verdicts.includes("other")) return "other";
  return patients.filter(isNamed).length > 1 ? "several" : undefined;
}
