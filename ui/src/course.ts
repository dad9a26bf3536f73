// The course of an upload from its plan to its rest: it is locked among tabs, compared with what the server holds, sent,
// completed, and where something is missing sent again.
import {
  Failure,
  stopped,
  type Checksum,
  type Locks,
  type Problem,
  type RemoteFile,
  type Transport,
} from "./contract.js";
import { asFailure, type Persistence } from "./persist.js";
import { same, whole } from "./resume.js";
import type { Sender } from "./send.js";
import type { Upload } from "./upload.js";
import { Turns } from "./wait.js";

/** Times that Complete may find parts missing. */
const RECOVERIES = 3;

export interface CourseOptions {
  transport: Transport;
  checksum: Checksum;
  locks: Locks | undefined;
  persistence: Persistence;
  sender: () => Sender;
  replan: (upload: Upload) => void;
  onChange: () => void;
}

export class Course {
  readonly #comparing = new Turns(1);

  constructor(private readonly o: CourseOptions) {}

  /** Sends what is to be sent of a planned upload, once this tab is the one to do it. */
  async begin(upload: Upload): Promise<void> {
    const { signal } = upload;
    try {
      upload.release ??= await this.#locked(upload);
      if (upload.doubted) await this.#compare(upload);
      if (signal.aborted || !upload.wanted) return;
      if (upload.whole) await this.finish(upload);
      else this.o.sender().offer(upload);
    } catch (error) {
      if (!signal.aborted) this.fail(upload, asFailure(error));
    }
  }

  async #locked(upload: Upload): Promise<() => void> {
    if (!this.o.locks || !upload.direct) return () => {}; // a small file sent by two tabs harms nothing
    const { signal } = upload;
    const release = await this.o.locks(`caseload-upload-${upload.id}`, signal, () => {
      if (!upload.wanted) return;
      upload.state = "elsewhere";
      upload.doubted = true; // by then the other tab has sent some of it, or all
      this.o.onChange();
    });
    if (!signal.aborted && upload.wanted) return release;
    release(); // also when it goes on meanwhile: whoever goes on waits for this very lock
    throw stopped();
  }

  /** Finds out what the server holds of an upload that others, or an earlier page, began. */
  async #compare(upload: Upload): Promise<void> {
    const { signal } = upload;
    upload.state = "checking";
    this.o.onChange();
    await this.#comparing.take();
    try {
      if (signal.aborted) return;
      const file = await this.o.persistence.until(() => this.o.transport.file(upload.id), signal);
      if (await this.#settled(upload, file)) return;
      if (upload.direct) {
        const held = await this.o.persistence.until(() => this.o.transport.held(upload.id), signal);
        upload.reconcile(await same(upload, held, this.o.checksum));
        upload.resumedBytes = upload.sent;
      }
      upload.doubted = false;
      upload.state = "sending";
    } finally {
      this.#comparing.give();
    }
  }

  /**
   * Whether the file has come to rest at the server; the upload then has, too. Another tab or computer may have sent a file
   * that is alike in all that tells an interrupted one: with other bytes it is not this one, which goes as a new one.
   */
  async #settled(upload: Upload, file: RemoteFile): Promise<boolean> {
    if (file.state === "planned" || file.state === "sending") return false;
    if (["stored", "reading", "ready", "rejected"].includes(file.state)) {
      const crc = upload.crc || (await whole(upload, this.o.checksum));
      if (crc === file.crc64nvme) this.rest(upload, "done");
      else this.#anew(upload, crc);
    } else this.fail(upload, new Failure(410, { problem: { status: 410, kind: "gone", detail: "error.ended" } }));
    return true;
  }

  #anew(upload: Upload, crc: string): void {
    upload.release?.();
    upload.release = undefined;
    upload.halt();
    upload.forget();
    upload.crc = crc;
    upload.state = "queued";
    this.o.replan(upload);
    this.o.onChange();
  }

  /** The store or the server says that this upload has ended: by another tab, the sweep, or a deletion. */
  async lookAfter(upload: Upload, failure: Failure): Promise<void> {
    const { signal } = upload;
    try {
      const file = await this.o.persistence.until(() => this.o.transport.file(upload.id), signal);
      if (await this.#settled(upload, file)) return;
    } catch {
      // the first failure tells more
    }
    if (!signal.aborted) this.fail(upload, failure);
  }

  /** The server looks for itself; where it misses parts, they are sent again. */
  async finish(upload: Upload): Promise<void> {
    const { signal } = upload;
    try {
      if (upload.direct) {
        upload.state = "finishing";
        this.o.onChange();
        await this.o.persistence.until(() => this.#complete(upload), signal);
      }
      if (upload.live) this.rest(upload, "done");
    } catch (error) {
      if (!signal.aborted) await this.#recover(upload, asFailure(error));
    }
  }

  /** Takes a turn: some stores copy a large file to complete it, which holds a connection long. */
  async #complete(upload: Upload): Promise<void> {
    await this.o.sender().slots.take("page", upload.signal);
    try {
      await this.o.transport.complete(upload.id, upload.crc);
    } finally {
      this.o.sender().slots.give("page");
    }
  }

  async #recover(upload: Upload, failure: Failure): Promise<void> {
    const { signal } = upload;
    if (upload.live && [400, 409].includes(failure.status) && upload.recoveries++ < RECOVERIES) {
      try {
        const file = await this.o.persistence.until(() => this.o.transport.file(upload.id), signal);
        if (await this.#settled(upload, file)) return;
        const held = await this.o.persistence.until(() => this.o.transport.held(upload.id), signal);
        upload.reconcile(upload.sentBefore(held));
        upload.state = "sending";
        if (upload.whole) await this.finish(upload);
        else this.o.sender().offer(upload);
        return;
      } catch {
        // what Complete said tells more than that the parts could not be listed
      }
    }
    if (!signal.aborted) this.fail(upload, failure);
  }

  fail(upload: Upload, failure: Failure): void {
    if (!upload.live || failure.reason === "aborted") return;
    upload.error = failure.problem ?? problemOf(failure);
    this.rest(upload, "failed");
    upload.halt(); // its other parts stop; what has arrived stays for another attempt
  }

  rest(upload: Upload, state: "done" | "received" | "failed" | "cancelled"): void {
    upload.state = state;
    upload.release?.();
    upload.release = undefined;
    this.o.onChange();
  }
}

/** A failure without the server's words; detail is a key of the catalogue. */
function problemOf(failure: Failure): Problem {
  const between = failure.status === 413; // of a proxy: our server and stores say it in their own way
  const detail = failure.reason !== "answer" ? `error.${failure.reason}` : between ? "error.proxy" : "error.server";
  return { status: failure.status, kind: failure.reason, detail };
}
