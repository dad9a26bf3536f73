// What the uploader's parts say to each other. No DOM here: everything below runs in Node too.

/** A file of the person's computer. Blob slices are references, not copies: a part is read while it is sent. */
export interface Source {
  name: string;
  path: string; // folder path within the drop, "" for a single file
  size: number; // bytes
  type: string;
  modified: number; // milliseconds since 1970
  handle?: unknown; // a FileSystemFileHandle where the browser gave one; the engine never looks at it
  crc?: string; // base64 CRC-64/NVME of the whole file, when somebody knows it already
  again?: boolean; // send it even if the case has received the same bytes
  replaces?: string; // id of the file that this is a new version of
  slice(start: number, end: number): Blob;
}

export interface FileSpec {
  name: string;
  path?: string;
  size: number;
  content_type?: string;
  modified_at?: string;
  fingerprint?: string; // base64 CRC-64/NVME of the first MiB
  crc64nvme?: string; // base64, of the whole file, when known
  again?: boolean;
  replaces?: string; // id of the file that this is a new version of
}

/** The fields of the API's file that matter here. */
export interface RemoteFile {
  id: string;
  state: string;
  route: "small" | "direct";
  part_size: number;
  parts: number;
  crc64nvme?: string; // base64, of the whole, once it is stored
}

export interface Problem {
  status: number;
  kind: string;
  code?: string; // of few errors, stable
  detail: string;
  hint?: string;
}

/**
 * The file and what is to be done, or why it cannot be taken. resumed: an unfinished upload of the same file, of which
 * some parts may be held; received: the case has these bytes already, nothing is to be sent.
 */
export interface Planned {
  file?: RemoteFile;
  resumed?: boolean;
  received?: boolean;
  error?: Problem;
}

/** The answer to a plan: one element for each file, in order, and the drop they belong to. */
export interface PlanAnswer {
  drop: string;
  files: Planned[];
}

/** What the store holds of a part. */
export interface HeldPart {
  number: number;
  size: number; // bytes
  crc64nvme: string; // base64
}

/** A file that the case has received, by what it is told from others. */
export interface ReceivedFile {
  id: string;
  size: number; // bytes
  crc64nvme: string; // base64
}

export interface SignedRequest {
  part: number;
  method: string;
  url: string;
  headers: Record<string, string>;
  freshFor: number; // milliseconds from the answer on, by the server's clock
}

/** Why nothing came of a request. changed, vanished, unreadable: the file on this computer is no longer what it was. */
export type Reason = "answer" | "network" | "stalled" | "aborted" | "changed" | "vanished" | "unreadable";

export interface Circumstances {
  problem?: Problem | undefined; // what our server said
  retryAfter?: number | undefined; // milliseconds
  storeCode?: string | undefined; // of a store's XML answer, such as "AccessDenied"
  reason?: Reason;
}

/** Why a request failed: the answer's status (0: there was none) and what is known besides. */
export class Failure extends Error {
  readonly problem: Problem | undefined;
  readonly retryAfter: number | undefined;
  readonly storeCode: string | undefined;
  readonly reason: Reason;

  constructor(
    readonly status: number,
    { problem, retryAfter, storeCode, reason = status ? "answer" : "network" }: Circumstances = {},
  ) {
    super(problem?.detail ?? `${reason} ${status} ${storeCode ?? ""}`.trim());
    this.problem = problem;
    this.retryAfter = retryAfter;
    this.storeCode = storeCode;
    this.reason = reason;
  }
}

/** What was stopped on purpose. */
export const stopped = (): Failure => new Failure(0, { reason: "aborted" });

export type OnProgress = (sent: number) => void;

/** One file of a batch. */
export interface BatchFile {
  id: string;
  crc: string; // base64
  body: Blob;
}

/** What became of one file of a batch; files that were not looked at have none. */
export interface BatchAnswer {
  id: string;
  file?: RemoteFile;
  error?: Problem;
}

/** A request by which the browser finds out whether it reaches the store; nothing is left behind by it. */
export interface StoreTest {
  same_origin: boolean;
  endpoint: string;
  request: Omit<SignedRequest, "freshFor">;
}

/** The requests the engine makes. Every method throws Failure. */
export interface Transport {
  plan(caseId: string, files: FileSpec[], drop: string): Promise<PlanAnswer>;
  /** Acknowledged files of the case with one of these sizes; with ids, only those. */
  match(caseId: string, sizes: number[], ids?: string[]): Promise<ReceivedFile[]>;
  file(file: string): Promise<RemoteFile>;
  sign(file: string, parts: { number: number; crc64nvme: string }[]): Promise<SignedRequest[]>;
  held(file: string): Promise<HeldPart[]>;
  /** crc: base64, of the whole file that is meant. */
  complete(file: string, crc: string): Promise<RemoteFile>;
  abort(file: string): Promise<void>;
  /** Gives up those of the case's files that still arrive; at most 1,000. */
  abandon(caseId: string, files: string[]): Promise<void>;
  progress(files: { id: string; sent: number }[]): Promise<void>;
  putSmall(file: string, body: Blob, crc: string, onProgress: OnProgress, signal: AbortSignal): Promise<RemoteFile>;
  putBatch(caseId: string, files: BatchFile[], onProgress: OnProgress, signal: AbortSignal): Promise<BatchAnswer[]>;
  putPart(request: SignedRequest, body: Blob, onProgress: OnProgress, signal: AbortSignal): Promise<void>;
  relayPart(
    file: string,
    part: number,
    body: Blob,
    crc: string,
    onProgress: OnProgress,
    signal: AbortSignal,
  ): Promise<void>;
  /** Resolves when the server answers and the session is good. */
  ping(): Promise<void>;
  storeTest(): Promise<StoreTest>;
  /** Sends the test to the store and returns what can be read of its answer; throws when none can. */
  probe(request: StoreTest["request"]): Promise<{ status: number; storeCode: string | undefined }>;
  /** Whether anything answers at an address, readable or not. */
  reaches(endpoint: string): Promise<boolean>;
  storeReport(report: { code: string; detail: string; case: string }): Promise<void>;
}

/** Base64 of the CRC-64/NVME of a blob. */
export type Checksum = (blob: Blob) => Promise<string>;

/**
 * Resolves to a release when this tab alone holds the name; elsewhere is called first if another tab holds it now.
 * Rejects when the signal is aborted.
 */
export type Locks = (name: string, signal: AbortSignal, elsewhere: () => void) => Promise<() => void>;

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
  readonly drop: string; // the server's id of the drop; "" until planned
  state: ItemState;
  readonly sent: number; // bytes, of finished and running parts together, those the server held already included
  resumedBytes: number; // bytes the server held before this page sent any
  crc: string; // base64 of the whole file's CRC-64/NVME; "" until known
  readonly id: string; // "" until planned
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
