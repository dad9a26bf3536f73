// What the uploader's parts say to each other. No DOM here: everything below runs in Node too.

/** A file of the person's computer. Blob slices are references, not copies: a part is read while it is sent. */
export interface Source {
  name: string;
  path: string; // folder path within the drop, "" for a single file
  size: number; // bytes
  type: string;
  modified: number; // milliseconds since 1970
  handle?: unknown; // a FileSystemFileHandle where the browser gave one; the engine never looks at it
  slice(start: number, end: number): Blob;
}

export interface FileSpec {
  name: string;
  path?: string;
  size: number;
  content_type?: string;
  modified_at?: string;
}

/** The fields of the API's file that matter here. */
export interface RemoteFile {
  id: string;
  state: string;
  route: "small" | "direct";
  part_size: number;
  parts: number;
}

export interface Problem {
  status: number;
  kind: string;
  detail: string;
  hint?: string;
}

export type Planned = { file: RemoteFile; error?: undefined } | { file?: undefined; error: Problem };

export interface SignedRequest {
  part: number;
  method: string;
  url: string;
  headers: Record<string, string>;
}

/** Why a request failed: the answer's status (0: there was none) and what the server said. */
export class Failure extends Error {
  constructor(
    readonly status: number,
    readonly problem?: Problem,
    readonly retryAfter?: number, // milliseconds
    readonly reason: "answer" | "network" | "stalled" | "aborted" | "unreadable" = status ? "answer" : "network",
  ) {
    super(problem?.detail ?? `${reason} ${status}`);
  }
}

export type OnProgress = (sent: number) => void;

/** The requests the engine makes. Every method throws Failure. */
export interface Transport {
  plan(caseId: string, files: FileSpec[]): Promise<Planned[]>;
  sign(file: string, parts: { number: number; crc64nvme: string }[]): Promise<SignedRequest[]>;
  held(file: string): Promise<{ number: number; size: number; crc64nvme: string }[]>;
  complete(file: string): Promise<RemoteFile>;
  abort(file: string): Promise<void>;
  progress(files: { id: string; sent: number }[]): Promise<void>;
  putSmall(file: string, body: Blob, crc: string, onProgress: OnProgress, signal: AbortSignal): Promise<RemoteFile>;
  putPart(request: SignedRequest, body: Blob, onProgress: OnProgress, signal: AbortSignal): Promise<void>;
  relayPart(
    file: string,
    part: number,
    body: Blob,
    crc: string,
    onProgress: OnProgress,
    signal: AbortSignal,
  ): Promise<void>;
}

/** Base64 of the CRC-64/NVME of a blob. */
export type Checksum = (blob: Blob) => Promise<string>;

export interface Clock {
  now(): number; // milliseconds
  random(): number; // 0 to 1
  /** Resolves after ms, at once when the signal is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/**
 * checking: compared with what the server holds. elsewhere: another tab of this browser sends it; this one takes over
 * when that one goes. received: the case had it already, nothing was sent.
 */
export type ItemState =
  | "queued"
  | "checking"
  | "sending"
  | "paused"
  | "elsewhere"
  | "finishing"
  | "done"
  | "received"
  | "failed"
  | "cancelled";

/** One file on its way, as the tray shows it. */
export interface Item {
  readonly key: number;
  readonly source: Source;
  readonly caseId: string;
  drop: string; // the server's id of the drop; "" until planned
  state: ItemState;
  sent: number; // bytes, of finished and running parts together, those the server held already included
  resumedBytes: number; // bytes the server held before this page sent any
  crc: string; // base64 of the whole file's CRC-64/NVME; "" until known
  id: string; // "" until planned
  error: Problem | undefined;
}

/** What becomes of all files together; cancelled ones are left out. Sizes in bytes. */
export interface Totals {
  files: number;
  live: number; // not at rest: paused ones and those elsewhere count
  paused: number;
  done: number;
  received: number;
  failed: number;
  bytes: number;
  sent: number; // what the server holds of them counts
  resumed: number; // of sent: held by the server before this page sent any, or there already
  resent: number; // sent more than once, because it did not get through
}

/** Why parts go through the server: a code an administrator can look up (docs/operate.md), and what was seen. */
export interface Relay {
  code: string;
  detail: string;
}

/** Why nothing is sent at present. */
export type Gate = "open" | "offline" | "signIn";
