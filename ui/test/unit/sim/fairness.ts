// Watches what the chooser of the next bytes does in a life. Fair is: while small files and parts of large ones both could
// go, they take turns, one job each; and while several large files have parts to send, none sends three in a row.
import { Fair, type Job } from "../../../src/fair.js";
import type { Upload } from "../../../src/upload.js";

interface Past {
  known: Set<Upload>;
  small: number; // jobs in a row that left the other kind waiting
  large: number;
  file: Upload | undefined; // whose part went last while another had some
  parts: number; // of it in a row
}

/** Parts in a row that one large file may send while another waits: two when the one before it in the queue has gone. */
const PARTS = 2;

let violated: (what: string) => void = () => {};
const pasts = new WeakMap<Fair, Past>();
const { add, next } = Fair.prototype;

const pastOf = (fair: Fair): Past => {
  const past = pasts.get(fair) ?? { known: new Set(), small: 0, large: 0, file: undefined, parts: 0 };
  pasts.set(fair, past);
  return past;
};

Fair.prototype.add = function (upload) {
  pastOf(this).known.add(upload);
  add.call(this, upload);
};

Fair.prototype.next = function (laneOf, may, fits) {
  const past = pastOf(this);
  for (const upload of past.known) if (!upload.wanted || !upload.hasPart) past.known.delete(upload); // until it is added again
  const waiting = [...past.known];
  const small = may("page") && waiting.some(({ direct }) => !direct);
  const large = may(laneOf()) ? waiting.filter(({ direct }) => direct) : [];
  const job = next.call(this, laneOf, may, fits);
  if (job) look(past, job, small, large);
  return job;
};

function look(past: Past, job: Job, small: boolean, large: Upload[]): void {
  past.small = job.batch && large.length > 0 ? past.small + 1 : 0;
  past.large = !job.batch && small ? past.large + 1 : 0;
  if (past.small > 1) violated("small files went twice in a row though a part of a large one could");
  if (past.large > 1) violated("parts of large files went twice in a row though small files could");
  if (job.batch) return;
  const alone = large.length < 2;
  past.parts = alone ? 0 : past.file === job.upload ? past.parts + 1 : 1;
  past.file = alone ? undefined : job.upload;
  if (past.parts > PARTS)
    violated(`"${job.upload.source.name}" sent ${past.parts} parts in a row though another waits`);
}

/** Tells of what is unfair from now on. */
export function watchFairness(tell: (what: string) => void): void {
  violated = tell;
}
