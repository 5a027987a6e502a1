// The engine's side: a connection to its API that streams events, and what its failures mean.

import { loadClientTls } from "../../sdk/client-tls.ts";
import type { DockerReceiverConfig, EngineEndpoint } from "./config.ts";

const CONNECT_MS = 10_000;
const HEADERS_MS = 30_000;
const ANSWER_BYTES_MAX = 1024;

/** A stream of events, one JSON object a line, and how to end it. */
export interface EventStream {
  readonly chunks: AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

/** From when to when events are wanted, in milliseconds since the epoch. */
export interface Range {
  readonly since?: number | undefined;
  /** The stream ends there; without it, never. */
  readonly until?: number | undefined;
}

/** Asks an engine for its events. Rejects with a message for the operator. */
export async function openEvents(
  endpoint: EngineEndpoint,
  tls: DockerReceiverConfig["tls"],
  range: Range,
  signal: AbortSignal,
): Promise<EventStream> {
  // undici takes a while to load: an agent without a container engine never does.
  const { Client } = await import("undici");
  const { origin, socketPath } = endpoint;
  const client = new Client(origin, {
    headersTimeout: HEADERS_MS,
    // An engine may be quiet for days.
    bodyTimeout: 0,
    connect: {
      ...(origin.startsWith("https:") ? await loadClientTls(tls) : {}),
      ...(socketPath === undefined ? {} : { socketPath }),
      timeout: CONNECT_MS,
      keepAlive: true,
    },
  });
  const close = () => client.destroy().catch(() => {});
  try {
    const { statusCode, body } = await client.request({
      path: pathOf(range),
      method: "GET",
      signal,
    });
    if (statusCode === 200) return { chunks: body, close };
    throw new Error(`it answered ${statusCode} ${await beginning(body)}`.trim());
  } catch (error) {
    await close();
    throw error;
  }
}

function pathOf({ since, until }: Range): string {
  const query = new URLSearchParams();
  if (since !== undefined) query.set("since", seconds(since));
  if (until !== undefined) query.set("until", seconds(until));
  // Without a beginning an engine tells what comes next; its first second is all it knows.
  else if (since === undefined) query.set("since", "1");
  return `/events?${query}`;
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(3);
}

/** The first line of an answer that is no stream. */
async function beginning(body: AsyncIterable<Uint8Array>): Promise<string> {
  let text = "";
  for await (const chunk of body) {
    text += new TextDecoder().decode(chunk);
    if (text.length >= ANSWER_BYTES_MAX) break;
  }
  return JSON.stringify(text.slice(0, ANSWER_BYTES_MAX).split("\n", 1)[0]);
}

const MEANINGS: Readonly<Record<string, string>> = {
  ENOENT: "no such file: is the engine running, and the path right?",
  EACCES: "permission denied: add the agent's account to the group that owns the socket",
  ECONNREFUSED: "connection refused: is the engine running?",
  ENOTFOUND: "no such host",
  UND_ERR_CONNECT_TIMEOUT: "no answer within 10 s",
  UND_ERR_HEADERS_TIMEOUT: "no answer within 30 s",
  UND_ERR_SOCKET: "connection closed",
};

/** What stands in the way, in words for the operator. */
export function tellFailure(error: unknown): string {
  const code = codeOf(error);
  const meaning = code === undefined ? undefined : MEANINGS[code];
  if (meaning !== undefined) return meaning;
  return error instanceof Error ? error.message : String(error);
}

function codeOf(error: unknown): string | undefined {
  for (let at = error, depth = 0; at instanceof Error && depth < 4; at = at.cause, depth++) {
    if ("code" in at && typeof at.code === "string") return at.code;
  }
  return undefined;
}
