// Makes DICOM files and ZIPs for tests, by the book and on purpose against it, as internal/dicom/dicomtest does.
import { deflateRawSync } from "node:zlib";

const LONG = "OB OD OF OL OV OW SQ SV UC UN UR UT UV";

export const IMPLICIT = "1.2.840.10008.1.2";
export const EXPLICIT = "1.2.840.10008.1.2.1";
export const DEFLATED = "1.2.840.10008.1.2.1.99";
export const BIG = "1.2.840.10008.1.2.2";
const CT = "1.2.840.10008.5.1.4.1.1.2";

export class Encoder {
  #parts: Buffer[] = [];
  constructor(readonly syntax = EXPLICIT) {}

  get bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }

  add(...parts: Buffer[]): this {
    this.#parts.push(...parts);
    return this;
  }

  #u16(n: number): Buffer {
    const b = Buffer.alloc(2);
    if (this.syntax === BIG) b.writeUInt16BE(n);
    else b.writeUInt16LE(n);
    return b;
  }

  #u32(n: number): Buffer {
    const b = Buffer.alloc(4);
    if (this.syntax === BIG) b.writeUInt32BE(n);
    else b.writeUInt32LE(n);
    return b;
  }

  head(tag: number, vr: string, length: number): this {
    this.add(this.#u16(tag >>> 16), this.#u16(tag & 0xffff));
    if (this.syntax === IMPLICIT || vr === "") return this.add(this.#u32(length));
    this.add(Buffer.from(vr));
    return LONG.includes(vr) ? this.add(Buffer.alloc(2), this.#u32(length)) : this.add(this.#u16(length));
  }

  raw(tag: number, vr: string, value: Buffer): this {
    const padding = value.length % 2 === 1 ? Buffer.from(vr === "UI" || vr === "OB" ? "\0" : " ") : Buffer.alloc(0);
    return this.head(tag, vr, value.length + padding.length).add(value, padding);
  }

  text(tag: number, vr: string, ...values: (string | number)[]): this {
    return this.raw(tag, vr, Buffer.from(values.join("\\"), "latin1"));
  }

  us(tag: number, value: number): this {
    return this.raw(tag, "US", this.#u16(value));
  }

  /** A sequence; each item is filled by its function. */
  sequence(tag: number, undefinedLength: boolean, ...items: ((e: Encoder) => void)[]): this {
    const inner = new Encoder(this.syntax);
    for (const fill of items) {
      const item = new Encoder(this.syntax);
      fill(item);
      inner.head(0xfffee000, "", undefinedLength ? 0xffffffff : item.bytes.length).add(item.bytes);
      if (undefinedLength) inner.head(0xfffee00d, "", 0);
    }
    if (undefinedLength) inner.head(0xfffee0dd, "", 0);
    return this.head(tag, "SQ", undefinedLength ? 0xffffffff : inner.bytes.length).add(inner.bytes);
  }
}

export interface Options {
  syntax?: string;
  charset?: string[];
  patient?: Buffer | string; // a string: Latin-1
  patientID?: string;
  birthDate?: string;
  study?: string;
  series?: string;
  instance?: string;
  description?: string;
  number?: number;
  rows?: number;
  frames?: number;
  position?: number[] | null;
  before?: (e: Encoder) => void; // elements of groups 0028 to 7FDF
  preamble?: boolean;
  meta?: boolean;
}

/** One CT image file. */
export function ct(o: Options = {}): Buffer {
  const { syntax = EXPLICIT, number = 1, rows = 16, frames = 0, position = [0, 0, number * 0.5] } = o;
  const instance = o.instance ?? `2.25.30.${number}`;
  const e = new Encoder(syntax);
  if (o.charset) e.text(0x00080005, "CS", ...o.charset);
  e.text(0x00080016, "UI", CT).text(0x00080018, "UI", instance).text(0x00080020, "DA", "20260102");
  e.text(0x00080060, "CS", "CT")
    .text(0x00081030, "LO", "Jaw")
    .text(0x0008103e, "LO", o.description ?? "Bone 0.5");
  const patient = o.patient ?? "Phantom^Jaw";
  e.raw(0x00100010, "PN", typeof patient === "string" ? Buffer.from(patient, "latin1") : patient);
  e.text(0x00100020, "LO", o.patientID ?? "PH-0001").text(0x00100030, "DA", o.birthDate ?? "19700101");
  e.text(0x00180050, "DS", 0.5);
  e.text(0x0020000d, "UI", o.study ?? "2.25.10").text(0x0020000e, "UI", o.series ?? "2.25.20");
  e.text(0x00200011, "IS", 3).text(0x00200013, "IS", number);
  if (position) e.text(0x00200032, "DS", ...position).text(0x00200037, "DS", 1, 0, 0, 0, 1, 0);
  if (frames > 0) e.text(0x00280008, "IS", frames);
  e.us(0x00280010, rows).us(0x00280011, rows).us(0x00280100, 16);
  o.before?.(e);
  e.raw(0x7fe00010, "OW", Buffer.alloc(rows * rows * 2 * Math.max(1, frames), 7));
  return file(e, { ...o, instance });
}

/** Puts preamble and meta information before a data set, and deflates it where the syntax says so. */
export function file(e: Encoder, o: Options = {}): Buffer {
  const meta = new Encoder();
  meta.raw(0x00020001, "OB", Buffer.from([0, 1])).text(0x00020002, "UI", CT);
  meta.text(0x00020003, "UI", o.instance ?? "2.25.1").text(0x00020010, "UI", e.syntax);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(meta.bytes.length);
  const whole = new Encoder().raw(0x00020000, "UL", length).add(meta.bytes);
  const preamble = o.preamble === false ? [] : [Buffer.alloc(128), Buffer.from("DICM")];
  const body = e.syntax === DEFLATED ? deflateRawSync(e.bytes) : e.bytes;
  return Buffer.concat([...preamble, ...(o.meta === false ? [] : [whole.bytes]), body]);
}

export interface Packed {
  name: string | Buffer;
  body: Buffer;
  store?: boolean;
  flags?: number; // UTF-8: 0x800
  method?: number; // as claimed
}

/** A ZIP; descriptor: sizes follow the data; large: with Zip64 records. */
export function zip(files: Packed[], { descriptor = false, large = false, before = "" } = {}): Buffer {
  const parts: Buffer[] = [Buffer.from(before)];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, body, store = false, flags = 0, method } of files) {
    const raw = typeof name === "string" ? Buffer.from(name) : name;
    const data = store ? body : deflateRawSync(body);
    const local = Buffer.alloc(30);
    local.write("PK\x03\x04", "latin1");
    local.writeUInt16LE(flags | (descriptor ? 8 : 0), 6);
    local.writeUInt16LE(method ?? (store ? 0 : 8), 8);
    if (!descriptor) {
      local.writeUInt32LE(data.length, 18);
      local.writeUInt32LE(body.length, 22);
    }
    local.writeUInt16LE(raw.length, 26);
    const item = Buffer.alloc(46);
    item.write("PK\x01\x02", "latin1");
    item.writeUInt16LE(flags | (descriptor ? 8 : 0), 8);
    item.writeUInt16LE(method ?? (store ? 0 : 8), 10);
    item.writeUInt32LE(large ? 0xffffffff : data.length, 20);
    item.writeUInt32LE(large ? 0xffffffff : body.length, 24);
    item.writeUInt16LE(raw.length, 28);
    item.writeUInt32LE(large ? 0xffffffff : offset, 42);
    const extra = Buffer.alloc(large ? 28 : 0);
    if (large) {
      item.writeUInt16LE(28, 30);
      extra.writeUInt16LE(1, 0);
      extra.writeUInt16LE(24, 2);
      for (const [i, n] of [body.length, data.length, offset].entries()) extra.writeBigUInt64LE(BigInt(n), 4 + 8 * i);
    }
    const after = descriptor ? Buffer.concat([Buffer.from("PK\x07\x08", "latin1"), Buffer.alloc(12)]) : Buffer.alloc(0);
    parts.push(local, raw, data, after);
    directory.push(item, raw, extra);
    offset += 30 + raw.length + data.length + after.length;
  }
  const list = Buffer.concat(directory);
  parts.push(list);
  if (large) {
    const record = Buffer.alloc(56 + 20);
    record.write("PK\x06\x06", "latin1");
    record.writeBigUInt64LE(44n, 4);
    record.writeBigUInt64LE(BigInt(files.length), 24);
    record.writeBigUInt64LE(BigInt(files.length), 32);
    record.writeBigUInt64LE(BigInt(list.length), 40);
    record.writeBigUInt64LE(BigInt(offset), 48);
    record.write("PK\x06\x07", 56, "latin1");
    record.writeBigUInt64LE(BigInt(offset + list.length), 64);
    record.writeUInt32LE(1, 72);
    parts.push(record);
  }
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", "latin1");
  end.writeUInt16LE(large ? 0xffff : files.length, 10);
  end.writeUInt32LE(large ? 0xffffffff : list.length, 12);
  end.writeUInt32LE(large ? 0xffffffff : offset, 16);
  return Buffer.concat([...parts, end]);
}
