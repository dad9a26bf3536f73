// Lives of the uploader, each from a seed: the real engine, under time and chance that are made up. Whatever befalls it,
// everything ends, nothing stands still with nothing pending, no part that the server holds is sent again, and neither
// parts in memory nor transfers are ever too many. SIMULATE=from-to lives through other seeds.
import assert from "node:assert/strict";
import { setMaxListeners } from "node:events";
import { test } from "node:test";
import { live } from "./sim/run.js";

setMaxListeners(0); // a signal of an upload has many listeners
const [from, to] = (process.env.SIMULATE ?? "1-100").split("-").map(Number) as [number, number];

test("whatever befalls an upload, it comes to its end", async () => {
  for (let seed = from; seed <= to; seed++) {
    const { violations, actions } = await live(seed);
    if (violations.length > 0) assert.fail([`seed ${seed}:`, ...(await shrunk(seed, actions))].join("\n"));
  }
});

/** Seeds that ended badly once. */
const named = {
  3311: "paused and resumed while its lock was asked for, an upload does not wait for itself",
};

for (const [seed, name] of Object.entries(named))
  test(name, async () => assert.deepEqual((await live(Number(seed))).violations, []));

test("a life is the same whenever it is lived", async () => {
  const [once, again] = [await live(4), await live(4)];
  assert.deepEqual(again, once);
});

/** The fewest of a seed's actions that still end badly, left out one after the other, and what is bad then. */
async function shrunk(seed: number, actions: string[]): Promise<string[]> {
  const kept = new Set(actions.map((action) => Number.parseInt(action)));
  for (const action of [...kept]) {
    kept.delete(action);
    if ((await live(seed, kept)).violations.length === 0) kept.add(action);
  }
  const { violations, actions: left } = await live(seed, kept);
  return [...left, ...violations];
}
