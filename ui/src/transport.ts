// The engine's requests as a browser makes them: fetch for questions, XMLHttpRequest for bytes (it tells upload
// progress, fetch does not).
import {
  Failure,
  stopped,
  type BatchAnswer,
  type HeldPart,
  type OnProgress,
  type PlanAnswer,
  type Problem,
  type ReceivedFile,
  type RemoteFile,
  type SignedRequest,
  type StoreTest,
  type Transport,
} from "./contract.js";
import { multipart } from "./batch.js";
import { manyAtOnce } from "./connections.js";
import { Turns } from "./wait.js";
import type { Lanes } from "./window.js";

const API = "/api/v1";
const CRC_HEADER = "x-amz-checksum-crc64nvme";
/** Milliseconds an answer without bytes may take. Complete of a large file copies it in some stores. */
const ASK_WITHIN = 180_000;
/** The same for what parts wait for, and for what is only shown: questions go one at a time. */
const SIGN_WITHIN = 30_000;
const TELL_WITHIN = 10_000;
/** Milliseconds for the store's answer to the test: a firewall that drops packets never says no. */
const PROBE_WITHIN = 10_000;
/** Milliseconds that a server may ask to be left alone for; timers of browsers fire at once when set for weeks. */
const RETRY_WITHIN = 10 * 60_000;
/** Milliseconds a signature is taken to last when the answers do not tell the server's time. */
const SHORT = 60_000;

/**
 * Questions go one at a time, what bytes wait for first. With the transfers that fills no more than five of the six
 * connections browsers open to one host, and the page's own clicks and its live stream must find a free one.
 */
const questions = new Turns(1);
const SOON = 1;
const FIRST = 2;

async function ask<T>(method: string, path: string, body?: unknown, urgency = 0, within = ASK_WITHIN): Promise<T> {
  await questions.take(urgency);
  try {
    return (await request<T>(method, path, body, within)).answer;
  } finally {
    questions.give();
  }
}

async function request<T>(
  method: string,
  path: string,
  body?: unknown,
  within = ASK_WITHIN,
): Promise<{ answer: T; date: string | null }> {
  let response: Response;
  let text: string;
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), within);
  try {
    response = await fetch(API + path, {
      method,
      credentials: "same-origin",
      signal: late.signal,
      ...(body === undefined ? {} : { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }),
    });
    text = await response.text();
  } catch {
    throw new Failure(0);
  } finally {
    clearTimeout(timer);
  }
  if (!response.ok) throw failureOf(response.status, text, response.headers.get("Retry-After"));
  return { answer: (text ? parsed<T>(text) : undefined) as T, date: response.headers.get("Date") };
}

/** What our server said. A page in its place is that of a network that wants a sign-in, or of a proxy: the server was not reached. */
function parsed<T>(text: string): T {
  try {
    return JSON.parse(text) as T;
  } catch {
    throw new Failure(0);
  }
}

/** An error answer: problem details of ours, a store's XML, or whatever stands between has said. */
function failureOf(status: number, text: string, retryAfter: string | null): Failure {
  let problem: Problem | undefined;
  try {
    const parsed: unknown = JSON.parse(text);
    if (parsed && typeof parsed === "object" && "detail" in parsed && "kind" in parsed) problem = parsed as Problem;
  } catch {
    // not JSON
  }
  const seconds = Number(retryAfter);
  const wait = retryAfter && seconds >= 0 ? Math.min(seconds * 1000, RETRY_WITHIN) : undefined;
  return new Failure(status, { problem, retryAfter: wait, storeCode: storeCodeOf(text) });
}

/** The code of an S3 error document (Amazon S3 API, "Error responses"); undefined when it is none. */
export function storeCodeOf(text: string): string | undefined {
  return /<Error>[\s\S]*?<Code>([A-Za-z0-9.]+)<\/Code>/.exec(text.slice(0, 4096))?.[1];
}

function put(
  method: string,
  url: string,
  headers: Record<string, string>,
  body: Blob,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<string> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(stopped());
    const request = new XMLHttpRequest();
    const abort = () => request.abort();
    signal.addEventListener("abort", abort);
    request.open(method, url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => onProgress(event.loaded);
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) resolve(request.responseText);
      else reject(failureOf(request.status, request.responseText, request.getResponseHeader("Retry-After")));
    };
    request.onerror = () => reject(new Failure(0));
    request.onabort = () => reject(stopped());
    request.onloadend = () => signal.removeEventListener("abort", abort);
    request.send(untyped(body));
  });
}

/** A part has no type: a browser would add a Content-Type header that was not signed. */
function untyped(body: Blob): Blob {
  return body.type === "" ? body : body.slice(0, body.size, "");
}

type Signed = Omit<SignedRequest, "freshFor"> & { expires_at: string };

/** How long a signature lasts, by the server's own clock: the computer's may be wrong. */
function fresh(signed: Signed, date: string | null): SignedRequest {
  const left = Date.parse(signed.expires_at) - Date.parse(date ?? "");
  return { ...signed, freshFor: Number.isFinite(left) ? Math.max(0, left) : SHORT };
}

async function sign(file: string, parts: { number: number; crc64nvme: string }[]): Promise<SignedRequest[]> {
  await questions.take(FIRST);
  try {
    const { answer, date } = await request<{ requests: Signed[] }>(
      "POST",
      `/files/${file}/parts`,
      { parts },
      SIGN_WITHIN,
    );
    return answer.requests.map((signed) => fresh(signed, date));
  } finally {
    questions.give();
  }
}

async function probe(signed: StoreTest["request"]): Promise<{ status: number; storeCode: string | undefined }> {
  try {
    const { method, url, headers } = signed;
    const body = new Blob();
    const answer = await fetch(url, { method, headers, body, signal: AbortSignal.timeout(PROBE_WITHIN) });
    return { status: answer.status, storeCode: storeCodeOf(await answer.text()) };
  } catch {
    throw new Failure(0);
  }
}

async function reaches(endpoint: string): Promise<boolean> {
  const how: RequestInit = { mode: "no-cors", cache: "no-store", signal: AbortSignal.timeout(PROBE_WITHIN) };
  return await fetch(endpoint, how).then(
    () => true,
    () => false,
  );
}

/** The connections transfers may take of those to one host. Over HTTP/2 there is no such limit. */
export function lanes(): Lanes {
  return { page: manyAtOnce() ? 8 : 4, store: 6 };
}

interface Match {
  received: ReceivedFile[];
}

export const browserTransport: Transport = {
  plan: async (caseId, files, drop) =>
    ask<PlanAnswer>("POST", `/cases/${caseId}/files`, drop === "" ? { files } : { files, drop }, SOON),
  match: async (caseId, sizes, ids) => {
    const question = ids ? { sizes, files: ids } : { sizes };
    return (await ask<Match>("POST", `/cases/${caseId}/match`, question, SOON, SIGN_WITHIN)).received;
  },
  file: async (file) => ask<RemoteFile>("GET", `/files/${file}`, undefined, SOON),
  sign,
  held: async (file) =>
    (await ask<{ parts: HeldPart[] }>("GET", `/files/${file}/parts`, undefined, SOON, SIGN_WITHIN)).parts,
  complete: async (file, crc) =>
    (await request<RemoteFile>("POST", `/files/${file}/complete`, { crc64nvme: crc })).answer, // it holds a turn of the engine
  abort: async (file) => ask<void>("POST", `/files/${file}/abort`),
  abandon: async (caseId, files) => ask<void>("POST", `/cases/${caseId}/abandon`, { files }),
  progress: async (files) => ask<void>("POST", "/progress", { files }, 0, TELL_WITHIN),
  putSmall: async (file, body, crc, onProgress, signal) =>
    parsed<RemoteFile>(
      await put("PUT", `${API}/files/${file}/content`, { [CRC_HEADER]: crc }, body, onProgress, signal),
    ),
  putBatch: async (caseId, files, onProgress, signal) => {
    const boundary = `caseload-${crypto.getRandomValues(new BigUint64Array(2)).join("-")}`;
    const headers = { "Content-Type": `multipart/mixed; boundary=${boundary}` };
    const body = multipart(files, boundary);
    const answer = await put("PUT", `${API}/cases/${caseId}/contents`, headers, body, onProgress, signal);
    return parsed<{ files: BatchAnswer[] }>(answer).files;
  },
  putPart: async (request, body, onProgress, signal) => {
    const answer = await put(request.method, request.url, request.headers, body, onProgress, signal);
    if (/^\s*<(!doctype|html)/i.test(answer)) throw new Failure(0); // no store says that, so it was not reached
  },
  relayPart: async (file, part, body, crc, onProgress, signal) => {
    parsed(await put("PUT", `${API}/files/${file}/parts/${part}`, { [CRC_HEADER]: crc }, body, onProgress, signal));
  },
  ping: async () => void (await request<unknown>("GET", "/me")),
  storeTest: async () => ask<StoreTest>("GET", "/store-test", undefined, SOON),
  probe,
  reaches,
  storeReport: async (report) => ask<void>("POST", "/store-reports", report),
};
