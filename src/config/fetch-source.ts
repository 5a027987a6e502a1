// A configuration from a web server: over verified TLS, or in the clear from this machine itself.
// Bounded in size and time; what a URL holds besides its place is never shown.

import { Buffer } from "node:buffer";
import type { Dispatcher } from "undici";
import { asText, SOURCE_BYTES_MAX } from "./read-text.ts";

// A service manager waits about a minute for a start.
const TIMEOUT_MS = 10_000;

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/** The URL as messages name it: without user, password, query and fragment. */
export function shownUrl(text: string): string {
  if (!URL.canParse(text)) return `${text.slice(0, text.indexOf(":"))}:…`;
  const { protocol, host, pathname } = new URL(text);
  return `${protocol}//${host}${pathname}`;
}

/** The text that stands there. Throws an Error whose message says, in a few words, why not. */
export async function fetchText(text: string, timeoutMs = TIMEOUT_MS): Promise<string> {
  return (await fetchSource(text, { timeoutMs })).text ?? "";
}

/** What a server answers; no text where it still has the ETag that was asked with. */
export interface FetchedSource {
  readonly text?: string;
  readonly etag?: string;
}

/** The same, unless the server says that it is what `etag` stands for. Throws as fetchText does. */
export async function fetchSource(
  text: string,
  { etag, timeoutMs = TIMEOUT_MS }: { readonly etag?: string | undefined; timeoutMs?: number },
): Promise<FetchedSource> {
  if (!URL.canParse(text)) throw new Error("not a URL");
  const url = new URL(text);
  if (url.protocol !== "https:" && !LOOPBACK.test(url.hostname)) {
    throw new Error("http is only for this machine itself; write https");
  }
  const headers: Record<string, string> = { accept: "application/yaml, */*;q=0.5" };
  if (url.username !== "" || url.password !== "") {
    const user = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    headers.authorization = `Basic ${Buffer.from(user).toString("base64")}`;
    url.username = url.password = "";
  }
  if (etag !== undefined) headers["if-none-match"] = etag;
  const { Agent, request } = await import("undici");
  const dispatcher = new Agent({ connect: { timeout: timeoutMs } });
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const answer = await request(url, { headers, signal, dispatcher });
    if (etag !== undefined && answer.statusCode === 304) {
      await answer.body.dump();
      return {};
    }
    const given = answer.headers.etag;
    const body = asText(await readBody(answer));
    return { text: body, ...(typeof given === "string" && { etag: given }) };
  } catch (error) {
    if (signal.aborted) throw new Error(`no whole answer within ${timeoutMs / 1000} s`);
    throw error;
  } finally {
    await dispatcher.destroy();
  }
}

async function readBody({ statusCode, body }: Dispatcher.ResponseData): Promise<Buffer> {
  // What is not read ends with the connection.
  body.on("error", () => {});
  const isElsewhere = statusCode >= 300 && statusCode < 400;
  if (isElsewhere) throw new Error(`answered ${statusCode}; name the place it leads to`);
  if (statusCode !== 200) throw new Error(`answered ${statusCode}`);
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > SOURCE_BYTES_MAX) break;
  }
  return Buffer.concat(chunks);
}
