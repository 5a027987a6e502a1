// How AWS's libraries reach STS and SSO for credentials: as all requests of the agent go, through
// the environment's proxies, within a time, and under the agent's name.

import type { Dispatcher } from "undici";
import { encode } from "./request.ts";

/** What AWS's libraries hand over. */
interface LibraryRequest {
  readonly method: string;
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number | undefined;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | string[] | null>> | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | undefined;
}

interface LibraryAnswer {
  readonly response: {
    readonly statusCode: number;
    readonly headers: Record<string, string>;
    readonly body: Dispatcher.ResponseData["body"];
  };
}

// A region away and asked for the first time, it answers within a second or two.
const TIMEOUT_MS = 10_000;

/** Sends the requests of AWS's libraries; shaped as these want it. */
export class CredentialHttp {
  /** Which protocol it speaks: libraries that cannot use it look for this. */
  readonly metadata = { handlerProtocol: "http/1.1" };
  readonly #userAgent: string;
  #dispatcher: Dispatcher | undefined;

  /** `userAgent` stands before what a library says of itself. */
  constructor(userAgent: string) {
    this.#userAgent = userAgent;
  }

  /** Sends one request. Rejects where no answer comes in time. */
  async handle(request: LibraryRequest): Promise<LibraryAnswer> {
    const { method, protocol, hostname, port, path, query = {}, headers, body = null } = request;
    const pairs = Object.entries(query).flatMap(([name, value]) =>
      [value ?? ""].flat().map((each) => `${encode(name)}=${encode(each)}`)
    );
    const agent = `${this.#userAgent} ${headers["user-agent"] ?? ""}`.trimEnd();
    const answer = await (this.#dispatcher ??= await connect()).request({
      origin: `${protocol}//${hostname}${port === undefined ? "" : `:${port}`}`,
      path: pairs.length === 0 ? path : `${path}?${pairs.join("&")}`,
      method: method as Dispatcher.HttpMethod,
      headers: { ...headers, "user-agent": agent },
      body,
    });
    const texts = Object.entries(answer.headers).map(([name, value]) => [name, String(value)]);
    return {
      response: {
        statusCode: answer.statusCode,
        headers: Object.fromEntries(texts),
        body: answer.body,
      },
    };
  }

  /** Called by libraries that are done with it; its owner closes it. */
  destroy(): void {}

  /** Nothing of it is for libraries to change. */
  updateHttpClientConfig(): void {}

  /** See above. */
  httpHandlerConfigs(): Record<never, never> {
    return {};
  }

  /** Closes connections. Safe to call twice. */
  async close(): Promise<void> {
    const dispatcher = this.#dispatcher;
    this.#dispatcher = undefined;
    await dispatcher?.destroy();
  }
}

async function connect(): Promise<Dispatcher> {
  const { EnvHttpProxyAgent } = await import("undici");
  return new EnvHttpProxyAgent({
    headersTimeout: TIMEOUT_MS,
    bodyTimeout: TIMEOUT_MS,
    connect: { timeout: TIMEOUT_MS },
  });
}
