// What stands in place of a secret: CloudTrail's own words, nothing, or a keyed hash by which equal
// values are still found to be equal by those who never see them.

import { createHmac } from "node:crypto";
import type { Secret } from "../../sdk/secret.ts";
import type { RedactAction } from "./config.ts";

/** How CloudTrail writes a value that it does not show. */
export const HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS";

const HASHED = /^hmac-sha256:[0-9a-f]{64}$/;

/** Answers what stands in place of a value; undefined where nothing does. */
export type Put = (value: string) => string | undefined;

/** Makes an action's replacement. What was redacted before stays as it is. */
export function putFor(action: RedactAction, key: Secret | undefined): Put {
  if (action === "hide") return (value) => isRedacted(value) ? value : HIDDEN;
  if (action === "remove") return () => undefined;
  const text = key?.reveal();
  if (text === undefined) throw new TypeError("Cannot hash without hash_key");
  return (value) => {
    if (isRedacted(value)) return value;
    return `hmac-sha256:${createHmac("sha256", text).update(unquoted(value)).digest("hex")}`;
  };
}

/** Whether a text is what an earlier processor, or CloudTrail, put in place of a secret. */
export function isRedacted(value: string): boolean {
  return value === HIDDEN || (value.startsWith("hmac") && HASHED.test(value));
}

/** A password is the same one with the quotes of a command line around it. */
function unquoted(value: string): string {
  const first = value[0];
  if (first !== '"' && first !== "'") return value;
  return value.length > 1 && value.endsWith(first) ? value.slice(1, -1) : value.slice(1);
}
