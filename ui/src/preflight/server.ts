// What pre-flight asks the server. Requests carry the case's id and nothing of a patient.
import type { Server } from "./preflight.js";

interface Me {
  limits: { max_file_size: number };
  quota?: { free: number };
}

interface Studies {
  studies: { patient_name: string; patient_id: string; patient_birth_date: string }[];
}

async function ask<T>(path: string): Promise<T> {
  const response = await fetch(`/api/v1${path}`, {
    credentials: "same-origin",
    headers: { Accept: "application/json" },
  });
  if (!response.ok) throw new Error(`${response.status}`);
  return (await response.json()) as T;
}

export const browserServer: Server = {
  limit: async () => (await ask<Me>("/me")).limits.max_file_size,
  room: async () => (await ask<Me>("/me")).quota?.free ?? Infinity,
  patients: async (caseId) =>
    (await ask<Studies>(`/cases/${caseId}/studies`)).studies.map((study) => ({
      name: study.patient_name,
      ids: study.patient_id === "" ? [] : [study.patient_id],
      birthDate: study.patient_birth_date,
    })),
};
