// An engine over the fake transport, ready for a test.
import type { EngineOptions } from "../../src/engine.js";
import { Engine } from "../../src/engine.js";
import { FakeClock, FakeTransport, Memory, Reader, type Fault, type Line } from "./fake.js";

export function start(fault: Fault = () => {}, options: Partial<EngineOptions> = {}, line?: Line) {
  const clock = new FakeClock();
  const transport = new FakeTransport(clock, fault, line);
  return { clock, transport, ...open(transport, options) };
}

/** A page of its own over the same server. */
export function open(transport: FakeTransport, options: Partial<EngineOptions> = {}) {
  let settle = () => {};
  let looked = false;
  const look = () => {
    looked = false;
    if (engine.totals.live === 0) settle();
  };
  const reader = new Reader();
  const engine: Engine = new Engine({
    transport,
    clock: transport.clock,
    checksum: reader.checksum,
    origin: "https://page.example",
    batchBytes: 400,
    onChange: () => looked || ((looked = true), setImmediate(look)),
    ...options,
  });
  const settled = () => new Promise<void>((resolve) => ((settle = resolve), engine.totals.live === 0 && resolve()));
  const states = () => engine.items.map(({ state }) => state);
  return { engine, reader, memory: new Memory(), settled, states };
}
