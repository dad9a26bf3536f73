// Fairness: which bytes go next. Small files and large ones take turns; among the large the one added first and, of the
// others, the one with the least left; among the small one drop after the other. So a photo passes a scan, and the scan gets on.
import { BATCH_FILES } from "./batch.js";
import type { Lane } from "./window.js";
import type { Group, Span, Upload } from "./upload.js";

/** What one transfer carries: a part, or small files whole. */
export type Job = { lane: Lane; upload: Upload; span: Span; batch?: undefined } | { lane: "page"; batch: Upload[] };

export class Fair {
  #large: Upload[] = [];
  #small = new Map<Group, Upload[]>(); // the group whose turn is next stands first
  #smallBytes = 0;
  #known = new Set<Upload>();
  #smallLast = false;
  #leastLast = false;

  /** Puts an upload in, unless it is. */
  add(upload: Upload): void {
    if (this.#known.has(upload)) return;
    this.#known.add(upload);
    if (upload.direct) this.#large.push(upload);
    else {
      const files = this.#small.get(upload.group);
      if (files) files.push(upload);
      else this.#small.set(upload.group, [upload]);
      this.#smallBytes += upload.source.size;
    }
  }

  /** Bytes of small files that wait. */
  get smallBytes(): number {
    return this.#smallBytes;
  }

  /**
   * The next job, or undefined. laneOf tells the lane of large files; may whether a lane takes another job; fits whether
   * a small file goes into the batch that was begun with others of so many bytes in all.
   */
  next(
    laneOf: () => Lane,
    may: (lane: Lane) => boolean,
    fits: (file: Upload, batch: Upload[], bytes: number) => boolean,
  ): Job | undefined {
    const large = () => (may(laneOf()) ? this.#nextPart(laneOf()) : undefined);
    const small = () => (may("page") ? this.#nextBatch(fits) : undefined);
    const job = this.#smallLast ? (large() ?? small()) : (small() ?? large());
    if (job) this.#smallLast = job.batch !== undefined;
    return job;
  }

  #nextPart(lane: Lane): Job | undefined {
    const through = this.#large.filter((upload) => !upload.wanted || !upload.hasPart);
    for (const upload of through) this.#known.delete(upload);
    if (through.length > 0) this.#large = this.#large.filter((upload) => this.#known.has(upload));
    const [first, ...others] = this.#large;
    this.#leastLast = !this.#leastLast && others.length > 0;
    const upload = this.#leastLast ? others.reduce((a, b) => (b.rest < a.rest ? b : a)) : first;
    const span = upload?.takePart();
    return upload && span ? { lane, upload, span } : undefined;
  }

  #nextBatch(fits: (file: Upload, batch: Upload[], bytes: number) => boolean): Job | undefined {
    for (const [group, files] of this.#small) {
      const batch: Upload[] = [];
      let bytes = 0;
      let taken = 0;
      for (const upload of files) {
        if (upload.wanted && upload.hasPart) {
          if (batch.length > 0 && (batch.length >= BATCH_FILES || !fits(upload, batch, bytes))) break;
          batch.push(upload);
          bytes += upload.source.size;
        }
        taken++;
        this.#known.delete(upload);
        this.#smallBytes -= upload.source.size;
      }
      files.splice(0, taken);
      this.#small.delete(group);
      if (files.length > 0) this.#small.set(group, files); // behind the others
      if (batch.length === 0) continue;
      for (const upload of batch) upload.takePart();
      return { lane: "page", batch };
    }
    return undefined;
  }
}
