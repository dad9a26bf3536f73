// Small files of the kinds a case holds, made on the spot: CT slices, a mesh, a photo, a document.

const UID = "1.2.826.0.1.3680043.8.498";

/** The pixels of slice when nothing else is said: 16 × 16, grey. */
const plain = (number) => ({
  elements: [],
  rows: 16,
  columns: 16,
  bits: 16,
  allocated: 16,
  samples: 1,
  photometric: "MONOCHROME2",
  signed: false,
  native: Buffer.alloc(512, number),
});

/**
 * One CT slice in explicit VR little endian (PS3.10), 16 × 16 pixels. pixels may be others: rows, columns, bits, allocated,
 * samples, photometric, signed, further elements, and the bytes: native, or fragments of a transfer syntax.
 */
export function slice({
  patient = "Kim^Minji",
  study = 1,
  series = 1,
  number,
  description = "CBCT maxilla 0.2",
  pixels = plain(number),
}) {
  const position = `-12.5\\-12.5\\${(number * 0.2).toFixed(1)}`;
  const dataset = [
    [0x0008, 0x0008, "CS", "ORIGINAL\\PRIMARY\\AXIAL"],
    [0x0008, 0x0016, "UI", "1.2.840.10008.5.1.4.1.1.2"],
    [0x0008, 0x0018, "UI", `${UID}.${study}.${series}.${number}`],
    [0x0008, 0x0020, "DA", "20261120"],
    [0x0008, 0x0030, "TM", "141530"],
    [0x0008, 0x0060, "CS", "CT"],
    [0x0008, 0x0070, "LO", "Vatech"],
    [0x0008, 0x1030, "LO", "CBCT before implant"],
    [0x0008, 0x103e, "LO", description],
    [0x0008, 0x1090, "LO", "Green X"],
    [0x0010, 0x0010, "PN", patient],
    [0x0010, 0x0020, "LO", "P-10442"],
    [0x0010, 0x0030, "DA", "19870412"],
    [0x0010, 0x0040, "CS", "F"],
    [0x0018, 0x0050, "DS", "0.2"],
    [0x0020, 0x000d, "UI", `${UID}.${study}`],
    [0x0020, 0x000e, "UI", `${UID}.${study}.${series}`],
    [0x0020, 0x0011, "IS", String(series)],
    [0x0020, 0x0013, "IS", String(number)],
    [0x0020, 0x0032, "DS", position],
    [0x0020, 0x0037, "DS", "1\\0\\0\\0\\1\\0"],
    [0x0020, 0x0052, "UI", `${UID}.9.${study}`],
    [0x0028, 0x0002, "US", pixels.samples],
    [0x0028, 0x0004, "CS", pixels.photometric],
    ...(pixels.samples > 1 ? [[0x0028, 0x0006, "US", 0]] : []),
    [0x0028, 0x0010, "US", pixels.rows],
    [0x0028, 0x0011, "US", pixels.columns],
    [0x0028, 0x0030, "DS", "0.2\\0.2"],
    [0x0028, 0x0100, "US", pixels.allocated],
    [0x0028, 0x0101, "US", pixels.bits],
    [0x0028, 0x0102, "US", pixels.bits - 1],
    [0x0028, 0x0103, "US", pixels.signed ? 1 : 0],
    ...pixels.elements,
    ...(pixels.native ? [[0x7fe0, 0x0010, "OW", pixels.native]] : []),
  ].map(element);
  const meta = [
    [0x0002, 0x0001, "OB", Buffer.from([0, 1])],
    [0x0002, 0x0002, "UI", "1.2.840.10008.5.1.4.1.1.2"],
    [0x0002, 0x0003, "UI", `${UID}.${study}.${series}.${number}`],
    [0x0002, 0x0010, "UI", pixels.syntax ?? "1.2.840.10008.1.2.1"],
    [0x0002, 0x0012, "UI", `${UID}.7`],
  ].map(element);
  const head = Buffer.concat(meta);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(head.length);
  return Buffer.concat([
    Buffer.alloc(128),
    Buffer.from("DICM"),
    element([0x0002, 0x0000, "UL", length]),
    head,
    ...dataset,
    ...(pixels.fragments ? encapsulated(pixels.fragments) : []),
  ]);
}

/** Pixel data as fragments, of undefined length, behind an empty table of offsets (PS3.5 A.4). */
function encapsulated(fragments) {
  const item = (number, length) => Buffer.from(Uint16Array.of(0xfffe, number, length & 0xffff, length >>> 16).buffer);
  const even = (b) => (b.length % 2 ? Buffer.concat([b, Buffer.alloc(1)]) : b);
  const head = Buffer.from([0xe0, 0x7f, 0x10, 0, 0x4f, 0x42, 0, 0, 0xff, 0xff, 0xff, 0xff]); // (7FE0,0010) OB
  const items = fragments.map(even).flatMap((b) => [item(0xe000, b.length), b]);
  return [head, item(0xe000, 0), ...items, item(0xe0dd, 0)];
}

function element([group, number, vr, value]) {
  let bytes = value;
  if (vr === "US") {
    bytes = Buffer.alloc(2);
    bytes.writeUInt16LE(value);
  } else if (typeof value === "string") {
    bytes = Buffer.from(value, "latin1");
    if (bytes.length % 2) bytes = Buffer.concat([bytes, Buffer.from(vr === "UI" ? "\0" : " ")]);
  }
  const long = vr === "OB" || vr === "OW";
  const head = Buffer.alloc(long ? 12 : 8);
  head.writeUInt16LE(group, 0);
  head.writeUInt16LE(number, 2);
  head.write(vr, 4, "latin1");
  if (long) head.writeUInt32LE(bytes.length, 8);
  else head.writeUInt16LE(bytes.length, 6);
  return Buffer.concat([head, bytes]);
}

/** A binary STL of n triangles. */
export function mesh(n = 2000) {
  const stl = Buffer.alloc(84 + 50 * n);
  stl.write("upper jaw", 0, "latin1");
  stl.writeUInt32LE(n, 80);
  return stl;
}

/** A JPEG of one grey pixel. */
export function photo() {
  return Buffer.from(
    "/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAP//////////////////////////////////////////////////////////////////////////////////////wAALCAABAAEBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAAA//EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAIAQEAAD8AN//Z",
    "base64",
  );
}

/** A PDF without pages. */
export function document() {
  return Buffer.from(
    "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n",
  );
}
