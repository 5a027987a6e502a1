// Who may ask for what: which paths there are, that the browser shows the password where one is set, and
// that no other site's page asks, nor one that the browser was led to under another name.

import { Buffer } from "node:buffer";
import { type HttpHead, type HttpResponse, plainAnswer } from "../../sdk/http-message.ts";
import { isForThisMachine } from "../../sdk/loopback.ts";
import { Secret } from "../../sdk/secret.ts";
import type { ConsoleConfig } from "./config.ts";

const SECURITY: Readonly<Record<string, string>> = {
  "content-security-policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "form-action 'none'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join("; "),
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=(), clipboard-write=(self)",
};

/** An answer with the headers that every answer has. */
export function secured(answer: HttpResponse): HttpResponse {
  return { ...answer, headers: { "cache-control": "no-store", ...SECURITY, ...answer.headers } };
}

/** An answer that is JSON. */
export function jsonAnswer(value: object, status = 200): HttpResponse {
  const headers = { "content-type": "application/json; charset=utf-8" };
  return { status, headers, body: JSON.stringify(value) };
}

/** A refusal that the page can show. */
export function refusal(status: number, error: string): HttpResponse {
  return jsonAnswer({ error }, status);
}

/** Why a request was refused, as it is counted. */
export type Refused = "refused: no valid password" | "refused: by another site or name";

/** Looks at requests before anything is done for them. */
export class Guard {
  readonly #credentials: Secret | undefined;
  readonly #count: (reason: Refused) => void;

  constructor({ username, password }: ConsoleConfig, count: (reason: Refused) => void) {
    this.#credentials = password && new Secret(`${username}:${password.reveal()}`);
    this.#count = count;
  }

  /** An answer refuses. */
  refuse(head: HttpHead, isKnown: (path: string) => boolean): HttpResponse | undefined {
    const foreign = this.#refuseForeign(head);
    if (foreign !== undefined) {
      this.#count("refused: by another site or name");
      return foreign;
    }
    if (this.#credentials !== undefined && !shows(head, this.#credentials)) {
      if (head.headers.authorization !== undefined) this.#count("refused: no valid password");
      const ask = { "www-authenticate": 'Basic realm="Cairn", charset="UTF-8"' };
      return plainAnswer(401, "Name and password are needed", ask);
    }
    if (!isKnown(head.path)) return refusal(404, "There is nothing here");
    if (head.method === "GET" || head.method === "HEAD") return undefined;
    return plainAnswer(405, "Expected GET or HEAD", { allow: "GET, HEAD" });
  }

  #refuseForeign(head: HttpHead): HttpResponse | undefined {
    const { headers, path } = head;
    if (this.#credentials === undefined && !isForThisMachine(head)) {
      const message =
        "Without a password the console is there for this machine's own names only: " +
        "localhost, 127.0.0.1 or [::1]";
      return plainAnswer(421, message);
    }
    const site = headers["sec-fetch-site"];
    // A link on another site may lead to the page itself, where nothing is asked for yet.
    if (path === "/" && headers["sec-fetch-mode"] === "navigate") return undefined;
    const isOwn = site === undefined || site === "same-origin" || site === "none";
    if (isOwn && isOwnOrigin(headers.origin, headers.host)) return undefined;
    return plainAnswer(403, "Requests of other sites are refused");
  }
}

function isOwnOrigin(origin: string | undefined, host = ""): boolean {
  return origin === undefined || origin === `http://${host}` || origin === `https://${host}`;
}

function shows({ headers }: HttpHead, credentials: Secret): boolean {
  const encoded = /^basic +([A-Za-z0-9+/=]+)$/i.exec(headers.authorization ?? "")?.[1] ?? "";
  return credentials.equals(Buffer.from(encoded, "base64").toString());
}
