// What was sent and never answered: a line that breaks, a pause or a stall may come after the last byte has arrived. The
// server is asked before such parts and small files are sent again (docs/decisions/093-parts-nobody-heard-of.md).
import { type Transport } from "./contract.js";
import { asFailure, ofTheLine, type Persistence } from "./persist.js";
import type { Upload } from "./upload.js";

/** Questions in a row that may remain without an answer before bytes are sent without one. */
const VAIN_AT_MOST = 3;

export class Hearing {
  #asking = new WeakMap<AbortSignal, Promise<void>>(); // of uploads: which parts the store holds

  constructor(
    private readonly transport: Transport,
    private readonly persistence: Persistence,
    private readonly onWhole: (upload: Upload) => void,
  ) {}

  /**
   * Asks, once for all of an upload's parts whose answers were not heard, which of them the store holds. Throws Failure
   * when the question is to be put once more.
   */
  parts(upload: Upload): Promise<void> {
    const { signal } = upload;
    const asking = this.#asking.get(signal) ?? this.#parts(upload).finally(() => this.#asking.delete(signal));
    this.#asking.set(signal, asking);
    return asking;
  }

  async #parts(upload: Upload): Promise<void> {
    const { signal, unheard } = upload;
    const held = await this.#answer([upload], () => this.transport.held(upload.id));
    if (!held || signal.aborted) return;
    upload.heard(unheard, held);
    this.#gotOn(upload);
  }

  /** The same for small files of one case, in one question: those that the case has received have arrived. */
  async files(uploads: Upload[]): Promise<void> {
    const asked = uploads.map((upload) => ({ upload, signal: upload.signal }));
    const sizes = [...new Set(uploads.map(({ source }) => source.size))];
    const ids = uploads.map(({ id }) => id);
    const received = await this.#answer(uploads, () => this.transport.match(uploads[0]!.caseId, sizes, ids));
    if (!received) return;
    const found = new Map(received.map((file) => [file.id, file]));
    for (const { upload, signal } of asked) {
      if (signal.aborted || !upload.live) continue;
      const file = found.get(upload.id);
      upload.heard([1], file ? [{ number: 1, size: file.size, crc64nvme: file.crc64nvme }] : []);
      this.#gotOn(upload);
    }
  }

  #gotOn(upload: Upload): void {
    upload.since = this.persistence.tried();
    if (upload.whole) this.onWhole(upload);
  }

  /** Undefined when there will be no answer: what it was about is sent, and the store may have it twice. */
  async #answer<T>(uploads: Upload[], question: () => Promise<T>): Promise<T | undefined> {
    try {
      const answer = await question();
      this.persistence.succeeded();
      return answer;
    } catch (error) {
      const failure = asFailure(error);
      const vain = Math.max(...uploads.map((upload) => upload.vain + 1));
      const again = failure.status === 401 || (ofTheLine(failure) && vain < VAIN_AT_MOST);
      for (const upload of uploads) upload.vain = !again ? 0 : failure.status === 401 ? upload.vain : vain;
      if (again) throw failure;
      return undefined;
    }
  }
}
