// What a person dropped or chose, as a flat list of files with their folder paths; what systems leave behind is left out.
import type { Source } from "./contract.js";

export interface Dropped {
  sources: Source[];
  junk: number; // left out
  unreadable: string[]; // paths of folders and files that the browser could not open
}

/** Files that operating systems leave in folders and nobody means to send. */
export function isJunk(path: string, name: string): boolean {
  if (/(^|\/)(__MACOSX|\.Spotlight-V100|\.Trashes|\$RECYCLE\.BIN|System Volume Information)(\/|$)/.test(path))
    return true;
  return /^(\.DS_Store|\.localized|Thumbs\.db|ehthumbs\.db|desktop\.ini|\._.*)$/i.test(name);
}

/**
 * handle: what the browser can read the file by after a reload, its own or that of the folder it was dropped with. All
 * of a file is the file itself: for each slice the page waits for the browser's process, a millisecond and more.
 */
export function sourceOf(file: File, path: string, handle?: FileSystemHandle): Source {
  return {
    ...(handle && { handle }),
    name: file.name,
    path,
    size: file.size,
    type: file.type,
    modified: file.lastModified,
    slice: (start, end) => (start === 0 && end >= file.size ? file : file.slice(start, end)),
  };
}

/** As people order names: slice 2 before slice 10. Browsers list a folder in no order. */
const order = new Intl.Collator(undefined, { numeric: true });

/** Milliseconds of asking for sizes and times of files, each of which waits for the browser's process, without a pause. */
const BREATH = 20;

/** The files of an input; with webkitdirectory each tells its path. */
export async function fromInput(files: Iterable<File>): Promise<Dropped> {
  const dropped: Dropped = { sources: [], junk: 0, unreadable: [] };
  const sorted = [...files].sort((a, b) =>
    order.compare(a.webkitRelativePath || a.name, b.webkitRelativePath || b.name),
  );
  let since = performance.now();
  for (const file of sorted) {
    take(dropped, file, folderOf(file.webkitRelativePath));
    if (performance.now() - since < BREATH) continue;
    await new Promise((resolve) => setTimeout(resolve));
    since = performance.now();
  }
  return dropped;
}

function folderOf(relative: string): string {
  const slash = relative.lastIndexOf("/");
  return slash < 0 ? "" : relative.slice(0, slash);
}

function take(dropped: Dropped, file: File, path: string, handle?: FileSystemHandle): void {
  if (isJunk(path, file.name)) dropped.junk++;
  else dropped.sources.push(sourceOf(file, path, handle));
}

/** Things dropped at once for which the browser is asked for handles: a folder is one, however much it holds. */
const HANDLES_AT_MOST = 256;

/** Where the browser offers it (https://wicg.github.io/file-system-access/); not yet in the library's types. */
type HandleItem = DataTransferItem & { getAsFileSystemHandle?(): Promise<FileSystemHandle | null> };

/**
 * The files of a drop, folders walked through. Entries and handles must be taken from the event before anything is
 * awaited: afterwards the browser forgets them.
 */
export async function fromDrop(transfer: DataTransfer): Promise<Dropped> {
  const entries: { entry: FileSystemEntry; handle: Promise<FileSystemHandle | null> | undefined }[] = [];
  const loose: File[] = [];
  const few = transfer.items.length <= HANDLES_AT_MOST;
  for (const item of transfer.items as Iterable<HandleItem>) {
    if (item.kind !== "file") continue;
    const handle = few ? item.getAsFileSystemHandle?.().catch(() => null) : undefined;
    const entry = item.webkitGetAsEntry();
    const file = entry ? null : item.getAsFile();
    if (entry) entries.push({ entry, handle });
    else if (file) loose.push(file);
  }
  const dropped = await fromInput(loose);
  for (const { entry, handle } of entries) await walk(dropped, entry, "", (await handle) ?? undefined);
  return dropped;
}

type Picker = { showOpenFilePicker?(options: { multiple: true }): Promise<FileSystemFileHandle[]> };

/** Lets the person choose files by the picker that gives handles; "unavailable" where there is none, "none" if nothing was chosen. */
export async function fromPicker(): Promise<Dropped | "none" | "unavailable"> {
  const { showOpenFilePicker } = globalThis as Picker;
  if (!showOpenFilePicker) return "unavailable";
  let handles: FileSystemFileHandle[];
  try {
    handles = await showOpenFilePicker({ multiple: true });
  } catch (error) {
    return (error as DOMException).name === "AbortError" ? "none" : "unavailable";
  }
  const dropped: Dropped = { sources: [], junk: 0, unreadable: [] };
  handles.sort((a, b) => order.compare(a.name, b.name));
  for (let i = 0; i < handles.length; i += AT_ONCE) {
    const some = handles.slice(i, i + AT_ONCE);
    const files = await Promise.allSettled(some.map((handle) => handle.getFile()));
    files.forEach((file, n) => {
      if (file.status === "fulfilled") take(dropped, file.value, "", some[n]);
      else dropped.unreadable.push(some[n]!.name);
    });
  }
  return dropped;
}

/** Entries of one folder that are opened at once. */
const AT_ONCE = 64;

async function walk(
  dropped: Dropped,
  entry: FileSystemEntry,
  path: string,
  handle: FileSystemHandle | undefined,
): Promise<void> {
  const below = path === "" ? entry.name : `${path}/${entry.name}`;
  try {
    if (entry.isFile) {
      take(dropped, await fileOf(entry as FileSystemFileEntry), path, handle);
      return;
    }
    const children = (await childrenOf(entry as FileSystemDirectoryEntry)).sort((a, b) =>
      order.compare(a.name, b.name),
    );
    const files = children.filter((child) => child.isFile);
    for (let i = 0; i < files.length; i += AT_ONCE) {
      const some = files.slice(i, i + AT_ONCE).map((file) => fileOf(file as FileSystemFileEntry));
      for (const [at, file] of (await Promise.allSettled(some)).entries()) {
        if (file.status === "fulfilled") take(dropped, file.value, below, handle);
        else dropped.unreadable.push(`${below}/${files[i + at]!.name}`);
      }
    }
    for (const child of children) if (!child.isFile) await walk(dropped, child, below, handle);
  } catch {
    dropped.unreadable.push(below);
  }
}

function fileOf(entry: FileSystemFileEntry): Promise<File> {
  return new Promise((resolve, reject) => entry.file(resolve, reject));
}

/** All children: readEntries gives at most a hundred at a time and then an empty list. */
async function childrenOf(entry: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = entry.createReader();
  const children: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return children;
    children.push(...some);
  }
}
