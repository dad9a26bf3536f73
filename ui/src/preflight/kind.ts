// What a file is, by its first bytes; names never count. The rules are those of internal/ingest/kind.go.
import { locate } from "./elementhead.js";
import { latin } from "./charset.js";

export type Kind = "dicom" | "dicomdir" | "zip" | "stl" | "ply" | "obj" | "jpeg" | "png" | "pdf" | "other";

/** Bytes that decide. */
export const HEAD = 4096;

/** size: bytes of the whole file. */
export function kindOf(bytes: Uint8Array, size: number): Kind {
  const head = bytes.subarray(0, HEAD);
  if (latin(head.subarray(128, 132)) === "DICM" && head[0] !== 0x50) return "dicom"; // most files; a preamble that begins like a ZIP is looked at below
  const text = latin(head);
  const view = new DataView(head.buffer, head.byteOffset, Math.min(head.length, 512));
  if (/^PK(\x03\x04|\x05\x06|\x07\x08)/.test(text)) return "zip";
  if (text.slice(128, 132) === "DICM") return "dicom";
  if (text.startsWith("\xff\xd8\xff")) return "jpeg";
  if (text.startsWith("\x89PNG\r\n\x1a\n")) return "png";
  if (text.slice(0, 1024).includes("%PDF-")) return "pdf";
  if (/^ply[\n\r]/.test(text) && text.includes("format ")) return "ply";
  if (isTextSTL(text) || isBinarySTL(head, size)) return "stl";
  if (locate(view, Math.max(size, head.length)) !== undefined) return "dicom";
  return isOBJ(text) ? "obj" : "other";
}

/** An 80-byte header, the number of triangles, and exactly 50 bytes for each. */
function isBinarySTL(head: Uint8Array, size: number): boolean {
  if (head.length < 84) return false;
  const triangles = new DataView(head.buffer, head.byteOffset).getUint32(80, true);
  return triangles > 0 && size === 84 + 50 * triangles;
}

function isTextSTL(text: string): boolean {
  return /^(\xef\xbb\xbf)?\s*solid/.test(text) && readable(text) && text.includes("facet");
}

/** Text whose lines are those of Wavefront OBJ, with vertices or a material library among them. */
function isOBJ(text: string): boolean {
  if (text.length < 6 || !readable(text)) return false;
  const lines = text.split("\n");
  if (lines.length > 1) lines.pop(); // cut off, or empty
  let good = false;
  for (const line of lines) {
    if (/^\s*(#|$)/.test(line)) continue;
    if (/^\s*(v(\s+[+-]*[\d.]\S*){3}|mtllib\s+\S)/.test(line)) good = true;
    else if (!/^\s*(o|g|s|usemtl|vt|vn|vp|f|l|p|mg)(\s|$)/.test(line)) return false;
  }
  return good;
}

/** No control characters but white space. */
const readable = (text: string): boolean => !/[\x00-\x08\x0b\x0e-\x1f]/.test(text);
