// What a mesh file says becomes triangles about their middle, or a reason; and the eye that looks at them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Orbit } from "../../src/mesh/orbit.js";
import { isText, surface, Unshown } from "../../src/mesh/surface.js";
import { length } from "../../src/mesh/view.js";

const text = (s: string): ArrayBuffer => new TextEncoder().encode(s).buffer as ArrayBuffer;

/** Four triangles over a box of 20 × 10 × 5 mm, far from the origin. */
const corners = [
  [1000, 50, 7],
  [1020, 50, 7],
  [1000, 60, 7],
  [1020, 50, 7],
  [1020, 60, 12],
  [1000, 60, 7],
  [1000, 50, 7],
  [1000, 60, 7],
  [1020, 60, 12],
  [1000, 50, 7],
  [1020, 60, 12],
  [1020, 50, 7],
];

function stl(): ArrayBuffer {
  const view = new DataView(new ArrayBuffer(84 + 4 * 50));
  view.setUint32(80, 4, true);
  corners.forEach((c, i) =>
    c.forEach((v, k) => view.setFloat32(84 + Math.floor(i / 3) * 50 + 12 + (i % 3) * 12 + 4 * k, v, true)),
  );
  return view.buffer;
}

const ascii = text(
  `solid x\n${[0, 1, 2, 3]
    .map(
      (t) =>
        `facet normal 0 0 1\nouter loop\n${corners
          .slice(3 * t, 3 * t + 3)
          .map((c) => `vertex ${c.join(" ")}`)
          .join("\n")}\nendloop\nendfacet`,
    )
    .join("\n")}\nendsolid`,
);
const unique = [
  [1000, 50, 7],
  [1020, 50, 7],
  [1000, 60, 7],
  [1020, 60, 12],
];
const faces = [
  [0, 1, 2],
  [1, 3, 2],
  [0, 2, 3],
  [0, 3, 1],
];
const obj = text(
  `# jaw\n${unique.map((v) => `v ${v.join(" ")}`).join("\n")}\n${faces.map((f) => `f ${f.map((n) => n + 1).join(" ")}`).join("\n")}\n`,
);
const ply = text(
  `ply\nformat ascii 1.0\nelement vertex 4\nproperty float x\nproperty float y\nproperty float z\nproperty uchar red\nproperty uchar green\nproperty uchar blue\nelement face 4\nproperty list uchar int vertex_indices\nend_header\n${unique.map((v) => `${v.join(" ")} 255 128 0`).join("\n")}\n${faces.map((f) => `3 ${f.join(" ")}`).join("\n")}\n`,
);

for (const [name, kind, data] of [
  ["binary STL", "stl", stl()],
  ["STL in text", "stl", ascii],
  ["OBJ", "obj", obj],
  ["PLY with colours", "ply", ply],
] as const) {
  test(`${name}: triangles, size in mm, about the middle`, () => {
    const s = surface(kind, data);
    assert.equal(s.triangles, 4);
    assert.deepEqual(s.extent, [20, 10, 5]);
    const xs = [...s.positions].filter((_, i) => i % 3 === 0);
    assert.deepEqual([Math.min(...xs), Math.max(...xs)], [-10, 10]);
    assert.equal(s.colours !== undefined, kind === "ply");
  });
}

test("text is told from binary, whatever an STL begins with", () => {
  const liar = stl();
  new Uint8Array(liar).set(new TextEncoder().encode("solid upper jaw"));
  assert.deepEqual(
    [isText("stl", liar), isText("stl", ascii), isText("ply", ply), isText("obj", obj)],
    [false, true, true, true],
  );
});

test("what is too large or damaged is not shown, and claims reserve no memory", () => {
  const code = (kind: "stl" | "ply" | "obj", data: ArrayBuffer): string => {
    try {
      surface(kind, data);
    } catch (error) {
      if (error instanceof Unshown) return error.code;
      throw error;
    }
    return "shown";
  };
  const forged = stl();
  new DataView(forged).setUint32(80, 0xffffffff, true);
  assert.equal(code("stl", forged), "damaged");
  assert.equal(
    code(
      "ply",
      text(
        "ply\nformat binary_little_endian 1.0\nelement vertex 4000000000\nproperty float x\nproperty float y\nproperty float z\nend_header\n1234",
      ),
    ),
    "damaged",
  );
  assert.equal(code("ply", text(new TextDecoder().decode(ply).replace("3 0 1 2", "3 0 1 999"))), "damaged"); // a corner that is not there
  assert.equal(code("obj", text("v 0 0 0\nv 1 0 0\n")), "damaged");
  assert.equal(code("obj", text("v 0 0 nan\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")), "damaged");
  assert.equal(code("stl", text("<html>")), "damaged");
  assert.equal(code("obj", new ArrayBuffer(64_000_001)), "large");
  assert.equal(code("stl", new ArrayBuffer(256_000_001)), "large");
});

test("the eye goes round, nearer and to the side, within bounds, and back to where it began", () => {
  const o = new Orbit();
  const begin = o.eye(10);
  const far = (p: number[]) => Math.hypot(...p);
  o.turn(1, 100);
  assert.ok(Math.abs(far(o.eye(10)) - far(begin)) < 1e-9, "turning changes no distance");
  assert.ok(o.eye(10)[2] < far(begin) && o.eye(10)[2] > 0.99 * far(begin), "not over the pole");
  for (let i = 0; i < 200; i++) o.zoom(0.5);
  assert.ok(far(o.eye(10)) >= 1.4, "not into the mesh");
  for (let i = 0; i < 200; i++) o.zoom(2);
  assert.ok(far(o.eye(10)) <= 121);
  for (let i = 0; i < 200; i++) o.move(1, 1);
  assert.ok(o.middle(10).every((v) => Math.abs(v) <= 15));
  o.reset();
  assert.deepEqual(o.eye(10), begin);
  assert.deepEqual(o.middle(10), [0, 0, 0]);
});

test("lengths have three figures", () => {
  assert.deepEqual([62.1234, 4, 0.12345, 1234.5].map(length), ["62.1", "4", "0.123", "1,235"]);
});
