// Keeps passwords, tokens and keys that a source logs from being copied into events.

import type { Json, JsonObject } from "./json.ts";
import { setMember } from "./mapping-path.ts";

/** What stands in place of a secret. */
export const NOT_COPIED = "[not copied]";

// Names that end like this hold secrets; `token_id` and `hashed_token` do not.
const SECRET =
  /(?:password|passwd|passphrase|secret|token|authorization|cookie|signature|(?:private|api|secret|customer|secret[_-]?access|account)[_-]?key)$/i;
const HASHED = /^hash/i;

/** Whether a member of this name holds a secret. */
export function isSecretName(name: string): boolean {
  // Most names are ruled out by their last letter, at a tenth of the expression's cost.
  switch (name.charCodeAt(name.length - 1) | 0x20) {
    case 0x64: // d
    case 0x65: // e
    case 0x6e: // n
    case 0x74: // t
    case 0x79: // y
      return SECRET.test(name) && !HASHED.test(name);
    default:
      return false;
  }
}

/**
 * The object with `[not copied]` in place of every text, also in lists, whose member has the name
 * of a secret, at any depth. Without any it is the same object.
 */
export function withoutSecrets(from: JsonObject): JsonObject {
  let copy: Record<string, Json> | undefined;
  for (const name in from) {
    const value = from[name];
    if (value === undefined) continue;
    const shown = shownOf(value, isSecretName(name));
    if (shown === value) continue;
    copy ??= { ...from } as Record<string, Json>;
    setMember(copy, name, shown);
  }
  return copy ?? from;
}

function shownOf(value: Json, secret: boolean): Json {
  if (typeof value === "string") return secret && value !== "" ? NOT_COPIED : value;
  if (typeof value !== "object" || value === null) return value;
  if (!Array.isArray(value)) return withoutSecrets(value as JsonObject);
  let copy: Json[] | undefined;
  for (let i = 0; i < value.length; i++) {
    const item = value[i]!;
    const shown = shownOf(item, secret);
    if (shown !== item) (copy ??= [...value])[i] = shown;
  }
  return copy ?? value;
}
