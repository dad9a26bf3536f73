// Planning: what is to be sent, in requests of many files. Each file's first bytes are read before, so that the server
// knows it again; of files that the case may have already, all bytes are.
import { Failure, type Checksum, type FileSpec, type Planned, type RemoteFile, type Transport } from "./contract.js";
import { asFailure, type Persistence } from "./persist.js";
import { whole } from "./resume.js";
import type { Group, Upload } from "./upload.js";
import { Turns } from "./wait.js";

/**
 * Files of the first plan of what was added together, so that bytes move soon, and at most of the others: each is twice
 * the one before, because the next has to be read while this one is sent.
 */
const FIRST = 50;
const LATER = 250;
/** Bytes at the beginning of a file that tell it from others. */
export const FINGERPRINT = 1 << 20;
/** Files read at once for planning; the parts about to be sent are read beside them. */
const READ_AT_ONCE = 2;

export interface PlannerOptions {
  transport: Transport;
  checksum: Checksum;
  persistence: Persistence;
  onPlanned: (upload: Upload, file: RemoteFile, answer: Planned) => void;
  onFailed: (upload: Upload, failure: Failure) => void;
  onChange: () => void;
}

interface Chunk {
  group: Group;
  uploads: Upload[];
}

export class Planner {
  #waiting = new Map<Group, Upload[]>();
  #known = new Set<Upload>(); // waiting or being planned
  #next = new WeakMap<Group, number>(); // files of its next plan
  #running = false;
  #reading = new Turns(READ_AT_ONCE);
  #comparing: Promise<void> = Promise.resolve();
  #received = new Map<string, Map<number, Set<string>>>(); // case → size → checksums, as far as asked

  constructor(private readonly o: PlannerOptions) {}

  /** Takes uploads that are to be planned, unless they are being planned. */
  add(uploads: Upload[]): void {
    for (const upload of uploads) {
      if (this.#known.has(upload)) continue;
      this.#known.add(upload);
      this.#wait(upload);
    }
    void this.#run();
  }

  #wait(upload: Upload): void {
    const waiting = this.#waiting.get(upload.group);
    if (waiting) waiting.push(upload);
    else this.#waiting.set(upload.group, [upload]);
  }

  /** One request at a time; what the next needs is read meanwhile. */
  async #run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    for (let chunk = await this.#prepared(); chunk;) {
      const next = this.#prepared();
      await this.#ask(chunk);
      chunk = (await next) ?? (await this.#prepared());
    }
    this.#running = false;
    if (this.#waiting.size > 0) void this.#run();
  }

  async #prepared(): Promise<Chunk | undefined> {
    const chunk = this.#take();
    if (chunk) await this.#prepare(chunk);
    return chunk;
  }

  /** An upload that was stopped is let go; it comes back when it is taken up again, which may have happened. */
  #drop(upload: Upload): void {
    this.#known.delete(upload);
    if (upload.wanted && !upload.remote) this.add([upload]);
  }

  #take(): Chunk | undefined {
    for (const [group, waiting] of this.#waiting) {
      const files = this.#next.get(group) ?? FIRST;
      const uploads = waiting.splice(0, files);
      this.#next.set(group, Math.min(LATER, 2 * files));
      if (waiting.length === 0) this.#waiting.delete(group);
      return { group, uploads };
    }
    return undefined;
  }

  async #prepare(chunk: Chunk): Promise<void> {
    const asked = this.#match(chunk);
    await Promise.all(chunk.uploads.map((upload) => this.#fingerprint(upload)));
    await asked;
    const received = this.#received.get(chunk.group.caseId);
    const alike = chunk.uploads.filter(
      (u) => u.wanted && u.crc === "" && !u.source.again && received?.get(u.source.size)?.size,
    );
    if (alike.length === 0) return;
    chunk.uploads = chunk.uploads.filter((upload) => !alike.includes(upload));
    for (const upload of alike) this.#comparing = this.#comparing.then(() => this.#compare(upload));
  }

  async #fingerprint(upload: Upload): Promise<void> {
    if (upload.fingerprint !== "") return;
    const { source } = upload;
    await this.#reading.take();
    try {
      if (!upload.wanted) return;
      upload.fingerprint = await this.o.checksum(source.slice(0, Math.min(source.size, FINGERPRINT)));
      if (source.size <= FINGERPRINT) upload.crc = upload.fingerprint;
    } catch (error) {
      this.o.onFailed(upload, asFailure(error));
    } finally {
      this.#reading.give();
    }
  }

  /** Asks which received files have the size of one of these, unless it is known. Without an answer nothing is compared. */
  async #match({ group, uploads }: Chunk): Promise<void> {
    const known = this.#received.get(group.caseId) ?? new Map<number, Set<string>>();
    this.#received.set(group.caseId, known);
    const sizes = uploads
      .filter(({ source, crc }) => source.size > FINGERPRINT && crc === "" && !source.again && !known.has(source.size))
      .map(({ source }) => source.size);
    if (sizes.length === 0) return;
    const distinct = [...new Set(sizes)];
    for (const size of distinct) known.set(size, new Set());
    const question = () => this.o.transport.match(group.caseId, distinct);
    const found = await this.o.persistence.until(question, never).catch(() => []);
    for (const { size, crc64nvme } of found) known.get(size)?.add(crc64nvme);
  }

  /** Reads a file whole, because the case has one of its size; then it is planned, with its checksum. */
  async #compare(upload: Upload): Promise<void> {
    if (!upload.wanted) return this.#drop(upload);
    const { signal } = upload;
    try {
      upload.state = "checking";
      this.o.onChange();
      upload.crc = await whole(upload, this.o.checksum);
      upload.state = "queued";
      this.#wait(upload);
      void this.#run();
    } catch (error) {
      if (signal.aborted) return this.#drop(upload);
      this.#known.delete(upload);
      this.o.onFailed(upload, asFailure(error));
    }
  }

  async #ask({ group, uploads }: Chunk): Promise<void> {
    const asked = uploads.filter((upload) => upload.wanted);
    for (const upload of uploads) if (!upload.wanted) this.#drop(upload);
    if (asked.length === 0) return;
    let answers: Planned[] = [];
    let failure = new Failure(502); // of a file without an answer
    try {
      const question = () => this.o.transport.plan(group.caseId, asked.map(spec), group.drop);
      const answer = await this.o.persistence.until(question, never);
      group.drop ||= answer.drop;
      answers = answer.files;
    } catch (error) {
      failure = asFailure(error);
    }
    asked.forEach((upload, i) => {
      this.#known.delete(upload);
      const answer = answers[i];
      if (answer?.file) this.o.onPlanned(upload, answer.file, answer);
      else
        this.o.onFailed(upload, answer?.error ? new Failure(answer.error.status, { problem: answer.error }) : failure);
    });
    this.o.onChange();
  }
}

const never = new AbortController().signal;

function spec({ source, fingerprint, crc }: Upload): FileSpec {
  return {
    name: source.name,
    path: source.path,
    size: source.size,
    content_type: source.type,
    ...(source.modified > 0 ? { modified_at: new Date(source.modified).toISOString() } : {}),
    ...(fingerprint === "" ? {} : { fingerprint }),
    ...(crc === "" ? {} : { crc64nvme: crc }),
    ...(source.again ? { again: true } : {}),
    ...(source.replaces ? { replaces: source.replaces } : {}),
  };
}
