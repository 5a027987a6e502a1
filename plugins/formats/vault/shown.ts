// What of Vault's values is copied: what it has hashed (`hmac-sha256:…`), and what its operator told it
// to leave in the clear; never a token, nor the contents of a store.

import type { Json, JsonObject } from "../../sdk/json.ts";
import { isSecretName, NOT_COPIED } from "../../sdk/json-secrets.ts";
import { setMember } from "../../sdk/mapping-path.ts";

/** How much of a value may be shown. */
export type Showing =
  /** All but secrets by their name. */
  | "named"
  /** Texts only if hashed: a log with `log_raw` hashes nothing. */
  | "hashed"
  /** Of a store: nothing but hashes, since Vault does not hash numbers. */
  | "store";

const HASH = /^hmac-[a-z0-9]+:/;
// What Vault itself says about the contents of a store.
const ABOUT: ReadonlySet<string> = new Set(["metadata", "options", "custom_metadata"]);

/** The object as it may be copied: itself, where all of it may. */
export function shownObject(from: JsonObject, showing: Showing): JsonObject {
  let copy: Record<string, Json> | undefined;
  for (const name of Object.keys(from)) {
    const value = from[name];
    if (value === undefined) continue;
    const how = showing === "store" && ABOUT.has(name) ? "hashed" : showing;
    const copied = shown(value, how, name);
    if (copied !== value) setMember(copy ??= { ...from } as Record<string, Json>, name, copied);
  }
  return copy ?? from;
}

function shown(value: Json, showing: Showing, name: string): Json {
  if (typeof value === "string") {
    const clear = value === "" || (showing === "named" && !isSecretName(name)) || HASH.test(value);
    return clear ? value : NOT_COPIED;
  }
  if (typeof value !== "object") return showing === "store" ? NOT_COPIED : value;
  if (value === null) return value;
  if (!Array.isArray(value)) return shownObject(value as JsonObject, showing);
  let copy: Json[] | undefined;
  for (let i = 0; i < value.length; i++) {
    const copied = shown(value[i]!, showing, name);
    if (copied !== value[i]) (copy ??= [...value])[i] = copied;
  }
  return copy ?? value;
}
