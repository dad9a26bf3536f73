// Bytes of an STL, PLY or OBJ as triangles about their middle, by three.js' readers. Nothing a file claims is believed before it
// is compared with what is there: the readers would reserve memory for it.
import type { BufferGeometry, Object3D } from "three";
import { OBJLoader } from "three/addons/loaders/OBJLoader.js";
import { PLYLoader } from "three/addons/loaders/PLYLoader.js";
import { STLLoader } from "three/addons/loaders/STLLoader.js";

export type Kind = "stl" | "ply" | "obj";

/** Triangles about the middle of their box. */
export interface Surface {
  positions: Float32Array; // x, y, z of each corner, mm by the custom of dentistry
  index?: Uint32Array; // which corners, three a triangle; without it they come in order
  colours?: Float32Array; // of each corner, linear red, green, blue
  extent: [number, number, number]; // mm
  triangles: number;
}

/** What a person is told: too large for a browser, or not to be read. */
export class Unshown extends Error {
  constructor(readonly code: "large" | "damaged") {
    super(code);
  }
}

/** Bytes and triangles that are shown at most; text takes a browser several times its size. */
export const MOST = { binary: 256_000_000, text: 64_000_000, triangles: 6_000_000 };

/** The surface in a file. Unshown when it is too large or damaged. */
export function surface(kind: Kind, data: ArrayBuffer): Surface {
  if (data.byteLength > MOST.binary || (isText(kind, data) && data.byteLength > MOST.text)) throw new Unshown("large");
  if (kind === "ply") checkPLY(data);
  let parts: BufferGeometry[];
  try {
    parts =
      kind === "obj"
        ? geometries(new OBJLoader().parse(new TextDecoder().decode(data)))
        : [(kind === "stl" ? new STLLoader() : new PLYLoader()).parse(data)];
  } catch (error) {
    throw error instanceof Unshown ? error : new Unshown("damaged");
  }
  return centred(joined(parts));
}

/** A binary STL has exactly the bytes that its triangles take (50 each behind 84). */
export function isText(kind: Kind, data: ArrayBuffer): boolean {
  if (kind === "obj") return true;
  const head = new TextDecoder("latin1").decode(data.slice(0, 512));
  if (kind === "ply") return /^format ascii/m.test(head);
  return data.byteLength < 84 || new DataView(data).getUint32(80, true) * 50 + 84 !== data.byteLength;
}

/** Refuses a PLY that claims more than its bytes can hold: a vertex takes three bytes at least, a face two. */
function checkPLY(data: ArrayBuffer): void {
  const head = new TextDecoder("latin1").decode(data.slice(0, 65_536));
  const claims = [...head.matchAll(/^element\s+\w+\s+(\d+)/gm)].reduce((sum, match) => sum + Number(match[1]), 0);
  if (claims > data.byteLength) throw new Unshown("damaged");
}

function geometries(object: Object3D): BufferGeometry[] {
  return [...(object.geometry ? [object.geometry] : []), ...object.children.flatMap(geometries)];
}

/** One surface of several. */
function joined(parts: BufferGeometry[]): Omit<Surface, "extent"> {
  const meshes = parts.filter((p) => (p.attributes.position?.count ?? 0) >= 3);
  const [only] = meshes;
  if (!only) throw new Unshown("damaged");
  if (meshes.length > 1) {
    const positions = new Float32Array(meshes.reduce((sum, m) => sum + m.attributes.position!.array.length, 0));
    let at = 0;
    for (const m of meshes) {
      positions.set(m.attributes.position!.array, at);
      at += m.attributes.position!.array.length;
    }
    return { positions, triangles: Math.floor(positions.length / 9) };
  }
  const positions = Float32Array.from(only.attributes.position!.array);
  const colours = only.attributes.color?.array;
  const index = only.index ? Uint32Array.from(only.index.array) : undefined;
  if (index?.some((corner) => 3 * corner >= positions.length)) throw new Unshown("damaged");
  return {
    positions,
    ...(index && { index }),
    ...(colours?.length === positions.length && { colours: Float32Array.from(colours) }),
    triangles: Math.floor((index?.length ?? positions.length / 3) / 3),
  };
}

/** Moves the surface to the middle of its box: far from the origin, 32 bits are too few to turn it smoothly. */
function centred(s: Omit<Surface, "extent">): Surface {
  if (s.triangles < 1) throw new Unshown("damaged");
  if (s.triangles > MOST.triangles) throw new Unshown("large");
  const [low, high] = [
    [Infinity, Infinity, Infinity],
    [-Infinity, -Infinity, -Infinity],
  ];
  s.positions.forEach((v, i) => {
    if (!Number.isFinite(v)) throw new Unshown("damaged");
    low[i % 3] = Math.min(low[i % 3]!, v);
    high[i % 3] = Math.max(high[i % 3]!, v);
  });
  for (let i = 0; i < s.positions.length; i++) s.positions[i]! -= (low[i % 3]! + high[i % 3]!) / 2;
  return { ...s, extent: [high[0]! - low[0]!, high[1]! - low[1]!, high[2]! - low[2]!] };
}
