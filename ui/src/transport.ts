// The engine's requests as a browser makes them: fetch for questions, XMLHttpRequest for bytes (it tells upload
// progress, fetch does not).
import {
  Failure,
  type OnProgress,
  type Planned,
  type Problem,
  type RemoteFile,
  type SignedRequest,
  type Transport,
} from "./contract.js";
import { Turns } from "./wait.js";

const API = "/api/v1";
const CRC_HEADER = "x-amz-checksum-crc64nvme";
/** Milliseconds an answer without bytes may take. Complete of a large file copies it in some stores. */
const ASK_WITHIN = 180_000;

/**
 * Questions go one at a time. With the engine's three transfers that makes four connections; browsers open six to one
 * host, and the page's own clicks and its live stream must find a free one.
 */
const questions = new Turns(1);

async function ask<T>(method: string, path: string, body?: unknown): Promise<T> {
  await questions.take();
  try {
    return await request<T>(method, path, body);
  } finally {
    questions.give();
  }
}

async function request<T>(method: string, path: string, body?: unknown): Promise<T> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(API + path, {
      method,
      credentials: "same-origin",
      signal: AbortSignal.timeout(ASK_WITHIN),
      ...(body === undefined ? {} : { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }),
    });
    text = await response.text();
  } catch {
    throw new Failure(0);
  }
  if (!response.ok) throw failureOf(response.status, text, response.headers.get("Retry-After"));
  return (text ? JSON.parse(text) : undefined) as T;
}

/** An error answer: problem details of ours, or a store's XML, of which only the status is worth telling. */
function failureOf(status: number, text: string, retryAfter: string | null): Failure {
  let problem: Problem | undefined;
  try {
    const parsed: unknown = JSON.parse(text);
    if (parsed && typeof parsed === "object" && "detail" in parsed && "kind" in parsed) problem = parsed as Problem;
  } catch {
    // not JSON: the store's own answer
  }
  const seconds = Number(retryAfter);
  return new Failure(status, problem, retryAfter && seconds >= 0 ? seconds * 1000 : undefined);
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
    if (signal.aborted) return reject(new Failure(0, undefined, undefined, "aborted"));
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
    request.onabort = () => reject(new Failure(0, undefined, undefined, "aborted"));
    request.onloadend = () => signal.removeEventListener("abort", abort);
    request.send(untyped(body));
  });
}

/** A part has no type: a browser would add a Content-Type header that was not signed. */
function untyped(body: Blob): Blob {
  return body.type === "" ? body : body.slice(0, body.size, "");
}

export const browserTransport: Transport = {
  plan: async (caseId, files) => (await ask<{ files: Planned[] }>("POST", `/cases/${caseId}/files`, { files })).files,
  sign: async (file, parts) =>
    (await ask<{ requests: SignedRequest[] }>("POST", `/files/${file}/parts`, { parts })).requests,
  held: async (file) =>
    (await ask<{ parts: { number: number; size: number; crc64nvme: string }[] }>("GET", `/files/${file}/parts`)).parts,
  complete: (file) => request<RemoteFile>("POST", `/files/${file}/complete`), // it holds a turn of the engine
  abort: async (file) => ask<void>("POST", `/files/${file}/abort`),
  progress: async (files) => ask<void>("POST", "/progress", { files }),
  putSmall: async (file, body, crc, onProgress, signal) =>
    JSON.parse(
      await put("PUT", `${API}/files/${file}/content`, { [CRC_HEADER]: crc }, body, onProgress, signal),
    ) as RemoteFile,
  putPart: async (request, body, onProgress, signal) => {
    await put(request.method, request.url, request.headers, body, onProgress, signal);
  },
  relayPart: async (file, part, body, crc, onProgress, signal) => {
    await put("PUT", `${API}/files/${file}/parts/${part}`, { [CRC_HEADER]: crc }, body, onProgress, signal);
  },
};
