// Sending: keeps the window full. A job is a part of a large file or a batch of small ones; it is read, signed and sent,
// and what fails waits for its next attempt without keeping others waiting.
import { Failure, type BatchAnswer, type Checksum, type Clock, type OnProgress, type Transport } from "./contract.js";
import { batchBytes, joins, Pace, shares } from "./batch.js";
import type { Connection } from "./connections.js";
import { Fair, type Job } from "./fair.js";
import { Hearing } from "./heard.js";
import { asFailure, mayHelp, ofTheLine, type Persistence } from "./persist.js";
import { missedStore, type Detour } from "./relay.js";
import { Signer } from "./signer.js";
import type { Span, Upload } from "./upload.js";
import { backoff } from "./wait.js";
import { Climb, Slots, type Lane, type Lanes } from "./window.js";

/** Jobs read and signed ahead of the line, so that it never waits for them. */
const AHEAD = 2;
/** Bytes per second of one transfer from which its turn ends with its last byte. On a slower line that byte is still in the computer's buffers. */
const SWIFT = 4 << 20;
/** Milliseconds to gather what is planned one after the other. */
const GATHER = 5;
/** Times that bytes spoilt on the way are sent again, and that a refused signature is made anew. */
const SPOILT_AT_MOST = 2;
const REFUSED_AT_MOST = 3;

export interface SenderOptions {
  transport: Transport;
  checksum: Checksum;
  clock: Clock;
  persistence: Persistence;
  detour: Detour;
  first: number; // transfers in flight at the beginning
  most: number;
  lanes: Lanes;
  connection?: Connection | undefined; // to the page's host, of those that all tabs share
  origin: string; // of the page
  batchBytes?: number | undefined;
  onWhole: (upload: Upload) => void; // every part of it is sent
  onFailed: (upload: Upload, failure: Failure) => void;
  onEnded: (upload: Upload, failure: Failure) => void; // the upload is no longer there to be sent to
  onChange: () => void;
}

export class Sender {
  readonly slots: Slots;
  readonly #climb: Climb;
  readonly #fair = new Fair();
  readonly #signer: Signer;
  readonly #pace: Pace;
  readonly #hearing: Hearing;
  #jobs: Lanes = { page: 0, store: 0 };
  #elsewhere = false; // the store has an address of its own
  #batches = true; // the server takes them
  #waking = false;
  #answering = false; // a part is on its way whose turn is over, and whose answer is not there yet

  constructor(private readonly o: SenderOptions) {
    this.#climb = new Climb(o.first, o.most);
    this.#signer = new Signer(o.transport, o.clock);
    this.#pace = new Pace(o.batchBytes, o.batchBytes);
    this.#hearing = new Hearing(o.transport, o.persistence, o.onWhole);
    this.slots = new Slots(
      () => this.#climb.limit,
      o.lanes,
      (count) => this.#climb.flying(count, o.clock.now()),
    );
  }

  /** Transfers that may be in flight at present. */
  get limit(): number {
    return this.#climb.limit;
  }

  /** Takes an upload that has something to be sent. What is offered in the same moment is chosen from together. */
  offer(upload: Upload): void {
    if (upload.wanted && upload.hasPart) this.#fair.add(upload);
    this.#pumpIn(GATHER);
  }

  pump(): void {
    const { gate, calm } = this.o.persistence;
    if (gate !== "open") return;
    if (calm > 0) return this.#pumpIn(calm); // the line is down
    const may = (lane: Lane) =>
      this.#jobs.page + this.#jobs.store < this.limit + AHEAD &&
      this.#jobs[lane] < Math.min(this.limit, this.o.lanes[lane]) + AHEAD;
    const laneOf = (): Lane => (this.#elsewhere && !this.o.detour.relay ? "store" : "page");
    const transfers = Math.min(this.limit, this.o.lanes.page);
    for (;;) {
      const target = batchBytes(this.#fair.smallBytes, transfers, this.#pace.bytes);
      const job = this.#fair.next(
        laneOf,
        may,
        (file, batch, bytes) => this.#batches && joins(file, batch, bytes, target),
      );
      if (!job) return;
      this.#jobs[job.lane]++;
      void this.#do(job).finally(() => {
        this.#jobs[job.lane]--;
        this.pump();
        this.o.onChange();
      });
    }
  }

  #pumpIn(ms: number): void {
    if (this.#waking) return;
    this.#waking = true;
    void this.o.clock.sleep(ms).then(() => {
      this.#waking = false;
      this.pump();
    });
  }

  async #do(job: Job): Promise<void> {
    const uploads = job.batch ?? [job.upload];
    for (const upload of uploads)
      if (upload.state === "queued" || upload.state === "checking") upload.state = "sending";
    if (!job.batch) return await this.#part(job.upload, job.span);
    const batch = await this.#unarrived(job.batch);
    if (batch.length === 1) await this.#small(batch[0]!);
    else if (batch.length > 1) await this.#batch(batch);
  }

  /** Those of a job's small files that are to be sent: of some, whose answers were not heard, the server may tell that they are there. */
  async #unarrived(batch: Upload[]): Promise<Upload[]> {
    const unheard = batch.filter((upload) => upload.unheard.length > 0);
    if (unheard.length === 0) return batch;
    const signals = new Map(batch.map((upload) => [upload, upload.signal]));
    try {
      await this.#hearing.files(unheard);
    } catch (error) {
      const failure = asFailure(error);
      await Promise.all(batch.map((upload) => this.#missed(upload, 1, failure, signals.get(upload)!)));
      return [];
    }
    return batch.filter((upload) => !signals.get(upload)!.aborted && upload.taken(1));
  }

  async #part(upload: Upload, span: Span): Promise<void> {
    const { signal } = upload;
    try {
      if (upload.unheard.includes(span.number)) await this.#hearing.parts(upload);
      if (signal.aborted || !upload.taken(span.number)) return; // the store holds it
      const blob = upload.source.slice(span.start, span.end);
      const crc = await this.#read(upload, span.number, blob);
      if (signal.aborted) return;
      if (this.o.detour.relay) {
        await this.#inTurn("page", blob.size, signal, this.#tell(upload, span), (onProgress, broken) => {
          upload.flying(span.number, 0);
          return this.o.transport.relayPart(upload.id, span.number, blob, crc, onProgress, broken);
        });
      } else await this.#direct(upload, span, blob, crc);
      this.#landed(upload, span.number, crc, signal);
    } catch (error) {
      await this.#missed(upload, span.number, asFailure(error), signal);
    }
  }

  async #direct(upload: Upload, span: Span, blob: Blob, crc: string): Promise<void> {
    const { signal } = upload;
    const signature = await this.#signer.sign(upload.id, span.number, crc);
    const elsewhere = this.o.origin !== "" && new URL(signature.request.url).origin !== this.o.origin;
    this.#elsewhere = elsewhere;
    try {
      await this.#inTurn(
        elsewhere ? "store" : "page",
        blob.size,
        signal,
        this.#tell(upload, span),
        async (onProgress, broken) => {
          const { request } = await this.#signer.renewed(signature, upload.id, crc);
          upload.flying(span.number, 0);
          await this.o.transport.putPart(request, blob, onProgress, broken);
        },
        SWIFT,
      );
      if (elsewhere) this.o.detour.reached();
    } catch (error) {
      const failure = asFailure(error);
      const open = this.o.persistence.gate === "open" && !signal.aborted;
      if (elsewhere && open && !failure.problem && missedStore(failure)) void this.o.detour.missed(upload.caseId);
      throw failure;
    }
  }

  async #small(upload: Upload): Promise<void> {
    const { signal } = upload;
    const span = upload.span(1);
    try {
      const blob = upload.source.slice(span.start, span.end);
      const crc = await this.#read(upload, 1, blob);
      await this.#inTurn("page", blob.size, signal, this.#tell(upload, span), (onProgress, broken) =>
        this.o.transport.putSmall(upload.id, blob, crc, onProgress, broken),
      );
      this.#landed(upload, 1, crc, signal);
    } catch (error) {
      await this.#missed(upload, 1, asFailure(error), signal);
    }
  }

  async #batch(batch: Upload[]): Promise<void> {
    const signals = new Map(batch.map((upload) => [upload, upload.signal]));
    const read = await Promise.all(
      batch.map(async (upload) => {
        try {
          const body = upload.source.slice(0, upload.source.size);
          return { upload, body, crc: await this.#read(upload, 1, body) };
        } catch (error) {
          await this.#missed(upload, 1, asFailure(error), signals.get(upload)!);
          return undefined;
        }
      }),
    );
    const files = read.filter((file) => file !== undefined && !signals.get(file.upload)!.aborted) as NonNullable<
      (typeof read)[number]
    >[];
    if (files.length === 0) return;
    const sizes = files.map(({ body }) => body.size);
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    const onProgress = (sent: number) => {
      shares(sizes, sent).forEach((share, i) => {
        const { upload } = files[i]!;
        if (!signals.get(upload)!.aborted) this.#moved(upload.flying(1, share));
      });
      this.o.onChange();
    };
    const stop = new AbortController(); // when nobody waits for any of them
    const watch = () => files.every(({ upload }) => signals.get(upload)!.aborted) && stop.abort();
    for (const { upload } of files) signals.get(upload)!.addEventListener("abort", watch);
    let answers: BatchAnswer[] = [];
    let failure = new Failure(503); // of a file that was not looked at
    try {
      answers = await this.#inTurn("page", bytes, stop.signal, onProgress, async (told, broken) => {
        const began = this.o.clock.now();
        const answers = await this.o.transport.putBatch(
          files[0]!.upload.caseId,
          files.map(({ upload, crc, body }) => ({ id: upload.id, crc, body })),
          told,
          broken,
        );
        this.#pace.took(bytes, this.o.clock.now() - began);
        return answers;
      });
    } catch (error) {
      this.#pace.failed();
      failure = this.#ofBatch(asFailure(error));
    }
    const byFile = new Map(answers.map((answer) => [answer.id, answer]));
    for (const { upload, crc } of files) {
      const answer = byFile.get(upload.id);
      const signal = signals.get(upload)!;
      if (answer?.file) this.#landed(upload, 1, crc, signal);
      else if (answer?.error)
        await this.#missed(upload, 1, new Failure(answer.error.status, { problem: answer.error }), signal);
      else await this.#missed(upload, 1, failure, signal);
    }
  }

  /** What the refusal of a whole batch means for each of its files: that it is to be sent with fewer, or alone. */
  #ofBatch(failure: Failure): Failure {
    if ([404, 405, 501].includes(failure.status) && failure.problem?.kind !== "not_found") this.#batches = false;
    const own = [400, 405, 413, 501].includes(failure.status) || !this.#batches;
    return own ? new Failure(503) : failure;
  }

  /** The checksum of a part. A file that reads otherwise than before has changed. */
  async #read(upload: Upload, number: number, blob: Blob): Promise<string> {
    const trial = upload.trial(number);
    if (trial.crc !== "") return trial.crc;
    if (!upload.direct && trial.attempts === 0 && upload.crc !== "") return (trial.crc = trial.last = upload.crc);
    trial.crc = (await this.#readEarly(upload, number)) ?? (await this.o.checksum(blob));
    if (trial.last !== "" && trial.last !== trial.crc) throw new Failure(0, { reason: "changed" });
    return (trial.last = trial.crc);
  }

  /** What was read of the part before it was planned. A part that did not get through is read anew. */
  async #readEarly(upload: Upload, number: number): Promise<string | undefined> {
    const { early, source } = upload;
    if (upload.trial(number).last !== "" || early?.source !== source) return undefined;
    return await early.of(upload.span(number))?.catch(() => undefined);
  }

  #tell(upload: Upload, span: Span): OnProgress {
    return (sent) => {
      this.#moved(upload.flying(span.number, Math.min(sent, span.end - span.start)));
      this.o.onChange();
    };
  }

  #moved(bytes: number): void {
    if (!this.#climb.moved(bytes, this.o.clock.now())) return;
    this.slots.next();
    this.pump();
  }

  /**
   * Sends when it is its turn. The turn of what goes faster than `swift` bytes per second ends with its last byte, so that the
   * line is not idle until the answer comes; of one at a time (docs/decisions/096). Its connection it keeps until then.
   */
  async #inTurn<T>(
    lane: Lane,
    bytes: number,
    signal: AbortSignal,
    onProgress: OnProgress,
    send: (onProgress: OnProgress, signal: AbortSignal) => Promise<T>,
    swift = Infinity,
  ): Promise<T> {
    await this.o.persistence.open(signal);
    await this.slots.take(lane, signal);
    let hangUp: (() => void) | undefined;
    let turn = true;
    let answering = false;
    const end = () => {
      if (!turn) return;
      turn = false;
      this.slots.give(lane);
    };
    try {
      if (lane === "page") hangUp = await this.o.connection?.(signal);
      const began = this.o.clock.now();
      const told: OnProgress = (sent) => {
        onProgress(sent);
        if (sent < bytes || this.#answering || (bytes * 1000) / swift < this.o.clock.now() - began) return;
        this.#answering = answering = true;
        end();
      };
      return await this.o.persistence.watched(bytes, signal, told, send);
    } finally {
      if (answering) this.#answering = false;
      hangUp?.();
      end();
    }
  }

  #landed(upload: Upload, number: number, crc: string, signal: AbortSignal): void {
    if (!upload.live || (upload.direct && (signal.aborted || !upload.taken(number)))) return; // sent again, or not wanted
    this.o.persistence.succeeded();
    upload.since = this.o.persistence.tried();
    upload.landed(number, crc);
    if (upload.whole) this.o.onWhole(upload);
  }

  /** Decides what becomes of a part that did not get through. */
  async #missed(upload: Upload, number: number, failure: Failure, signal: AbortSignal): Promise<void> {
    if (signal.aborted || !upload.wanted) return; // it was released when it was stopped
    if (upload.direct && !upload.taken(number)) return; // an earlier attempt got there, as the store says
    upload.missed(number, unanswered(failure) && upload.left(number) > 0);
    const { persistence, clock } = this.o;
    const trial = upload.trial(number);
    if (failure.status !== 403) trial.crc = ""; // the file may have changed: it is read again
    persistence.failed(failure);
    if (ofTheLine(failure)) this.#climb.broke(clock.now());
    const store = upload.direct && !failure.problem;
    let pause: number | undefined;
    if (persistence.gate !== "open" && (failure.status === 401 || ofTheLine(failure))) pause = 0;
    else if (mayHelp(failure) && !persistence.hopeless(upload.since)) {
      pause = failure.retryAfter ?? backoff(++trial.attempts, clock.random());
    } else if (failure.status === 400 && ++trial.spoilt <= SPOILT_AT_MOST) pause = 0;
    else if (failure.status === 403 && store) {
      if (++trial.refused <= REFUSED_AT_MOST)
        pause = trial.refused === 1 ? 0 : backoff(trial.refused - 1, clock.random());
      else if (this.#elsewhere) {
        await this.o.detour.test(upload.caseId);
        if (this.o.detour.relay) pause = 0;
      }
    }
    if (signal.aborted) return;
    if (pause === undefined) {
      const ended = upload.direct && [404, 409].includes(failure.status);
      (ended ? this.o.onEnded : this.o.onFailed)(upload, failure);
      return;
    }
    const again = () => {
      if (signal.aborted) return;
      upload.releasePart(number);
      this.offer(upload);
    };
    if (pause === 0) again();
    else void clock.sleep(pause, signal).then(again);
  }
}

/** Whether a request may have done its work all the same: nobody said that it failed, or somebody in between did. */
function unanswered({ reason, status }: Failure): boolean {
  return reason === "network" || reason === "stalled" || status === 502 || status === 504;
}
