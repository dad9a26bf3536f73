// Signatures just in time: parts of one file whose checksums are ready in the same moment are signed by one request.
import { Failure, type Clock, type SignedRequest, type Transport } from "./contract.js";

interface Waiting {
  number: number;
  crc: string;
  resolve(request: SignedRequest): void;
  reject(error: unknown): void;
}

/** Milliseconds to gather parts for one request. */
const GATHER = 5;

export class Signer {
  #waiting = new Map<string, Waiting[]>();

  constructor(
    private readonly transport: Transport,
    private readonly clock: Clock,
  ) {}

  sign(file: string, number: number, crc: string): Promise<SignedRequest> {
    return new Promise((resolve, reject) => {
      const waiting = this.#waiting.get(file);
      if (waiting) {
        waiting.push({ number, crc, resolve, reject });
        return;
      }
      this.#waiting.set(file, [{ number, crc, resolve, reject }]);
      void this.clock.sleep(GATHER).then(() => this.#flush(file));
    });
  }

  async #flush(file: string): Promise<void> {
    const batch = this.#waiting.get(file) ?? [];
    this.#waiting.delete(file);
    try {
      const requests = await this.transport.sign(
        file,
        batch.map(({ number, crc }) => ({ number, crc64nvme: crc })),
      );
      const byPart = new Map(requests.map((request) => [request.part, request]));
      for (const { number, resolve, reject } of batch) {
        const request = byPart.get(number);
        if (request) resolve(request);
        else reject(new Failure(502));
      }
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}
