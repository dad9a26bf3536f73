// The simulated server with its store: what it holds outlives every page. Its answers are those of the real one as far as
// the engine looks at them; time, loss and trouble are the line's.
import {
  Failure,
  type FileSpec,
  type HeldPart,
  type PlanAnswer,
  type Planned,
  type ReceivedFile,
  type RemoteFile,
  type SignedRequest,
} from "../../../src/contract.js";
import { joined, type SimSlice } from "./files.js";
import type { World } from "./world.js";

export interface Row {
  id: string;
  spec: FileSpec;
  state: "planned" | "sending" | "stored" | "abandoned";
  parts: Map<number, HeldPart>;
  crc: string; // of the whole, once it is stored
}

const problem = (status: number, kind: string) => new Failure(status, { problem: { status, kind, detail: kind } });

export class SimServer {
  readonly rows = new Map<string, Row>();
  signedIn = true;
  store: "fine" | "cors" | "unreachable" = "fine";
  #drops = 0;

  constructor(
    private readonly world: World,
    readonly partSize: number,
    readonly directFrom: number,
    readonly freshFor: number,
    readonly host: string,
  ) {}

  row(id: string): Row {
    const row = this.rows.get(id);
    if (!row) throw problem(404, "not_found");
    return row;
  }

  plan(files: FileSpec[], drop: string): PlanAnswer {
    return { drop: drop || `drop-${++this.#drops}`, files: files.map((spec) => this.#planned(spec)) };
  }

  #planned(spec: FileSpec): Planned {
    if (spec.size === 0) return { error: { status: 400, kind: "invalid", detail: "The file is empty." } };
    const rows = [...this.rows.values()];
    const same = rows.find((row) => row.state === "stored" && row.crc === spec.crc64nvme);
    if (same) return { file: this.describe(same), received: true };
    const begun = rows.find(
      ({ spec: other, state }) =>
        (state === "planned" || state === "sending") &&
        [other.name, other.path, other.size, other.fingerprint].join() ===
          [spec.name, spec.path, spec.size, spec.fingerprint].join(),
    );
    if (begun) return { file: this.describe(begun), resumed: true };
    const row: Row = { id: `id-${this.rows.size + 1}`, spec, state: "planned", parts: new Map(), crc: "" };
    this.rows.set(row.id, row);
    return { file: this.describe(row) };
  }

  describe(row: Row): RemoteFile {
    const direct = row.spec.size >= this.directFrom;
    return {
      id: row.id,
      state: row.state,
      route: direct ? "direct" : "small",
      part_size: direct ? this.partSize : 0,
      parts: direct ? Math.ceil(row.spec.size / this.partSize) : 0,
      crc64nvme: row.crc,
    };
  }

  match(sizes: number[], ids?: string[]): ReceivedFile[] {
    const stored = [...this.rows.values()].filter(
      ({ id, state, spec }) => state === "stored" && sizes.includes(spec.size) && (ids?.includes(id) ?? true),
    );
    return stored.map(({ id, spec, crc }) => ({ id, size: spec.size, crc64nvme: crc }));
  }

  sign(id: string, parts: { number: number; crc64nvme: string }[]): SignedRequest[] {
    const row = this.row(id);
    if (row.state === "abandoned") throw problem(409, "conflict");
    if (row.state === "stored") throw problem(409, "conflict");
    const until = this.world.now + this.freshFor;
    return parts.map(({ number, crc64nvme }) => ({
      part: number,
      method: "PUT",
      url: `${this.host}/${id}/${number}`,
      headers: { crc: crc64nvme, until: String(until) },
      freshFor: this.freshFor,
    }));
  }

  held(id: string): HeldPart[] {
    const row = this.row(id);
    if (row.state === "abandoned") throw problem(410, "gone");
    return [...row.parts.values()];
  }

  complete(id: string, crc: string): RemoteFile {
    const row = this.row(id);
    if (row.state === "abandoned") throw problem(410, "gone");
    const held = [...row.parts.values()].reduce((sum, { size }) => sum + size, 0);
    if (row.state !== "stored" && held !== row.spec.size) throw problem(409, "conflict");
    if ((row.crc || whole(row)) !== crc) throw problem(409, "conflict");
    row.crc = crc;
    row.state = "stored";
    return this.describe(row);
  }

  abandon(ids: string[]): void {
    for (const id of ids) {
      const row = this.rows.get(id);
      if (row && row.state !== "stored") row.state = "abandoned";
    }
  }

  /** A small file whole. */
  content(id: string, body: SimSlice, crc: string, spoilt: boolean): RemoteFile {
    const row = this.row(id);
    if (spoilt || body.crc !== crc) throw problem(400, "invalid");
    if (row.state === "abandoned") throw problem(410, "gone");
    if (row.state === "stored" && row.crc !== crc) throw problem(409, "conflict");
    row.parts.set(1, { number: 1, size: body.size, crc64nvme: crc });
    row.crc = crc;
    row.state = "stored";
    return this.describe(row);
  }

  /** A part; the store's own answers have no problem of ours. */
  part(id: string, number: number, body: SimSlice, crc: string, spoilt: boolean, relayed: boolean): void {
    const row = this.row(id);
    if (spoilt || body.crc !== crc)
      throw relayed ? problem(400, "invalid") : new Failure(400, { storeCode: "BadDigest" });
    if (row.state === "stored" || row.state === "abandoned")
      throw relayed ? problem(409, "conflict") : new Failure(404, { storeCode: "NoSuchUpload" });
    row.state = "sending";
    row.parts.set(number, { number, size: body.size, crc64nvme: crc });
  }
}

/** What the store holds of a row, joined. */
export function whole(row: Row): string {
  return joined([...row.parts.values()].sort((a, b) => a.number - b.number));
}
