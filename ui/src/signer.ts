// Signatures just in time: parts of one file whose checksums are ready in the same moment, or while the request before is
// under way, are signed by one request; and one that grew old while it waited for its turn is made anew.
import { Failure, type Clock, type SignedRequest, type Transport } from "./contract.js";

/** A signed request and the moment until which it may be begun, in milliseconds of the clock. */
export interface Signature {
  request: SignedRequest;
  freshUntil: number;
}

interface Waiting {
  number: number;
  crc: string;
  resolve(signature: Signature): void;
  reject(error: unknown): void;
}

/** Milliseconds to gather parts for one request. */
const GATHER = 5;
/** Milliseconds of a signature's life that are left unused, at most; of a short life a fifth. */
const MARGIN = 10_000;

export class Signer {
  #waiting = new Map<string, Waiting[]>();
  #asking = new Set<string>(); // files of which a request is under way or about to be

  constructor(
    private readonly transport: Transport,
    private readonly clock: Clock,
  ) {}

  sign(file: string, number: number, crc: string): Promise<Signature> {
    return new Promise((resolve, reject) => {
      const waiting = this.#waiting.get(file);
      if (waiting) {
        waiting.push({ number, crc, resolve, reject });
        return;
      }
      this.#waiting.set(file, [{ number, crc, resolve, reject }]);
      if (!this.#asking.has(file)) void this.#ask(file);
    });
  }

  /** The signature itself while it is fresh, else a new one. */
  async renewed(signature: Signature, file: string, crc: string): Promise<Signature> {
    if (this.clock.now() < signature.freshUntil) return signature;
    return await this.sign(file, signature.request.part, crc);
  }

  /** One request of a file at a time: they would only wait for each other. */
  async #ask(file: string): Promise<void> {
    this.#asking.add(file);
    while (this.#waiting.has(file)) {
      await this.clock.sleep(GATHER);
      await this.#flush(file);
    }
    this.#asking.delete(file);
  }

  async #flush(file: string): Promise<void> {
    const batch = this.#waiting.get(file) ?? [];
    this.#waiting.delete(file);
    try {
      const asked = this.clock.now();
      const specs = batch.map(({ number, crc }) => ({ number, crc64nvme: crc }));
      const requests = await this.transport.sign(file, specs);
      const byPart = new Map(requests.map((request) => [request.part, request]));
      for (const { number, resolve, reject } of batch) {
        const request = byPart.get(number);
        if (!request) reject(new Failure(502));
        else resolve({ request, freshUntil: asked + request.freshFor - Math.min(MARGIN, request.freshFor / 5) });
      }
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}
