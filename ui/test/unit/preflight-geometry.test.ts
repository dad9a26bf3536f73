// Gaps are found by the server's rule: the cases and numbers are those of internal/dicom/geometry_test.go.
import assert from "node:assert/strict";
import { test } from "node:test";
import { geometry, rangeWords, type Slice } from "../../src/preflight/geometry.js";

function axial(count: number, from: number, step: number): Slice[] {
  const slices = Array.from({ length: count }, (_, i) => ({
    number: i + 1,
    frames: 1,
    position: [-80, -80, from + i * step],
    orientation: [1, 0, 0, 0, 1, 0],
    framePositions: undefined,
  }));
  return slices.sort((a, b) => ((a.number * 7919) % 97) - ((b.number * 7919) % 97));
}

const without = (slices: Slice[], from: number, to: number) =>
  slices.filter(({ number }) => number < from || number > to);

test("a full stack has its spacing from positions", () => {
  const stack = geometry(axial(412, -30, 0.3));
  assert.equal(stack.images, 412);
  assert.ok(Math.abs(stack.spacing - 0.3) < 1e-9);
  assert.deepEqual([stack.missing, stack.uneven, stack.duplicates], [[], false, 0]);
});

test("gaps are named by number", () => {
  const stack = geometry(without(without(axial(412, 0, 0.3), 113, 118), 200, 200));
  assert.deepEqual(stack.missing, [
    [113, 118],
    [200, 200],
  ]);
  assert.equal(stack.missingCount, 7);
  assert.equal(stack.uneven, false);
  assert.equal(rangeWords(stack.missing), "113–118, 200");
  assert.equal(
    rangeWords([
      [1, 1],
      [3, 3],
      [5, 5],
      [7, 7],
      [9, 9],
      [11, 11],
    ]),
    "1, 3, 5, 7, 9, …",
  );
});

test("uneven, doubled and tilted stacks", () => {
  const uneven = axial(50, 0, 1);
  uneven[7]!.position![2]! += 0.2;
  assert.equal(geometry(uneven).uneven, true);
  const stack = axial(50, 0, 1);
  assert.equal(geometry([...stack, stack[3]!]).duplicates, 1);
  const scout = { ...stack[0]!, position: [0, 0, 0], orientation: [1, 0, 0, 0, 0, -1] };
  const tilted = geometry([...stack, scout]);
  assert.deepEqual([tilted.images, tilted.spacing, tilted.others], [51, 1, 1]);
  const absurd = axial(10, 0, 1);
  absurd[0]!.position = [0, 0, 1e308];
  assert.ok(Number.isFinite(geometry(absurd).deviation));
  const rounded = axial(100, 0, 0);
  for (const slice of rounded) slice.position![2] = Math.round(slice.number * 33.3) / 100;
  assert.equal(geometry(rounded).uneven, false);
});

test("without positions the image numbers decide", () => {
  const slices = without(axial(50, 0, 1), 20, 22);
  for (const slice of slices) slice.position = undefined;
  const stack = geometry(slices);
  assert.deepEqual([stack.missing, stack.byNumber], [[[20, 22]], true]);
  for (const slice of slices) slice.number *= 100_000;
  assert.deepEqual(geometry(slices).missing, []);
  assert.equal(geometry([]).images, 0);
});
