import assert from "node:assert/strict";
import { test } from "node:test";
import { workerChecksum, type Thread } from "../../src/checksums.js";
import type { Answer, Question } from "../../src/worker.js";
import { FakeClock } from "./fake.js";

const address = new URL("http://127.0.0.1/worker.js");
const blob = new Blob(["x"]);

/** Threads in the place of workers: what each does when it is asked. Those beyond the list do as its last. */
function threads(...does: ((question: Question, answer: (answer: Answer) => void, fail: () => void) => void)[]) {
  const made: { terminated: boolean; asked: number[] }[] = [];
  const make = (): Thread => {
    const act = does[Math.min(made.length, does.length - 1)]!;
    const state = { terminated: false, asked: [] as number[] };
    made.push(state);
    const thread: Thread = {
      onmessage: null,
      onerror: null,
      postMessage: (question: Question) => {
        state.asked.push(question.id);
        const tell = (data: Answer) => thread.onmessage?.call(thread as Worker, { data } as MessageEvent<Answer>);
        const fail = () => thread.onerror?.call(thread as Worker, {} as ErrorEvent);
        setImmediate(() => !state.terminated && act(question, tell, fail));
      },
      terminate: () => void (state.terminated = true),
    };
    return thread;
  };
  return { made, make };
}

const answers = ({ id }: Question, answer: (answer: Answer) => void) => answer({ id, crc: `crc ${id}` });
const silent = () => {};

test("a worker that falls silent is replaced, and asked again is what it was asked", async () => {
  const clock = new FakeClock();
  const { made, make } = threads(silent, answers);
  const { checksum } = workerChecksum(address, make, clock);
  const all = await Promise.all([checksum(blob), checksum(blob), checksum(blob)]);
  assert.deepEqual(all, ["crc 1", "crc 2", "crc 3"]);
  assert.deepEqual(
    made.map(({ terminated }) => terminated),
    [true, false, false],
  );
  assert.ok(clock.now() < 60_000, `it took ${clock.now()} ms`);
});

test("one that reads slowly, and says so, is left alone", async () => {
  const clock = new FakeClock();
  const slow = async ({ id }: Question, answer: (answer: Answer) => void) => {
    for (let sign = 0; sign < 30; sign++) {
      await clock.sleep(10_000);
      answer({ id, alive: true });
    }
    answer({ id, crc: "late" });
  };
  const { made, make } = threads(slow);
  assert.equal(await workerChecksum(address, make, clock).checksum(blob), "late");
  assert.deepEqual(
    made.map(({ terminated }) => terminated),
    [false],
  );
});

test("a worker that cannot be loaded is tried a few times, then the file is told to be unreadable", async () => {
  const { made, make } = threads((_, __, fail) => fail());
  await assert.rejects(workerChecksum(address, make, new FakeClock()).checksum(blob), /worker failed/);
  assert.equal(made.length, 5);
  const once = threads((_, __, fail) => fail(), answers);
  assert.equal(await workerChecksum(address, once.make, new FakeClock()).checksum(blob), "crc 1");
});

test("what became of the file is told by its name, and the next is read", async () => {
  let first = true;
  const { make } = threads((question, answer) => {
    if (first) answer({ id: question.id, error: "NotFoundError" });
    else answers(question, answer);
    first = false;
  });
  const { checksum } = workerChecksum(address, make, new FakeClock());
  await assert.rejects(checksum(blob), { name: "NotFoundError" });
  assert.equal(await checksum(blob), "crc 2");
});
