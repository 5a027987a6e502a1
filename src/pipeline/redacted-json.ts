// A value of JSON without its secrets, for what leaves the agent beside the pipelines: taps, support
// bundles. Hidden is what the name of a member or its own shape says to be a secret, and the secrets
// of the agent's own configuration.

import type { Json } from "../../plugins/sdk/index.ts";
import { isSecretName } from "../../plugins/sdk/json-secrets.ts";
import { replaceSecrets } from "../../plugins/sdk/known-secrets.ts";

/** What CloudTrail writes in place of a secret. */
export const HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS";

// A record is never nested as deep; what is, is not shown below this.
const DEPTH_MAX = 64;
// Shorter ones stand in too many texts by chance.
const SECRET_CHARS_MIN = 4;

/** The text without what is known to be a secret, and without `secrets`. */
export function redactedText(text: string, secrets: readonly string[]): string {
  const known = replaceSecrets(text, () => HIDDEN);
  return secrets.reduce(
    (rest, secret) => secret.length < SECRET_CHARS_MIN ? rest : rest.replaceAll(secret, HIDDEN),
    known,
  );
}

/** A copy without secrets; bytes and what JSON does not know are shown as JSON does. */
export function redactedJson(value: Json, secrets: readonly string[], depth = 0): Json {
  if (typeof value === "string") return redactedText(value, secrets);
  if (typeof value !== "object" || value === null) return value;
  if (depth > DEPTH_MAX) return HIDDEN;
  if (Array.isArray(value)) return value.map((item) => redactedJson(item, secrets, depth + 1));
  return Object.fromEntries(
    Object.entries(value as Readonly<Record<string, Json>>).map(([name, member]) => [
      redactedText(name, secrets),
      isSecretName(name) ? hidden(member) : redactedJson(member, secrets, depth + 1),
    ]),
  );
}

/** What stands under a secret's name: hidden where it says anything. */
function hidden(value: Json): Json {
  if (value === null || value === "" || typeof value === "boolean") return value;
  return HIDDEN;
}
