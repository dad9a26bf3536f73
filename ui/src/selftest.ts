// What a browser finds out about the deployment that the server cannot: whether this page is a safe place for checksums and
// keys, whether the clocks agree, and whether the store is reached from here (relay.ts).
import type { Relay, Transport } from "./contract.js";
import { diagnose } from "./relay.js";

/** One line of the self-test. name and outcome together are a key of the words; detail fills {detail}. */
export interface Seen {
  name: "safe" | "clock" | "store";
  level: "fine" | "warning" | "failure";
  outcome: string;
  detail: string;
}

/** Milliseconds between this computer's clock and the server's that are worth a word: links live by the server's clock. */
const SKEW = 60_000;

/** What the test looks at, besides the transport. */
export interface Place {
  /** isSecureContext: https, or this very computer. */
  secure: boolean;
  /** The Date of an answer of our server, or "". */
  serverDate(): Promise<string>;
  /** Milliseconds since 1970. */
  now(): number;
}

/** Tries everything, a line each, in order. It does not throw: what cannot be tried is a line too. */
export async function selfTest(transport: Transport, place: Place, seen: (line: Seen) => void): Promise<void> {
  seen({ name: "safe", detail: "", ...(place.secure ? good : { level: "warning", outcome: "not" }) });
  seen(await clock(place));
  seen(await store(transport));
}

const good = { level: "fine", outcome: "good" } as const;

async function clock(place: Place): Promise<Seen> {
  const began = place.now();
  const date = Date.parse(await place.serverDate().catch(() => ""));
  if (Number.isNaN(date)) return { name: "clock", level: "warning", outcome: "unknown", detail: "" };
  const off = date + 500 - (began + place.now()) / 2; // Date has whole seconds
  if (Math.abs(off) < SKEW) return { name: "clock", detail: "", ...good };
  return { name: "clock", level: "warning", outcome: "off", detail: `${Math.round(Math.abs(off) / 60_000)}` };
}

async function store(transport: Transport): Promise<Seen> {
  let found: Relay | undefined;
  try {
    if ((await transport.storeTest()).same_origin) return { name: "store", level: "fine", outcome: "same", detail: "" };
    found = await diagnose(transport);
  } catch {
    return { name: "store", level: "warning", outcome: "untried", detail: "" };
  }
  if (!found) return { name: "store", detail: "", ...good };
  return { name: "store", level: "failure", outcome: found.code, detail: found.detail };
}
