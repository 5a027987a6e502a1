// NextToken: where a page ended, sealed so that it can only be used with the query it came from. The
// key lasts as long as the agent's state, and so do tokens: also over a restart.

import { Buffer } from "node:buffer";
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import type { Json, JsonObject } from "../../sdk/json.ts";
import type { StateStore } from "../../sdk/component.ts";

const KEY_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;
const CIPHER = "aes-256-gcm";

/** Makes and reads tokens. */
export class PageTokens {
  readonly #key: Buffer;

  private constructor(key: Buffer) {
    this.#key = key;
  }

  /** With the key that the state holds; a new one at the first start. */
  static async open(state: StateStore): Promise<PageTokens> {
    const kept = state.get("page_token_key");
    const key = Buffer.from(typeof kept === "string" ? kept : "", "base64");
    if (key.length === KEY_BYTES) return new PageTokens(key);
    const fresh = randomBytes(KEY_BYTES);
    await state.set("page_token_key", fresh.toString("base64"));
    return new PageTokens(fresh);
  }

  /** A token for the place in the pages of a query. */
  seal(place: Json, query: JsonObject): string {
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv(CIPHER, this.#key, iv).setAAD(nameOf(query));
    const sealed = Buffer.concat([cipher.update(JSON.stringify(place)), cipher.final()]);
    return Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString("base64url");
  }

  /** The place; undefined for what is no token, or that of another query. */
  open(token: string, query: JsonObject): Json | undefined {
    const bytes = Buffer.from(token, "base64url");
    if (bytes.length <= IV_BYTES + TAG_BYTES) return undefined;
    const decipher = createDecipheriv(CIPHER, this.#key, bytes.subarray(0, IV_BYTES))
      .setAAD(nameOf(query))
      .setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
    try {
      const opened = decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES));
      return JSON.parse(Buffer.concat([opened, decipher.final()]).toString()) as Json;
    } catch {
      return undefined;
    }
  }
}

/** The same for the same query, in whatever order its members came. */
function nameOf(query: JsonObject): Buffer {
  return Buffer.from(JSON.stringify(query, (_key, value: unknown) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1));
  }));
}
