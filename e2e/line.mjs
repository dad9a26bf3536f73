// The line between the browser and the server, as a test wants it: narrow, held, cut, or with a flipped bit. It counts
// the bytes of files that pass. Nothing here waits for time: what happens, happens after so many bytes.
import { createServer, request as ask } from "node:http";

/** Bodies that pass at once: a narrow line, so that little is under way when it is held. */
const LANES = 2;

/** Starts a line that ends with the test. to(address) says where it leads. */
export async function line(t) {
  const sockets = new Set();
  const waiting = []; // requests with a body that wait for a lane
  let target, cut = false, lanes = LANES;
  const state = {
    passed: 0, // bytes of files that went through
    landed: 0, // of these: in requests that were answered with success
    lost: 0, // bytes of requests that were broken off or refused: these have to be sent again
    puts: [], // every request with a file's bytes: { path, bytes, status }
  };
  let held, heldAfter, spoil = 0, deaf = 0, before, tried;

  const server = createServer(async (incoming, outgoing) => {
    const body = incoming.method === "PUT";
    const put = { path: incoming.url, bytes: 0, status: 0 };
    if (body) {
      state.puts.push(put);
      await lane();
    }
    if (body) await before?.(incoming);
    let free = body;
    const leave = () => {
      if (free) release();
      free = false;
    };
    outgoing.on("close", () => {
      if (body && (put.status === 0 || put.status >= 300)) state.lost += put.bytes;
      leave();
    });
    if (outgoing.destroyed || incoming.destroyed) return leave();
    const [host, port] = target.split(":");
    const forward = ask({ host, port, method: incoming.method, path: incoming.url, headers: incoming.headers }, (answer) => {
      put.status = answer.statusCode;
      if (body && answer.statusCode < 300) {
        state.landed += put.bytes;
        if (heldAfter && state.landed >= heldAfter.bytes) hold();
      }
      leave();
      if (body && deaf > 0) {
        deaf--;
        answer.resume();
        return outgoing.writeHead(504).end();
      }
      outgoing.writeHead(answer.statusCode, answer.headers);
      answer.pipe(outgoing);
      answer.on("error", () => outgoing.destroy());
    });
    outgoing.on("close", () => forward.destroy());
    forward.on("error", () => outgoing.destroy());
    const closed = new Promise((go) => forward.once("close", go));
    try {
      for await (const chunk of incoming) {
        if (body) await held?.promise;
        if (outgoing.destroyed) return; // nobody waits for it any more
        if (body && spoil > 0 && chunk.length > 0) {
          spoil--;
          chunk[0] ^= 1;
        }
        if (body) {
          put.bytes += chunk.length;
          state.passed += chunk.length;
        }
        if (!forward.write(chunk)) await Promise.race([closed, new Promise((go) => forward.once("drain", go))]);
      }
      forward.end();
    } catch {
      forward.destroy(); // the browser broke it off
    }
  });

  const lane = () => (lanes > 0 ? (lanes--, undefined) : new Promise((go) => waiting.push(go)));
  const release = () => {
    const next = waiting.shift();
    if (next) next();
    else lanes++;
  };
  const hold = () => {
    held ??= deferred();
    heldAfter?.reached();
    heldAfter = undefined;
  };

  server.on("connection", (socket) => {
    if (cut) {
      tried?.();
      return socket.destroy();
    }
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket)).on("error", () => {});
  });
  server.keepAliveTimeout = 60_000;
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });

  return Object.assign(state, {
    origin: `http://127.0.0.1:${server.address().port}`,
    to: (address) => (target = address),
    /** Lets so many more bytes of files arrive, then lets none pass; resolves when it has come to that. */
    holdAfter: (bytes) => new Promise((reached) => (heldAfter = { bytes: state.landed + bytes, reached })),
    release: () => {
      held?.resolve();
      held = undefined;
    },
    /** Breaks every connection off and lets none be made. */
    cut: () => {
      cut = true;
      for (const socket of sockets) socket.destroy();
    },
    mend: () => (cut = false),
    /** Resolves when the browser has run into the cut once more. */
    noticed: () => new Promise((go) => (tried = go)),
    /** Flips a bit in each of the next n requests with a file's bytes. */
    spoil: (n) => (spoil = n),
    /** Gives a 504 in place of the answers to the next n requests with a file's bytes, as a proxy does that gave up waiting. */
    deafen: (n) => (deaf = n),
    /** Does something before each request with a file's bytes is passed on. */
    before: (what) => (before = what),
  });
}

function deferred() {
  let resolve;
  const promise = new Promise((r) => (resolve = r));
  return { promise, resolve };
}
