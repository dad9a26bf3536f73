// The signer alone: which parts share a request.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Failure, type Clock, type SignedRequest, type Transport } from "../../src/contract.js";
import { Signer } from "../../src/signer.js";

/** A server whose answers are held back until they are let go. */
class Held {
  asked: number[][] = [];
  #answers: ((fails: boolean) => void)[] = [];

  sign(_file: string, parts: { number: number }[]): Promise<SignedRequest[]> {
    this.asked.push(parts.map(({ number }) => number));
    const requests = parts.map(({ number }) => ({
      part: number,
      method: "PUT",
      url: `/${number}`,
      headers: {},
      freshFor: 60_000,
    }));
    return new Promise((resolve, reject) =>
      this.#answers.push((fails) => (fails ? reject(new Failure(503)) : resolve(requests))),
    );
  }

  answer(fails = false): void {
    this.#answers.shift()!(fails);
  }
}

const clock: Clock = { now: () => 0, random: () => 0, sleep: async () => {} };
const settled = () => new Promise((resolve) => setImmediate(resolve));

test("what is asked for while a request of the file is under way shares the next one", async () => {
  const server = new Held();
  const signer = new Signer(server as unknown as Transport, clock);
  const first = signer.sign("a", 1, "one");
  await settled();
  const others = [2, 3, 4].map((number) => signer.sign("a", number, "more"));
  const elsewhere = signer.sign("b", 1, "one"); // another file's does not wait for it
  await settled();
  assert.deepEqual(server.asked, [[1], [1]]);
  server.answer();
  server.answer();
  assert.equal((await first).request.url, "/1");
  await elsewhere;
  await settled();
  assert.deepEqual(server.asked, [[1], [1], [2, 3, 4]]);
  server.answer();
  assert.deepEqual(
    (await Promise.all(others)).map(({ request }) => request.part),
    [2, 3, 4],
  );
});

test("a request that fails fails its own parts only, and those that waited are asked for", async () => {
  const server = new Held();
  const signer = new Signer(server as unknown as Transport, clock);
  const first = assert.rejects(signer.sign("a", 1, "one"), Failure);
  await settled();
  const second = signer.sign("a", 2, "two");
  server.answer(true);
  await first;
  await settled();
  server.answer();
  assert.equal((await second).request.part, 2);
  const third = signer.sign("a", 3, "three"); // at rest in between
  await settled();
  server.answer();
  assert.equal((await third).request.part, 3);
  assert.deepEqual(server.asked, [[1], [2], [3]]);
});
