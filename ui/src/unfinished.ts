// Uploads of the page's case that came to a stop: after a reload, on the next day, on another computer. The server
// knows them; here is found out which of them nobody sends, and which can go on with a click.
import type { Source } from "./contract.js";
import { sourceOf } from "./dropped.js";
import { fileOf, mayRead, type Handles } from "./handles.js";

/** Milliseconds of silence after which another person's upload counts as stopped; its browser reports every other second. */
const SILENCE = 120_000;

/** The fields of the API's file that matter here. */
export interface Stopped {
  id: string;
  name: string;
  path: string;
  size: number; // bytes
  created_by: string;
  changed_at: string;
}

export interface Look {
  files: Stopped[];
  others: boolean; // somebody else seems to be sending more of them, which may come to a stop yet
  handles: Map<string, FileSystemHandle>; // of those that can go on with a click
}

export const nothing: Look = { files: [], others: false, handles: new Map() };

/**
 * What came to a stop in a case. Left out is what another tab of this browser sends (it holds a lock) and what another
 * person seems to be sending. Entries of handles that the server no longer waits for are removed. Rejects when the server
 * could not be asked, or not now.
 */
export async function lookFor(caseId: string, user: string, handles: Handles, ours: () => Set<string>): Promise<Look> {
  const answer = await fetch(`/api/v1/cases/${caseId}/files?state=unfinished`, { credentials: "same-origin" });
  if (answer.status === 403 || answer.status === 404) return nothing;
  if (!answer.ok) throw new Error(`answered ${answer.status}`);
  const { files } = (await answer.json()) as { files: Stopped[] };
  const now = Date.parse(answer.headers.get("Date") ?? "") || Date.now();
  const locked = await lockedIds();
  const kept = await handles.of(caseId);
  const known = new Set(files.map(({ id }) => id));
  const mine = ours(); // now: some may have been added since the server was asked
  await handles.forget([...kept.keys()].filter((id) => !known.has(id) && !mine.has(id) && !locked.has(id)));
  const notOurs = files.filter(({ id }) => !mine.has(id));
  const stopped = notOurs.filter(
    (file) => !locked.has(file.id) && (file.created_by === user || now - Date.parse(file.changed_at) > SILENCE),
  );
  return { files: stopped, others: stopped.length < notOurs.length, handles: kept };
}

/** Ids of the files that tabs of this browser are sending. */
async function lockedIds(): Promise<Set<string>> {
  const { held = [] } = (await navigator.locks?.query()) ?? {};
  const prefix = "caseload-upload-";
  return new Set(held.flatMap(({ name }) => (name?.startsWith(prefix) ? [name.slice(prefix.length)] : [])));
}

/**
 * Opens files by the handles kept for them, asking for leave where the browser wants it; to be called while a click is
 * being answered. What is refused or no longer there is left out.
 */
export async function reopen(files: readonly Stopped[], handles: Map<string, FileSystemHandle>): Promise<Source[]> {
  const allowed = new Map<FileSystemHandle, boolean>();
  const opened: Source[] = [];
  for (const { id, name, path } of files) {
    const handle = handles.get(id);
    if (!handle) continue;
    if (!allowed.has(handle)) allowed.set(handle, await mayRead(handle).catch(() => false));
    if (!allowed.get(handle)) continue;
    const file = await fileOf(handle, path, name).catch(() => undefined);
    if (file) opened.push({ ...sourceOf(file, path), name, handle });
  }
  return opened;
}
