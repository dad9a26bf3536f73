// Who is signed in. A session may end while files are sent: the person signs in again, in this browser's other tab, as
// the same or as a colleague; what is on its way then goes on. Another organization's session must not touch it.

/** Tells the browser's other tabs whose session this page was loaded in. */
export interface News {
  organization: string; // id
}

const CHANNEL = "caseload-session";

export type Session =
  | { is: "own" }
  | { is: "other"; organization: string } // its name
  | { is: "none" }
  | { is: "unknown" }; // the server could not be asked

/** Asks the server whose session this is now. own: the id of the organization the page was loaded for. */
export async function askSession(own: string): Promise<Session> {
  try {
    const answer = await fetch("/api/v1/me", { credentials: "same-origin" });
    if (answer.status === 401) return { is: "none" };
    if (!answer.ok) return { is: "unknown" };
    const { organization } = (await answer.json()) as { organization: { id: string; name: string } };
    return organization.id === own ? { is: "own" } : { is: "other", organization: organization.name };
  } catch {
    return { is: "unknown" };
  }
}

/** Tells this page's session to the other tabs, and calls back when one of them tells of its own. Returns what stops it. */
export function shareSession(organization: string, heard: (news: News) => void): () => void {
  if (!("BroadcastChannel" in globalThis)) return () => {};
  const channel = new BroadcastChannel(CHANNEL);
  channel.onmessage = (event: MessageEvent<News>) => heard(event.data);
  channel.postMessage({ organization } satisfies News);
  return () => channel.close();
}
