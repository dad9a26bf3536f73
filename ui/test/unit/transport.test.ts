import assert from "node:assert/strict";
import { test } from "node:test";
import type { Failure } from "../../src/contract.js";
import { browserTransport } from "../../src/transport.js";

/** What becomes of a question that is answered so. */
async function answered(answer: Response): Promise<Failure | undefined> {
  const { fetch } = globalThis;
  globalThis.fetch = async () => answer;
  try {
    await browserTransport.ping();
    return undefined;
  } catch (error) {
    return error as Failure;
  } finally {
    globalThis.fetch = fetch;
  }
}

test("a page in place of the server's answer means that the server was not reached", async () => {
  const failure = await answered(new Response("<!DOCTYPE html><title>Wi-Fi</title>"));
  assert.deepEqual([failure?.status, failure?.reason], [0, "network"]);
});

test("nobody is left alone for longer than ten minutes, however long a server asks for it", async () => {
  for (const [asked, wait] of [
    ["3", 3_000],
    ["99999999999", 600_000],
    ["-5", undefined],
    ["Wed, 21 Oct 2065 07:28:00 GMT", undefined],
  ] as const) {
    const failure = await answered(new Response("busy", { status: 503, headers: { "Retry-After": asked } }));
    assert.equal(failure?.retryAfter, wait, asked);
  }
});
