// The detour: when parts do not reach a store elsewhere, a small test tells why, and they go through the server until the
// direct way works again (docs/decisions/006-relay.md).
import { Failure, type Clock, type Relay, type Transport } from "./contract.js";
import { asFailure } from "./persist.js";

/** Parts in a row that must miss the store before it is tested. */
const MISSES = 3;
/** Milliseconds without success after which a store that was reached before is tested. */
const SILENCE = 60_000;
/** Tests in a row that find nothing wrong while no part gets through: then the test is not believed. */
const BELIEVED = 3;
/** Milliseconds until the direct way is tested again: doubled each time it does not last. */
const LOOK_FIRST = 5 * 60_000;
const LOOK_LAST = 60 * 60_000;

export class Detour {
  #relay: Relay | undefined;
  #missed = 0;
  #reachedAt: number | undefined;
  #fine = 0;
  #testing: Promise<void> | undefined;
  #pause = LOOK_FIRST;
  #lookAt = 0;

  constructor(
    private readonly transport: Transport,
    private readonly clock: Clock,
    private readonly onChange: () => void,
  ) {}

  /** Why parts go through the server; undefined while they go directly. */
  get relay(): Relay | undefined {
    return this.#relay;
  }

  /** A part got to the store. */
  reached(): void {
    this.#reachedAt = this.clock.now();
    this.#missed = this.#fine = 0;
    this.#pause = LOOK_FIRST;
  }

  /** A part did not get to the store, or was answered by something else; resolves when it is decided what that means. */
  async missed(caseId: string): Promise<void> {
    if (this.#relay) return;
    this.#missed++;
    const silent = this.#reachedAt === undefined || this.clock.now() - this.#reachedAt >= SILENCE;
    if (this.#missed >= MISSES && silent) await this.test(caseId);
  }

  /** Tests the store now, one test at a time. */
  async test(caseId: string): Promise<void> {
    if (this.#relay) return;
    this.#testing ??= this.#test(caseId).finally(() => (this.#testing = undefined));
    await this.#testing;
  }

  /** To be called now and then: after a while of detour the direct way is tested. */
  async look(): Promise<void> {
    if (!this.#relay || this.clock.now() < this.#lookAt) return;
    this.#later();
    const found = await diagnose(this.transport).catch(() => this.#relay);
    if (found) return;
    this.#relay = undefined;
    this.#missed = this.#fine = 0;
    this.#reachedAt = undefined;
    this.onChange();
  }

  async #test(caseId: string): Promise<void> {
    let found: Relay | undefined;
    try {
      found = await diagnose(this.transport);
    } catch {
      return; // our own server cannot be reached either: that is the line's fault
    }
    this.#missed = 0;
    if (!found && ++this.#fine < BELIEVED) return;
    this.#relay = found ?? { code: "STORE-UNREACHABLE", detail: "the test gets through, parts do not" };
    this.#later();
    this.onChange();
    await this.transport.storeReport({ ...this.#relay, case: caseId }).catch(() => {}); // for administrators; not needed here
  }

  #later(): void {
    this.#lookAt = this.clock.now() + this.#pause;
    this.#pause = Math.min(LOOK_LAST, this.#pause * 2);
  }
}

/**
 * Tells what keeps the browser from the store; undefined when nothing does or the store is at the page's own address.
 * Throws Failure when the server cannot be asked. The codes are explained in docs/operate.md.
 */
export async function diagnose(transport: Transport): Promise<Relay | undefined> {
  const test = await transport.storeTest();
  if (test.same_origin) return undefined;
  try {
    const { status, storeCode } = await transport.probe(test.request);
    if (storeCode === undefined && status >= 500) throw new Failure(status); // in trouble itself, which passes
    if (storeCode === undefined)
      return { code: "STORE-INTERCEPTED", detail: `status ${status}, not the store's answer` };
    if (storeCode === "NoSuchUpload") return undefined;
    return { code: "STORE-REFUSED", detail: `${status} ${storeCode}` };
  } catch (error) {
    if (asFailure(error).reason !== "network") throw error;
  }
  if (await transport.reaches(test.endpoint)) return { code: "STORE-CORS", detail: "it answers, but not to this page" };
  return { code: "STORE-UNREACHABLE", detail: "nothing answers" };
}

/** Whether a failed part tells that the store was not reached: no answer, or one that is not a store's. */
export function missedStore(failure: Failure): boolean {
  if (failure.reason === "network" || failure.reason === "stalled") return true;
  return failure.reason === "answer" && failure.status < 500 && failure.storeCode === undefined;
}
