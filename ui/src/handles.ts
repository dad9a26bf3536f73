// What lets an upload go on after a reload with one click: the browser's own handles of dropped files and folders, kept
// by the browser under our ids. A handle is opaque: nothing of it can be read here without the person's leave, and no
// name of a file or patient is stored by us (docs/decisions/024-file-handles.md). Where there are no handles, or
// keeping them fails, everything here does nothing: people drop the files again.

const DATABASE = "caseload-handles";
const ROOTS = "roots"; // key → what was dropped or chosen
const FILES = "files"; // file id → key of its root

interface Root {
  handle: FileSystemHandle;
  user: string; // id of who dropped it
}

interface Entry {
  file: string;
  case: string;
  root: number;
}

/** A file on its way and the handle it can be read by again: its own, or that of the folder it was dropped with. */
export interface Kept {
  file: string;
  case: string;
  handle: FileSystemHandle;
}

export class Handles {
  readonly #user: string;
  readonly #keys = new Map<FileSystemHandle, number>(); // of roots this page has stored or read
  #opened: Promise<IDBDatabase | undefined> | undefined;

  /** user: the id of who is signed in. What another person left in this browser is removed. */
  constructor(user: string) {
    this.#user = user;
  }

  async keep(entries: readonly Kept[]): Promise<void> {
    if (entries.length === 0) return;
    await this.#in("readwrite", async (roots, files) => {
      const left = new Set<number>();
      for (const { file, case: caseId, handle } of entries) {
        let root = this.#keys.get(handle);
        if (root === undefined) {
          root = (await answer(roots.add({ handle, user: this.#user } satisfies Root))) as number;
          this.#keys.set(handle, root);
        }
        const before = await answer<Entry | undefined>(files.get(file)); // of what was dropped once more
        if (before && before.root !== root) left.add(before.root);
        files.put({ file, case: caseId, root } satisfies Entry);
      }
      await this.#removeUnused(roots, files, left);
    });
  }

  /** The handles kept for files of a case, by file id. */
  async of(caseId: string): Promise<Map<string, FileSystemHandle>> {
    const found = new Map<string, FileSystemHandle>();
    await this.#in("readonly", async (roots, files) => {
      const entries = await answer<Entry[]>(files.index("case").getAll(caseId));
      const handles = new Map<number, FileSystemHandle>();
      for (const { root } of entries) {
        if (handles.has(root)) continue;
        const handle = this.#ofThisPage(root) ?? (await answer<Root | undefined>(roots.get(root)))?.handle;
        if (!handle) continue;
        handles.set(root, handle);
        this.#keys.set(handle, root); // whoever goes on by it is kept by it still
      }
      for (const { file, root } of entries) {
        const handle = handles.get(root);
        if (handle) found.set(file, handle);
      }
    });
    return found;
  }

  /** Removes what these files were kept by; a folder goes with its last file. */
  async forget(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    await this.#in("readwrite", async (roots, files) => {
      const touched = new Set<number>();
      for (const id of ids) {
        const entry = await answer<Entry | undefined>(files.get(id));
        if (!entry) continue;
        touched.add(entry.root);
        files.delete(id);
      }
      await this.#removeUnused(roots, files, touched);
    });
  }

  /** Removes those of the roots that no file is kept by any more. */
  async #removeUnused(roots: IDBObjectStore, files: IDBObjectStore, keys: Iterable<number>): Promise<void> {
    for (const root of keys) {
      if ((await answer(files.index("root").count(root))) > 0) continue;
      roots.delete(root);
      const handle = this.#ofThisPage(root);
      if (handle) this.#keys.delete(handle);
    }
  }

  #ofThisPage(root: number): FileSystemHandle | undefined {
    for (const [handle, key] of this.#keys) if (key === root) return handle;
    return undefined;
  }

  /** Removes everything: the person signs out. */
  async clear(): Promise<void> {
    this.#keys.clear();
    await this.#in("readwrite", async (roots, files) => {
      roots.clear();
      files.clear();
    });
  }

  async #in(
    mode: IDBTransactionMode,
    work: (roots: IDBObjectStore, files: IDBObjectStore) => Promise<void>,
  ): Promise<void> {
    try {
      const database = await (this.#opened ??= this.#open());
      if (!database) return;
      const transaction = database.transaction([ROOTS, FILES], mode);
      const ended = new Promise<void>((resolve, reject) => {
        transaction.oncomplete = () => resolve();
        transaction.onerror = transaction.onabort = () => reject(transaction.error ?? new Error("aborted"));
      });
      await Promise.all([work(transaction.objectStore(ROOTS), transaction.objectStore(FILES)), ended]);
    } catch {
      // private windows and full disks keep nothing: one drops the files again
    }
  }

  async #open(): Promise<IDBDatabase | undefined> {
    if (!("indexedDB" in globalThis) || !("FileSystemHandle" in globalThis)) return undefined;
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore(ROOTS, { autoIncrement: true });
      const files = request.result.createObjectStore(FILES, { keyPath: "file" });
      files.createIndex("case", "case");
      files.createIndex("root", "root");
    };
    const database = await answer(request);
    const transaction = database.transaction([ROOTS, FILES], "readwrite");
    const kept = await answer<Root[]>(transaction.objectStore(ROOTS).getAll());
    if (kept.some(({ user }) => user !== this.#user)) {
      transaction.objectStore(ROOTS).clear();
      transaction.objectStore(FILES).clear();
    }
    return database;
  }
}

function answer<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("refused"));
  });
}

/** What a handle can be asked; not in every browser, therefore not in the library's types. */
interface Askable {
  requestPermission?(descriptor: { mode: "read" }): Promise<PermissionState>;
}

/** Asks the person whether the file or folder may be read again; to be called while a click is being answered. */
export async function mayRead(handle: FileSystemHandle): Promise<boolean> {
  return ((await (handle as Askable).requestPermission?.({ mode: "read" })) ?? "granted") === "granted";
}

/** The file at a path below what was dropped; rejects when it is no longer there. */
export async function fileOf(handle: FileSystemHandle, path: string, name: string): Promise<File> {
  if (handle.kind === "file") return (handle as FileSystemFileHandle).getFile();
  let folder = handle as FileSystemDirectoryHandle;
  for (const step of path.split("/").slice(1)) folder = await folder.getDirectoryHandle(step); // the first is its own name
  return (await folder.getFileHandle(name)).getFile();
}
