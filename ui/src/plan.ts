// Planning: what is to be sent, in requests of many files. Each file's first bytes are read before, so that the server
// knows it again; of files that the case may have already, all bytes are.
import {
  Failure,
  type Checksum,
  type FileSpec,
  type Planned,
  type ReceivedFile,
  type RemoteFile,
  type Source,
  type Transport,
} from "./contract.js";
import { Early, EARLY_FROM } from "./early.js";
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
  given: () => Promise<void>; // resolves when the server knows of all that was given up
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
  #received = new Map<string, Map<number, Promise<Set<string>>>>(); // case → size → checksums, as far as asked

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

  /** Tells of files that are about to be added: what is asked about the first of them is asked at once. */
  expect(caseId: string, sources: readonly Source[]): void {
    void this.#match(caseId, sources.slice(0, FIRST));
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
    const unknown = chunk.uploads.filter(({ crc }) => crc === "").map(({ source }) => source);
    const asked = this.#match(chunk.group.caseId, unknown);
    const [first] = chunk.uploads;
    await Promise.all(
      chunk.uploads.map(async (upload) => {
        await this.#fingerprint(upload);
        if (upload === first) this.#readOn(upload);
      }),
    );
    const received = await asked;
    const alike = chunk.uploads.filter(
      (u) => u.wanted && u.crc === "" && !u.source.again && received.get(u.source.size)?.size,
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

  /** Reads on in a large file that will be sent first, while it is planned. */
  #readOn(upload: Upload): void {
    const { source, fingerprint: crc } = upload;
    if (source.size < EARLY_FROM || crc === "" || upload.crc !== "" || upload.early?.source === source) return;
    upload.early = new Early(source, { size: FINGERPRINT, crc }, this.o.checksum, () => upload.wanted);
  }

  /**
   * The checksums of the received files that have the size of one of these; what is not known is asked. Without an answer
   * nothing is compared.
   */
  async #match(caseId: string, sources: readonly Source[]): Promise<Map<number, Set<string>>> {
    const known = this.#received.get(caseId) ?? new Map<number, Promise<Set<string>>>();
    this.#received.set(caseId, known);
    const large = sources.filter(({ size, again }) => size > FINGERPRINT && !again);
    const sizes = [...new Set(large.map(({ size }) => size))];
    const fresh = sizes.filter((size) => !known.has(size));
    if (fresh.length > 0) {
      const question = () => this.o.transport.match(caseId, fresh);
      const found = this.o.persistence.until(question, never).catch((): ReceivedFile[] => []);
      const of = (files: ReceivedFile[], size: number) =>
        new Set(files.filter((file) => file.size === size).map(({ crc64nvme }) => crc64nvme));
      for (const size of fresh)
        known.set(
          size,
          found.then((files) => of(files, size)),
        );
    }
    const sets = await Promise.all(sizes.map((size) => known.get(size)!));
    return new Map(sizes.map((size, i) => [size, sets[i]!]));
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
      await this.o.given();
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
